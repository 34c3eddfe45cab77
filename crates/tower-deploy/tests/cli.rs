//! The command, as a person calls it.

#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, file: &str, text: &str) -> Self {
        let name = format!("tower-deploy-cli-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), text).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(folder: &Folder, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tower-deploy"));
    let output = command.args(args).current_dir(&folder.0).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// With pipes that nobody reads from.
fn run_unheard(folder: &Folder, args: &[&str]) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tower-deploy"));
    let mut child = command
        .args(args)
        .current_dir(&folder.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    child.wait().unwrap().code()
}

#[test]
fn what_is_wrong_is_shown_where_it_is() {
    let folder = Folder::new("wrong", "a%20#b.ini", "[app:main]\nuse = egg:mine\n");
    let (code, out, err) = run(&folder, &["check", "a%20#b.ini#main"]);
    assert_eq!((code, &*out), (Some(1), ""));
    let here = folder.0.display();
    assert_eq!(
        err,
        format!(
            "\
error: [app:main] use: nothing is registered under egg:mine
 --> {here}/a%20#b.ini:2:7
  |
2 | use = egg:mine
  |       ^^^^^^^^
  |
  = help: there is paste, pastedeploy, tower
"
        )
    );
}

#[test]
fn arguments_that_make_no_sense_are_2_and_help_is_0() {
    let folder = Folder::new("args", "x.ini", "");
    for args in [
        &["check"][..],
        &["chekc", "x.ini"],
        &["explain", "x.ini", "--format", "xml"],
        &[],
    ] {
        let (code, out, err) = run(&folder, args);
        assert_eq!((code, &*out), (Some(2), ""), "{args:?}");
        assert!(err.contains("--help") || err.contains("Usage:"), "{err}");
    }
    let (code, out, _) = run(&folder, &["--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("check") && out.contains("explain"), "{out}");
    let (code, out, _) = run(&folder, &["--version"]);
    assert_eq!(
        (code, &*out),
        (
            Some(0),
            concat!("tower-deploy ", env!("CARGO_PKG_VERSION"), "\n")
        )
    );
}

#[test]
fn nobody_has_to_listen() {
    let folder = Folder::new("listen", "x.ini", "");
    assert_eq!(run_unheard(&folder, &["explain", "x.ini"]), Some(1));
}

#[test]
fn one_request_shows_its_answer_and_what_each_part_did() {
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

#[test]
fn a_request_may_have_headers_and_a_body_and_shows_no_secrets() {
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
fn a_request_that_has_no_answer_is_traced_and_is_an_error() {
    let file = "[app:main]\nuse = egg:tower#panic\n";
    let folder = Folder::new("panics", "x.ini", file);
    let (code, out, err) = run(
        &folder,
        &["request", "x.ini", "GET", "/?token=abc", "--trace"],
    );
    assert_eq!(code, Some(1));
    assert!(
        out.ends_with("GET /?token=[redacted]\n× no answer\n"),
        "{out}"
    );
    assert!(err.contains("error: there is no whole answer: "), "{err}");
}

#[test]
fn a_body_has_its_length() {
    let file = "[app:main]\nuse = egg:tower#text\ntext = x\nfilter-with = limit\n[filter:limit]\nuse = egg:tower#body-limit\nlimit = 3 B\n";
    let folder = Folder::new("repeat", "x.ini", file);
    let (_, out, _) = run(
        &folder,
        &["request", "x.ini", "PUT", "/", "--data", "abcdef"],
    );
    assert!(out.starts_with("HTTP/1.1 413"), "{out}");
}

#[test]
fn nobody_has_to_listen_to_an_answer() {
    let folder = Folder::new(
        "long",
        "x.ini",
        &format!(
            "[app:main]\nuse = egg:tower#text\ntext = {}\n",
            "x".repeat(500_000)
        ),
    );
    let args = ["request", "x.ini", "GET", "/"];
    assert_eq!(run_unheard(&folder, &args), Some(1));
}

#[test]
fn check_looks_at_the_server_too() {
    let app = "[app:main]\nuse = egg:tower#panic\n";
    for (server, error) in [
        (
            "use = egg:tower#http\nprot = 1",
            "[server:main] prot: the key is not known",
        ),
        (
            "use = egg:tower#http\nheader_timeout = 0",
            "`header_timeout` has to be longer than nothing",
        ),
        (
            "use = egg:tower#http\nport = 1\nbind = unix:/x",
            "it says where to listen twice",
        ),
        ("use = egg:tower#htpt", "there is no server egg:tower#htpt"),
        ("use = other", "there is no server `other`"),
    ] {
        let folder = Folder::new(
            "server",
            "x.ini",
            &format!("{app}[server: main]\n{server}\n"),
        );
        let (code, _, err) = run(&folder, &["check", "x.ini"]);
        assert_eq!(code, Some(1));
        assert!(
            err.contains(&error.replace("[server:main]", "[server: main]")),
            "{err}"
        );
    }
}
