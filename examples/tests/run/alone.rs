//! Each layer by itself, in axum and on a plain hyper server.

use std::time::Duration;

use http::{Response, StatusCode};
use tokio::time::sleep;

use crate::program::Program;

/// Both programs of a layer, which listen on the address in their argument.
async fn both(axum: &str, hyper: &str) -> [Program; 2] {
    [
        Program::start_by(axum, &["127.0.0.1:0"]).await,
        Program::start_by(hyper, &["127.0.0.1:0"]).await,
    ]
}

fn text(response: &Response<bytes::Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

#[tokio::test]
async fn body_rewrite_changes_the_body_and_its_headers() {
    let [axum, hyper] = both(
        env!("CARGO_BIN_EXE_axum-body-rewrite"),
        env!("CARGO_BIN_EXE_hyper-body-rewrite"),
    )
    .await;
    let page = axum.get("/").await;
    let expected = "<a href=\"https://new.example/start\">Start</a>\n";
    assert_eq!(text(&page), expected);
    let length = page.headers()["content-length"].to_str().unwrap();
    assert_eq!(length, expected.len().to_string());
    let tag = page.headers()["etag"].to_str().unwrap();
    assert!(tag.starts_with("W/\""), "{tag}");
    let copy = axum.get_with("/", &[("if-none-match", tag)]).await;
    assert_eq!(copy.headers()["etag"], tag);
    assert_eq!(text(&hyper.get("/").await), "> one\n> two\n");
}

#[tokio::test]
async fn cascade_passes_the_whole_request_to_the_next_service() {
    let [axum, hyper] = both(
        env!("CARGO_BIN_EXE_axum-cascade"),
        env!("CARGO_BIN_EXE_hyper-cascade"),
    )
    .await;
    for (path, expected) in [
        ("/orders/7", "the new shop has \"tea\"\n"),
        ("/orders/8", "the old shop has \"tea\" for 8\n"),
    ] {
        assert_eq!(text(&axum.send("POST", path, "tea").await), expected);
    }
    let notes = include_str!("../../site/files/notes.txt");
    assert_eq!(text(&hyper.get("/notes.txt").await), notes);
    for response in [
        hyper.get("/nothing").await,
        hyper.send("POST", "/nothing", "").await,
    ] {
        assert_eq!(text(&response), "there is no file /nothing\n");
    }
}

#[tokio::test]
async fn dispatch_finds_what_matches_first() {
    let [axum, hyper] = both(
        env!("CARGO_BIN_EXE_axum-dispatch"),
        env!("CARGO_BIN_EXE_hyper-dispatch"),
    )
    .await;
    for (path, expected) in [
        ("/v2/library/alpine/tags", "the tags of library/alpine\n"),
        ("/2026", "all of 2026\n"),
        ("/2026/11", "11 of 2026\n"),
        ("/", "axum's own\n"),
    ] {
        assert_eq!(text(&axum.get(path).await), expected);
    }
    assert_eq!(axum.get("/26").await.status(), StatusCode::NOT_FOUND);
    for (path, expected) in [
        ("/hello", "Hello World\n"),
        ("/hello/J%C3%B6rg", "Hello Jörg\n"),
    ] {
        assert_eq!(text(&hyper.get(path).await), expected);
    }
    let refused = hyper.send("PUT", "/hello", "").await;
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()["allow"], "GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn environ_has_the_value_and_the_mount() {
    for program in both(
        env!("CARGO_BIN_EXE_axum-environ"),
        env!("CARGO_BIN_EXE_hyper-environ"),
    )
    .await
    {
        let page = program.get("/wiki/Start").await;
        assert_eq!(text(&page), "The wiki: /Start, below /wiki\n");
        assert_eq!(program.get("/Start").await.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn error_document_has_the_format_of_the_client() {
    let [program, hyper] = both(
        env!("CARGO_BIN_EXE_axum-error-document"),
        env!("CARGO_BIN_EXE_hyper-error-document"),
    )
    .await;
    let accept = |format| ("accept", format);
    let problem = accept("application/problem+json");
    let json = ("content-type", "application/json");
    let long = format!("{{\"amount\":{}1}}", " ".repeat(1000));
    for (method, path, content_type, body, status, detail) in [
        ("GET", "/orders/seven", None, "", 400, "Cannot parse"),
        ("GET", "/search", None, "", 400, "missing field `amount`"),
        ("POST", "/orders", None, "{}", 415, "Content-Type"),
        ("POST", "/orders", Some(json), "{", 400, "parse"),
        (
            "POST",
            "/orders",
            Some(json),
            "{}",
            422,
            "missing field `amount`",
        ),
        (
            "POST",
            "/orders",
            Some(json),
            &long[..],
            413,
            "length limit exceeded",
        ),
        ("GET", "/nowhere", None, "", 404, ""),
        ("PUT", "/orders", None, "", 405, ""),
    ] {
        let headers: Vec<_> = [problem].into_iter().chain(content_type).collect();
        let response = program.send_with(method, path, &headers, body).await;
        assert_eq!(response.status(), status, "{method} {path} {body}");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        let found: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(found["status"], status, "{found}");
        let found = found["detail"].as_str().unwrap_or_default();
        assert!(found.contains(detail), "{method} {path} {body}: {found}");
        assert_eq!(found.is_empty(), detail.is_empty(), "{method} {path}");
    }
    let response = program.get_with("/nowhere", &[accept("text/html")]).await;
    assert!(text(&response).contains("<h1>404 Not Found</h1>"));
    assert_eq!(text(&program.get("/orders/7").await), "order 7\n");

    let missing = hyper.get("/a").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        text(&missing),
        "<h1>404 Not Found</h1>\n<p>There is no /a.\n"
    );
    assert_eq!(text(&hyper.get("/").await), "the start\n");
}

#[tokio::test]
async fn exception_responds_with_the_id_that_is_in_the_log() {
    let [axum, hyper] = both(
        env!("CARGO_BIN_EXE_axum-exception"),
        env!("CARGO_BIN_EXE_hyper-exception"),
    )
    .await;
    for (mut program, well, broken, told) in [
        (
            axum,
            "/divide/6/1",
            "/divide/1/0",
            "attempt to divide by zero",
        ),
        (hyper, "/?3", "/?ten", "invalid digit found in string"),
    ] {
        assert_eq!(text(&program.get(well).await), "6\n");
        let response = program.get(broken).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let id = response.headers()["x-incident-id"].to_str().unwrap();
        let expected = format!("500 Internal Server Error\nincident {id}\n");
        assert_eq!(text(&response), expected);
        let line = program.logs(id).await;
        assert!(line.contains(told), "{line}");
        assert_eq!(text(&program.get(well).await), "6\n");
    }
}

#[tokio::test]
async fn hooks_respond_add_headers_and_get_the_outcome() {
    let [axum, mut hyper] = both(
        env!("CARGO_BIN_EXE_axum-hooks"),
        env!("CARGO_BIN_EXE_hyper-hooks"),
    )
    .await;
    for (path, status, expected) in [
        ("/", StatusCode::OK, "come in\n"),
        (
            "/shop",
            StatusCode::SERVICE_UNAVAILABLE,
            "closed until tomorrow\n",
        ),
    ] {
        let response = axum.get(path).await;
        assert_eq!((response.status(), text(&response)), (status, expected));
        assert_eq!(response.headers()["x-frame-options"], "DENY");
    }
    assert_eq!(text(&hyper.get("/a?b").await), "Hello World\n");
    assert_eq!(hyper.logs("GET").await, "GET /a?b: Completed");
}

#[tokio::test]
async fn lint_reports_which_rule_is_broken() {
    let [mut axum, mut hyper] = both(
        env!("CARGO_BIN_EXE_axum-lint"),
        env!("CARGO_BIN_EXE_hyper-lint"),
    )
    .await;
    for (program, status, rule) in [
        (&mut axum, 401, "306 (WwwAuthenticateMissing)"),
        (&mut hyper, 405, "305 (AllowMissing)"),
    ] {
        assert_eq!(program.get("/").await.status(), status);
        program.logs(&format!("tower-lint, rule {rule}: ")).await;
    }
}

#[tokio::test]
async fn origin_believes_the_proxy_on_this_machine() {
    for program in both(
        env!("CARGO_BIN_EXE_axum-origin"),
        env!("CARGO_BIN_EXE_hyper-origin"),
    )
    .await
    {
        let proxy = [("forwarded", "for=192.0.2.1;host=example.org;proto=https")];
        let response = program.get_with("/?a", &proxy).await;
        assert_eq!(
            text(&response),
            "192.0.2.1 asked for https://example.org/?a\n"
        );
        let response = program.get("/").await;
        assert_eq!(
            text(&response),
            format!("127.0.0.1 asked for {}/\n", program.url)
        );
        let refused = program.get_with("/", &[("host", "evil.example")]).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn static_serves_files_and_parts_of_them() {
    let program = Program::start_by(env!("CARGO_BIN_EXE_axum-static"), &["127.0.0.1:0"]).await;
    let notes = include_str!("../../site/files/notes.txt");
    let response = program.get("/notes.txt").await;
    assert_eq!(text(&response), notes);
    assert_eq!(response.headers()["cache-control"], "max-age=60");
    let tag = response.headers()["etag"].to_str().unwrap();
    let range = [("range", "bytes=0-4"), ("if-range", tag)];
    let part = program.get_with("/notes.txt", &range).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(text(&part), &notes[..5]);
    let copy = program
        .get_with("/notes.txt", &[("if-none-match", tag)])
        .await;
    assert_eq!(copy.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(text(&program.get("/time").await), "late\n");
    let nowhere = program.get("/nowhere").await;
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn upstream_gets_the_requests_without_a_route() {
    let old = Program::start_by(env!("CARGO_BIN_EXE_axum-static"), &["127.0.0.1:0"]).await;
    let upstream = env!("CARGO_BIN_EXE_axum-upstream");
    let program = Program::start_by(upstream, &["127.0.0.1:0", &old.url]).await;
    let notes = include_str!("../../site/files/notes.txt");
    let response = program
        .get_with("/notes.txt", &[("range", "bytes=0-4")])
        .await;
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(text(&response), &notes[..5]);
    assert_eq!(text(&program.get("/new").await), "new\n");
    drop(old);
    let failed = program.get("/notes.txt").await;
    assert_eq!(failed.status(), StatusCode::BAD_GATEWAY);
}

#[cfg(unix)]
#[tokio::test]
async fn gateway_runs_a_program_below_a_path() {
    let gateway = env!("CARGO_BIN_EXE_axum-gateway");
    let program = Program::start_by(gateway, &["127.0.0.1:0"]).await;
    let shown = program.send("POST", "/old/a%20b?c=d", "body\n").await;
    assert_eq!(shown.status(), StatusCode::OK);
    assert_eq!(text(&shown), "POST /old /a b c=d from 127.0.0.1\nbody\n");
    assert_eq!(text(&program.get("/new").await), "new\n");
    let other = Program::start_by(gateway, &["127.0.0.1:0", "/nowhere/x"]).await;
    assert_eq!(other.get("/old").await.status(), StatusCode::BAD_GATEWAY);
}

#[cfg(unix)]
#[tokio::test]
async fn process_runs_while_the_example_runs() {
    let (example, old) = (
        env!("CARGO_BIN_EXE_axum-process"),
        env!("CARGO_BIN_EXE_axum-serve"),
    );
    let file = std::env::temp_dir().join(format!("axum-process-{}", std::process::id()));
    // Another example in place of Python, which says where it listens.
    let script = r#"echo "$1" > "$2"; exec "$0" "unix:$1""#;
    let command = format!("sh -c '{script}' '{old}' {{socket}} '{}'", file.display());
    let mut program = Program::start_by(example, &["127.0.0.1:0", &command]).await;
    let shown = program.get("/slow").await;
    assert_eq!(shown.status(), StatusCode::OK);
    assert_eq!(text(&shown), "done\n");
    assert_eq!(text(&program.get("/new").await), "new\n");
    let socket = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let listens = || std::os::unix::net::UnixStream::connect(socket.trim()).is_ok();
    assert!(listens(), "{socket}");
    program.child.kill().await.unwrap();
    // The watchdog ends it.
    for _ in 0..200 {
        if !listens() {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("{socket} still accepts connections");
}
