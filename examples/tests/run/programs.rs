//! The larger examples, and what each of them shows.

use std::time::Duration;

use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};

use crate::program::{PATIENCE, Program};

#[tokio::test]
async fn link_tutorial_routes_counts_and_denies() {
    let app = Program::start(env!("CARGO_BIN_EXE_link-tutorial")).await;
    let hello = app.get("/hello").await;
    assert_eq!(hello.body(), "Hello world\n");
    assert_eq!(hello.headers()["x-route"], "^/hello$");
    assert_eq!(app.send("DELETE", "/hello", "").await.body(), "Goodbye\n");
    let denied = app.get("/counter").await;
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);
    assert!(!denied.headers().contains_key("x-route"));
    for count in ["1\n", "2\n"] {
        let counted = app.send("POST", "/counter?user=ann", "").await;
        assert_eq!(counted.body(), count);
    }
    assert_eq!(app.get("/counter?user=ann").await.body(), "2\n");
    let no_method = app.send("PUT", "/counter?user=ann", "").await;
    assert_eq!(no_method.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(no_method.headers()["allow"], "GET, HEAD, OPTIONS, POST");
    assert_eq!(app.get("/nowhere").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn authentication_rejects_unknown_users() {
    let app = Program::start(env!("CARGO_BIN_EXE_authentication")).await;
    let basic = |credentials| [("authorization", credentials)];
    for denied in [
        app.get("/").await,
        app.get_with("/", &basic("Basic YW5uOndyb25n")).await,
        app.get_with("/", &basic("Bearer YW5uOnNlY3JldA==")).await,
        app.get_with("/nowhere", &basic("Basic")).await,
    ] {
        assert_eq!(denied.status(), StatusCode::UNAUTHORIZED);
        let challenge = "Basic realm=\"greetings\", charset=\"UTF-8\"";
        assert_eq!(denied.headers()["www-authenticate"], challenge);
    }
    let hello = app.get_with("/", &basic("basic YW5uOnNlY3JldA==")).await;
    assert_eq!(hello.body(), "Hello Ann\n");
}

#[tokio::test]
async fn timing_has_a_line_for_every_request_however_it_ends() {
    let mut app = Program::start(env!("CARGO_BIN_EXE_timing")).await;
    assert_eq!(app.get("/").await.body(), "quick\n");
    let line = app.logs("GET /: ").await;
    assert!(line.contains(": 200 OK after "), "{line}");
    assert!(line.contains(", Completed after "), "{line}");
    for (path, read, words) in [
        ("/slow", 0, "no response, Cancelled after "),
        ("/stream", 500, ", Cancelled after "),
    ] {
        let mut stream = TcpStream::connect(&app.url["http://".len()..])
            .await
            .unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.read_exact(&mut vec![0; read]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(stream);
        let line = app.logs(&format!("GET {path}: ")).await;
        assert!(line.contains(words), "{line}");
    }
}

#[tokio::test]
async fn minimal_is_put_together_by_its_file() {
    let program = env!("CARGO_BIN_EXE_minimal");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/minimal");
    let file = format!("{folder}/minimal.ini");
    let app = Program::start_with(program, &["serve", &file]).await;
    let expected = format!("yikes: Hello World!\nyikes: This is the site in {folder}.\n");
    assert_eq!(app.get("/").await.body(), &expected);
    let twice = Program::start_with(program, &["serve", &format!("{file}#twice")]).await;
    let expected = expected.replace("yikes: ", "yikes: yikes: ");
    assert_eq!(twice.get("/").await.body(), &expected);

    let run = async |args: &[&str]| {
        let output = Command::new(program).args(args).output();
        let output = timeout(PATIENCE, output).await.unwrap().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    // The second pipeline is only loaded by its name.
    let (code, out, warnings) = run(&["check", &file]).await;
    let expected = format!("{file}: ok, with a warning\n");
    assert_eq!((code, out), (Some(0), expected));
    assert!(
        warnings.contains("[pipeline:twice] nothing names this section"),
        "{warnings}"
    );
    let (code, out, _) = run(&["explain", &format!("{file}#twice")]).await;
    let expected = format!(
        "\
filter egg:minimal#prefix  [filter:middleware] minimal.ini:12
    prefix = yikes:
filter egg:minimal#prefix  [filter:middleware] minimal.ini:12
    prefix = yikes:
app egg:minimal#main  [app:minimal] minimal.ini:6
    greeting = Hello
    subject = World
    footer = the site in {folder}
"
    );
    assert_eq!((code, out), (Some(0), expected));
    let (code, out, _) = run(&["explain", &file, "site=mine", "--format", "json"]).await;
    let plan: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &plan["app"]["local"]["footer"]),
        (Some(0), &"mine".into())
    );
    let (code, out, _) = run(&["explain", &file, "--format", "mermaid"]).await;
    assert_eq!((code, out.lines().next()), (Some(0), Some("flowchart TD")));

    let (code, out, err) = run(&["check", &format!("{file}#nobody")]).await;
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(
        err.starts_with("error: there is no app `nobody` in "),
        "{err}"
    );
    // Not a terminal, so no colours.
    assert!(!err.contains('\u{1b}'), "{err}");
    let (code, _, err) = run(&["check", &file, "site"]).await;
    assert_eq!(code, Some(2));
    assert!(err.contains("write KEY=VALUE"), "{err}");
}

#[tokio::test]
async fn site_serves_and_logs_its_incidents() {
    let mut site = Program::start(env!("CARGO_BIN_EXE_site")).await;
    let page = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/site/files/index.html"
    ))
    .unwrap();
    assert_eq!(site.get("/").await.body(), &page);

    let panicked = site.get("/panic").await;
    assert_eq!(panicked.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let id = panicked.headers()["x-incident-id"].to_str().unwrap();
    assert_eq!(
        panicked.body(),
        &format!("500 Internal Server Error\nincident {id}\n")
    );
    assert_eq!(
        site.logs(id).await,
        format!(
            "incident {id}: GET /panic HTTP/1.1: panic in the future: this route always panics"
        )
    );

    assert_eq!(site.get("/hello/John").await.body(), "yikes: Hello John\n");
}

#[cfg(unix)]
#[tokio::test]
async fn site_finishes_what_it_has_begun_after_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let mut site = Program::start(env!("CARGO_BIN_EXE_site")).await;
        let address = site.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head =
            "PUT /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        // From here on the route is reading the body.
        let mut told = [0; 25];
        timeout(PATIENCE, stream.read_exact(&mut told))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(told, *b"HTTP/1.1 100 Continue\r\n\r\n");

        // A client that sends nothing does not delay the end.
        let _silent = TcpStream::connect(address).await.unwrap();

        let pid = site.child.id().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
        // No new connection is taken, …
        timeout(PATIENCE, async {
            while TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        // … and the request that is under way is finished.
        stream.write_all(b"abc").await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("{\"length\":3,"), "{answer}");
        let status = timeout(PATIENCE, site.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{signal}: {status}");
    }
}

#[tokio::test]
async fn key_adder_greets_with_what_the_layers_have_left() {
    let program = Program::start(env!("CARGO_BIN_EXE_key-adder")).await;
    assert_eq!(program.get("/").await.body(), "Hello World\n");
    // One of the two layers is only around the earlier route.
    assert_eq!(program.get("/alone").await.body(), "Hello nobody\n");
}

#[tokio::test]
async fn behind_proxy_links_to_where_the_reader_came_from() {
    let program = Program::start(env!("CARGO_BIN_EXE_behind-proxy")).await;
    let proxy = [
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "example.org"),
        ("x-forwarded-prefix", "/team"),
        ("forwarded", "for=127.0.0.9;host=evil.example"),
    ];
    let page = program.get_with("/wiki/Start?a=b&c=d", &proxy).await;
    let expected = "<!DOCTYPE html>\n<title>Wiki</title>\n\
        <link rel=canonical href=\"https://example.org/team/wiki/Start?a=b&amp;c=d\">\n\
        <p>Reader: 192.0.2.1</p>\n\
        <p><a href=\"https://example.org/team/wiki/Next\">Next page</a></p>\n";
    assert_eq!(page.body(), expected);

    let page = program.get("/wiki/Next").await;
    let page = std::str::from_utf8(page.body()).unwrap();
    assert!(page.contains("<p>Reader: 127.0.0.1</p>"), "{page}");
    let link = format!("<a href=\"{}/wiki/Next\">", program.url);
    assert!(page.contains(&link), "{page}");

    assert_eq!(program.get("/Start").await.status(), StatusCode::NOT_FOUND);
    let evil = program
        .get_with("/wiki/Start", &[("host", "evil.example")])
        .await;
    assert_eq!(evil.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn yikes_stands_before_every_line() {
    let program = Program::start(env!("CARGO_BIN_EXE_yikes")).await;
    let got = program.get("/").await;
    assert_eq!(
        got.body(),
        "yikes: This is a line\nyikes: and so is this\nyikes: and this\n"
    );
}

#[tokio::test]
async fn a_script_stands_before_the_end_of_the_page_and_its_events_come_at_once() {
    let program = Program::start(env!("CARGO_BIN_EXE_live-reload")).await;
    let got = program.get("/").await;
    let page = std::str::from_utf8(got.body()).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"));
    assert!(page.ends_with("location.reload(); };\n</script>\n</body>\n</html>\n"));
    let length = got.headers()["content-length"].to_str().unwrap();
    assert_eq!(length, got.body().len().to_string());

    let address = program.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /live-reload HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    while !said.windows(10).any(|said| said == b"retry: 300") {
        let read = timeout(PATIENCE, stream.read_buf(&mut said)).await.unwrap();
        assert_ne!(read.unwrap(), 0, "{:?}", String::from_utf8_lossy(&said));
    }
}

#[tokio::test]
async fn the_error_page_is_for_this_machine() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_error-page")).await;
    assert_eq!(program.get("/sum/2").await.body(), "8\n");
    let got = program
        .get_with("/sum/5?token=x", &[("accept", "text/html")])
        .await;
    assert_eq!(got.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let page = std::str::from_utf8(got.body()).unwrap();
    for expected in [
        "range end index 5 out of range for slice of length 3",
        "error_page.rs",
        "prices[..count].iter().sum()",
        "token=redacted",
        "&quot;example.stage&quot;: &quot;development&quot;",
        "/sum/{count}",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("s3cr3t"));
    let id = got.headers()["x-incident-id"].to_str().unwrap();
    program.logs(id).await;
    let through_a_proxy = [("accept", "text/html"), ("x-forwarded-for", "10.0.0.1")];
    let got = program.get_with("/sum/5", &through_a_proxy).await;
    assert!(
        !std::str::from_utf8(got.body())
            .unwrap()
            .contains("range end index")
    );
    let got = program
        .get_with("/order", &[("accept", "text/plain")])
        .await;
    let text = std::str::from_utf8(got.body()).unwrap();
    assert!(text.starts_with("error in the future: order 7 could not be read\n  caused by: postgres://[redacted]@db/orders"));
}

#[tokio::test]
async fn an_incident_is_an_event_in_the_log() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_report-to-tracing")).await;
    let got = program.get("/panic").await;
    let id = got.headers()["x-incident-id"].to_str().unwrap();
    let line = program.logs(id).await;
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["level"], "ERROR");
    let fields = &event["fields"];
    assert_eq!(fields["incident"], id);
    assert_eq!(fields["panic"], "on purpose");
    assert_eq!(
        (fields["method"].as_str(), fields["path"].as_str()),
        (Some("GET"), Some("/panic"))
    );
    assert!(
        fields["location"]
            .as_str()
            .unwrap()
            .contains("report_to_tracing.rs:")
    );
}

#[tokio::test]
async fn four_changes_are_all_there() {
    let program = Program::start(env!("CARGO_BIN_EXE_four-changes")).await;
    let response = program.get("/").await;
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.headers()["x-flavour"], "darjeeling");
    let body = "yikes: Hello World\nyikes: this is what the app has to say\n";
    assert_eq!(response.body(), body);
}

#[tokio::test]
async fn registry_finds_names_with_slashes() {
    let program = Program::start(env!("CARGO_BIN_EXE_registry")).await;
    let digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let blob = format!("/v2/library/alpine/blobs/{digest}");
    let found = format!("the blob {digest} of library/alpine\n");
    let table = [
        ("/v2/", StatusCode::OK, "a registry\n"),
        (
            "/v2/library/alpine/manifests/3.22",
            StatusCode::OK,
            "the manifest 3.22 of library/alpine\n",
        ),
        ("/v2/a/b/c/tags/list", StatusCode::OK, "the tags of a/b/c\n"),
        (
            "/v2/a/tags/tags/list",
            StatusCode::OK,
            "the tags of a/tags\n",
        ),
        (&blob, StatusCode::OK, &found),
        (
            "/v2/alpine/blobs/sha256:xyz",
            StatusCode::NOT_FOUND,
            "no route matches the path\n",
        ),
    ];
    for (path, status, text) in table {
        let response = program.get(path).await;
        assert_eq!(
            (response.status(), response.body().as_ref()),
            (status, text.as_bytes()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn hello_greets_by_query_and_by_path_and_escapes() {
    let hello = Program::start(env!("CARGO_BIN_EXE_hello")).await;
    let link = "<p><a href=\"hello/\">continue</a></p>\n";
    let table = [
        ("/?subject=John", format!("<p>Hello John!</p>\n{link}")),
        ("/", format!("<p>Hello World!</p>\n{link}")),
        (
            "/?a=b&subject=%3Cscript%3Ealert(1)%3C/script%3E+%26",
            format!("<p>Hello &lt;script&gt;alert(1)&lt;/script&gt; &amp;!</p>\n{link}"),
        ),
        ("/hello", "<p>Hello World!</p>\n".into()),
        ("/hello/", "<p>Hello World!</p>\n".into()),
        ("//hello/J%C3%B6rg", "<p>Hello Jörg!</p>\n".into()),
        ("/hello/%3Cb%3E/x", "<p>Hello &lt;b&gt;/x!</p>\n".into()),
        // It is `re.search`, so this is one too.
        ("/say/hello/you", "<p>Hello you!</p>\n".into()),
    ];
    for (path, body) in table {
        let response = hello.get(path).await;
        assert_eq!(
            response.headers()["content-type"],
            "text/html; charset=utf-8"
        );
        assert_eq!(response.body(), &body, "{path}");
    }
    assert_eq!(hello.get("/bye").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn class_views_are_one_object_for_all_requests() {
    let notes = Program::start(env!("CARGO_BIN_EXE_class-views")).await;
    let response = notes.send("POST", "/notes", "buy milk").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["location"], "/notes/0");
    assert_eq!(
        notes.send("POST", "/notes", "sell it").await.headers()["location"],
        "/notes/1"
    );
    assert_eq!(
        notes.get("/notes").await.body(),
        "0: buy milk\n1: sell it\n"
    );
    assert_eq!(notes.get("/notes/1").await.body(), "sell it\n");
    assert_eq!(
        notes.send("DELETE", "/notes/0", "").await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(notes.get("/notes/0").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        notes.get("/notes/x").await.body(),
        "no route matches the path\n"
    );
    let refused = notes.send("PUT", "/notes/1", "").await;
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()["allow"], "DELETE, GET, HEAD, OPTIONS");
    let too_long = "x".repeat(2000);
    assert_eq!(
        notes.send("POST", "/notes", &too_long).await.status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn spa_has_a_page_for_what_is_navigated_to_and_404_for_what_is_missing() {
    let spa = Program::start(env!("CARGO_BIN_EXE_spa")).await;
    let html = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let script = [("accept", "*/*")];
    let css = spa.get_with("/main.css", &script).await;
    assert_eq!(css.headers()["content-type"], "text/css");
    assert_eq!(spa.get_with("/api/orders", &script).await.body(), "[7]\n");
    assert_eq!(spa.get_with("/about", &html).await.body(), "<p>About</p>\n");
    for path in ["/", "/orders/7"] {
        let page = spa.get_with(path, &html).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(page.headers()["vary"], "accept");
        assert!(page.body().starts_with(b"<!doctype html>"));
    }
    for (path, headers) in [("/app.js", &script), ("/api/x", &script), ("/api/x", &html)] {
        assert_eq!(
            spa.get_with(path, headers).await.status(),
            StatusCode::NOT_FOUND
        );
    }
    assert_eq!(spa.send("POST", "/api/orders", "8").await.body(), "8");
    assert_eq!(
        spa.send("POST", "/orders/7", "").await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn two_fallbacks_each_have_their_own() {
    let both = Program::start(env!("CARGO_BIN_EXE_two-fallbacks")).await;
    assert_eq!(both.get("/").await.body(), "the web\n");
    let missing = both.get("/nobody").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert_eq!(missing.body(), "the web has no such page\n");
    let grpc = [("content-type", "application/grpc")];
    for (path, status) in [("/hello.Greeter/Hello", "0"), ("/nobody", "12")] {
        let answer = both.get_with(path, &grpc).await;
        assert_eq!(
            (answer.status(), &answer.headers()["grpc-status"]),
            (StatusCode::OK, &status.parse().unwrap())
        );
    }
}

#[tokio::test]
async fn app_in_handler_shows_the_app_to_allowed_clients() {
    let app = Program::start(env!("CARGO_BIN_EXE_app-in-handler")).await;
    assert_eq!(
        app.get("/docs/notes.txt").await.status(),
        StatusCode::FORBIDDEN
    );
    let notes = app.get("/docs/notes.txt?key=open").await;
    assert_eq!(notes.headers()["content-type"], "text/plain");
    assert_eq!(notes.headers()["x-shown-by"], "a controller");
    let today = app.get("/docs/today?key=open").await;
    assert_eq!(today.body(), "nothing new today\n");
    assert_eq!(
        app.get("/docs/nobody?key=open").await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn loadapp_has_axum_then_files_then_the_app_of_a_file() {
    let app = Program::start(env!("CARGO_BIN_EXE_loadapp")).await;
    assert_eq!(app.get("/about").await.body(), "an axum app\n");
    let notes = include_str!("../../site/files/notes.txt");
    assert_eq!(app.get("/notes.txt").await.body(), notes);
    assert_eq!(app.get("/hello/John").await.body(), "Hello John");
    let nowhere = app.get("/nowhere").await;
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn link_json_is_routed_by_link_wsgis_own_file() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/link_json/site.ini");
    let app = Program::start_with(env!("CARGO_BIN_EXE_link-json"), &["serve", file]).await;
    assert_eq!(app.get("/hello?user=John").await.body(), "Hello world\n");
    assert_eq!(app.get("/hello").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(app.get("/nowhere").await.status(), StatusCode::NOT_FOUND);
    for count in ["1\n", "2\n"] {
        let counted = app.send("POST", "/counter?user=John", "").await;
        assert_eq!(counted.body(), count);
    }
    assert_eq!(app.get("/counter?user=John").await.body(), "2\n");
    let refused = app.send("PUT", "/counter?user=John", "").await;
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[cfg(unix)]
#[tokio::test]
async fn axum_serve_finishes_a_request_after_a_signal() {
    let mut program = Program::start_by(env!("CARGO_BIN_EXE_axum-serve"), &["127.0.0.1:0"]).await;
    let pid = program.child.id().unwrap().to_string();
    let signalled = async {
        assert_eq!(program.get("/").await.body(), "hello 127.0.0.1\n");
        let kill = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(kill.unwrap().success());
    };
    let (slow, ()) = tokio::join!(program.get("/slow"), signalled);
    assert_eq!(slow.body(), "done\n");
    let status = timeout(PATIENCE, program.child.wait()).await;
    assert!(status.unwrap().unwrap().success());
}

#[cfg(unix)]
#[tokio::test]
async fn anywhere_is_a_server_a_fastcgi_program_and_a_cgi_program() {
    use std::{net::TcpListener, os::fd::OwnedFd, process::Stdio};

    use http_body_util::{BodyExt, Empty};
    use tower::ServiceExt;
    use tower_gateway::FastCgi;

    let path = env!("CARGO_BIN_EXE_anywhere");
    let server = Program::start_by(path, &["127.0.0.1:0"]).await;
    let text = "hello an unknown client, this is /a?b over http\n";
    assert_eq!(server.get("/a?b").await.body(), text);

    let variables = [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", "/a?b"),
        ("REMOTE_ADDR", "192.0.2.1"),
        ("HTTPS", "on"),
    ];
    let mut command = Command::new(path);
    let output = command.envs(variables).stdin(Stdio::null()).output().await;
    let output = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(output.starts_with("Status: 200 OK\r\n"), "{output}");
    let text = "\r\n\r\nhello 192.0.2.1, this is /a?b over https\n";
    assert!(output.ends_with(text), "{output}");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut command = Command::new(path);
    let command = command.stdin(OwnedFd::from(listener)).kill_on_drop(true);
    let _program = command.spawn().unwrap();
    let front = FastCgi::connect(&address).unwrap();
    let request = http::Request::get("/c").body(Empty::<bytes::Bytes>::new());
    let Ok(response) = front.oneshot(request.unwrap()).await;
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "hello an unknown client, this is /c over http\n");
}
