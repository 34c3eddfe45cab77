//! `request`: one request without a socket.

use crate::{Folder, run, run_unheard};

#[test]
fn deploy_62_a_trace_shows_the_changes_of_each_part() {
    let folder = Folder::new(
        "request",
        "x.ini",
        "\
[pipeline:main]
pipeline = timing names tries
[filter:timing]
use = egg:tower#hooks
hooks = egg:tower#server-timing
[filter:names]
use = egg:tower#environ
site.title = Tea
[composite:tries]
use = egg:tower#cascade
app1 = nothing
app2 = urls
[app:nothing]
use = egg:tower#text
text = no
status = 404
[composite:urls]
use = egg:tower#router
urlpatterns =
  GET /hello/{name} hello
[app:hello]
use = egg:tower#text
text = Hello {name} of {site.title}
",
    );
    let (code, out, err) = run(&folder, &["request", "x.ini", "GET", "/hello/John"]);
    assert_eq!((code, &*err), (Some(0), ""));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "HTTP/1.1 200 OK");
    assert!(
        lines.contains(&"content-type: text/plain; charset=utf-8"),
        "{out}"
    );
    assert_eq!(lines[lines.len() - 2..], ["", "Hello John of Tea"]);

    let (_, traced, _) = run(
        &folder,
        &["request", "x.ini", "GET", "/hello/John", "--trace"],
    );
    let (_, trace) = traced.split_once("Hello John of Tea\n\n").unwrap();
    let trace: Vec<String> = trace
        .lines()
        .map(|line| match line.split_once("dur=") {
            Some((before, _)) => format!("{before}dur=…"),
            None => line.to_owned(),
        })
        .collect();
    assert_eq!(
        trace,
        [
            "→ filter egg:tower#hooks  [filter:timing] x.ini:3: GET /hello/John",
            "    hook egg:tower#server-timing: before",
            "  → filter egg:tower#environ  [filter:names] x.ini:6: GET /hello/John",
            "      environ site.title = \"Tea\"",
            "    → composite egg:tower#cascade  [composite:tries] x.ini:9: GET /hello/John",
            "      → app egg:tower#text  [app:nothing] x.ini:13: GET /hello/John",
            "      ← 404 Not Found",
            "        content-type: text/plain; charset=utf-8",
            "        content-length: 2",
            "      → composite egg:tower#router  [composite:urls] x.ini:17: GET /hello/John",
            "          route /hello/{name} matched: name = \"John\"",
            "        → app egg:tower#text  [app:hello] x.ini:21: GET /hello/John",
            "        ← 200 OK",
            "          content-type: text/plain; charset=utf-8",
            "          content-length: 17",
            "      ← 200 OK",
            "    ← 200 OK",
            "  ← 200 OK",
            "    hook egg:tower#server-timing: after",
            "      server-timing: app;dur=…",
            "← 200 OK",
            "  hook egg:tower#server-timing: finish, Completed",
        ]
    );
}

/// The status on the wire is 200.
#[test]
fn deploy_20_the_trace_has_the_status_of_a_rejection() {
    let file = "\
[composite:main]
use = egg:tower#urlmap
/a = a
[app:a]
use = egg:tower#text
text = a
";
    let folder = Folder::new("rejected", "x.ini", file);
    let grpc = "Content-Type: application/grpc";
    let args = ["request", "x.ini", "POST", "/b", "-H", grpc, "--trace"];
    let (code, out, err) = run(&folder, &args);
    assert_eq!((code, &*err), (Some(0), ""));
    assert!(
        out.starts_with("HTTP/1.1 200 OK\ngrpc-status: 12\n"),
        "{out}"
    );
    assert!(out.contains("\n← 404 Not Found\n"), "{out}");
}

#[test]
fn deploy_62_a_request_may_have_headers_and_a_body() {
    let file = "\
[app:main]
use = egg:tower#checksum
filter-with = origin
[filter:origin]
use = egg:tower#origin
hosts = example.org
";
    let folder = Folder::new("send", "x.ini", file);
    let args = [
        "request",
        "x.ini",
        "PUT",
        "http://example.org/a?b",
        "-H",
        "X-Forwarded-For: 192.0.2.1",
        "--data",
        "abc",
        "--trace",
    ];
    let (code, out, _) = run(&folder, &args);
    assert_eq!(code, Some(0));
    assert!(out.contains("\"length\":3"), "{out}");
    assert!(
        out.contains("origin http://example.org for 127.0.0.1"),
        "{out}"
    );
    let (code, out, _) = run(&folder, &["request", "x.ini", "HEAD", "/"]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("HTTP/1.1 400 Bad Request\n"), "{out}");
    let wrong = |path: &str| run(&folder, &["request", "x.ini", "GET", path]);
    let (code, _, err) = wrong("/J\u{f6}rg");
    assert_eq!(code, Some(2));
    assert!(
        err.contains("write it as it stands in a request: /J%C3%B6rg"),
        "{err}"
    );
    let (code, _, err) = wrong("hello");
    assert_eq!(code, Some(2));
    assert!(err.contains("it begins with a slash"), "{err}");
}

#[test]
fn deploy_62_a_request_without_a_response_is_an_error() {
    let file = "[app:main]\nuse = egg:tower#panic\n";
    let folder = Folder::new("panics", "x.ini", file);
    let (code, out, err) = run(
        &folder,
        &["request", "x.ini", "GET", "/?token=abc", "--trace"],
    );
    assert_eq!(code, Some(1));
    assert!(
        out.ends_with("GET /?token=redacted\n× no response\n"),
        "{out}"
    );
    assert!(err.contains("error: the response is incomplete: "), "{err}");
}

#[test]
fn deploy_62_a_body_has_its_length() {
    let file = "[app:main]\nuse = egg:tower#text\ntext = x\nfilter-with = limit\n[filter:limit]\nuse = egg:tower#body-limit\nlimit = 3 B\n";
    let folder = Folder::new("repeat", "x.ini", file);
    let (_, out, _) = run(
        &folder,
        &["request", "x.ini", "PUT", "/", "--data", "abcdef"],
    );
    assert!(out.starts_with("HTTP/1.1 413"), "{out}");
}

#[test]
fn deploy_59_a_reader_of_a_response_may_leave() {
    let folder = Folder::new(
        "long",
        "x.ini",
        &format!(
            "[app:main]\nuse = egg:tower#text\ntext = {}\n",
            "x".repeat(500_000)
        ),
    );
    let args = ["request", "x.ini", "GET", "/"];
    assert_eq!(run_unheard(&folder, &args), Some(0));
}
