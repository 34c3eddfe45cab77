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

/// The status on the wire is 200.
#[test]
fn the_trace_has_the_status_of_a_rejection() {
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
        out.ends_with("GET /?token=redacted\n× no answer\n"),
        "{out}"
    );
    assert!(err.contains("error: the response is incomplete: "), "{err}");
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
fn a_response_need_not_be_read_to_its_end() {
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
            "the address is set twice",
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

#[test]
fn likely_mistakes_are_warnings_of_check() {
    let folder = Folder::new(
        "warnings",
        "x.ini",
        "\
[composite:main]
use = egg:tower#router
urlpatterns =
  GET /a/{x} a
  GTE /b a
  GET,POST /a/b a
  GET /a/b a
  PROPFIND /c a
[app:a]
use = egg:tower#text
text = a
[app:celery]
use = egg:tower#text
text = b
[filter:lint]
use = egg:tower#lint
[server:main]
use = egg:tower#http
[server:other]
use = egg:tower#http
[filtr:x]
use = egg:tower#lint
[loggers]
keys = root
[formatter_generic]
format = x
[program:x]
command = x
[default]
a = 1
",
    );
    let (code, out, err) = run(&folder, &["check", "x.ini"]);
    assert_eq!(code, Some(0));
    assert_eq!(out, "x.ini: ok, with 8 warnings\n");
    let here = folder.0.display();
    assert_eq!(
        err,
        format!(
            "\
warning: [composite:main] urlpatterns: `GTE` is a method that no client knows
 --> {here}/x.ini:5:3
  |
5 |   GTE /b a
  |   ^^^
  |
  = help: did you mean `GET`?
warning: [composite:main] urlpatterns: no GET request reaches `GET,POST /a/b`
 --> {here}/x.ini:6:12
  |
6 |   GET,POST /a/b a
  |            ^^^^
  |
  = help: `GET /a/{{x}}` (line 4) takes them all before: write this one above it
warning: [composite:main] urlpatterns: no request reaches `GET /a/b`
 --> {here}/x.ini:7:7
  |
7 |   GET /a/b a
  |       ^^^^
  |
  = help: `GET /a/{{x}}` (line 4) takes them all before: write this one above it
warning: [app:celery] nothing names this section
  --> {here}/x.ini:12:2
   |
12 | [app:celery]
   |  ^^^^^^^^^^
   |
   = help: name it, or take it out; it is loaded by itself as FILE#celery
warning: [filter:lint] nothing names this section
  --> {here}/x.ini:15:2
   |
15 | [filter:lint]
   |  ^^^^^^^^^^^
   |
   = help: name it, or take it out
warning: [server:other] nothing names this section
  --> {here}/x.ini:19:2
   |
19 | [server:other]
   |  ^^^^^^^^^^^^
   |
   = help: only [server:main] serves; take it out
warning: [filtr:x] nothing names this section
  --> {here}/x.ini:21:2
   |
21 | [filtr:x]
   |  ^^^^^^^
   |
   = help: did you mean [filter:x]?
warning: [default] nothing names this section
  --> {here}/x.ini:29:2
   |
29 | [default]
   |  ^^^^^^^
   |
   = help: did you mean [DEFAULT]?
"
        )
    );
    // These are no errors, and nothing else reports them.
    let (code, _, err) = run(&folder, &["explain", "x.ini"]);
    assert_eq!((code, &*err), (Some(0), ""));
}

#[test]
fn a_section_that_is_built_twice_is_warned_of_once() {
    let folder = Folder::new(
        "twice",
        "x.ini",
        "\
[composite:main]
use = egg:tower#urlmap
/one = routes
/two = routes
[composite:routes]
use = egg:tower#router
urlpatterns = GTE / a
[app:a]
use = egg:tower#text
text = a
",
    );
    let (code, out, err) = run(&folder, &["check", "x.ini"]);
    assert_eq!(
        (code, &*out),
        (Some(0), "x.ini: ok, with a warning\n"),
        "{err}"
    );
}

#[test]
fn a_section_that_is_named_in_any_way_is_no_warning() {
    let folder = Folder::new(
        "named",
        "x.ini",
        "\
[pipeline:main]
pipeline = f all
filter-with = g
[filter:f]
use = h
[filter:h]
use = egg:tower#lint
[filter:g]
use = egg:tower#hooks
hooks = timing
[hook:timing]
use = egg:tower#server-timing
[composite:all]
use = egg:tower#cascade
app1 = config:other.ini
app2 = config:x.ini#a
[app:a]
use = egg:tower#text
text = a
[filter:main]
use = egg:tower#lint
",
    );
    let other = "[app:main]\nuse = egg:tower#text\ntext = a\n[app:more]\nuse = main\n";
    fs::write(folder.0.join("other.ini"), other).unwrap();
    let (code, out, err) = run(&folder, &["check", "x.ini"]);
    assert_eq!((code, &*out, &*err), (Some(0), "x.ini: ok\n", ""));
}

const TEXT: &str = "[app:main]\nuse = egg:tower#text\ntext = x\n";

#[test]
fn rust_log_sets_the_levels() {
    let text = format!("{TEXT}[server:main]\nuse = egg:Paste#http\ndaemon_threads = yes\n");
    let folder = Folder::new("levels", "x.ini", &text);
    let logged = |levels: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tower-deploy"));
        command.args(["check", "x.ini"]).current_dir(&folder.0);
        match levels {
            Some(levels) => command.env("RUST_LOG", levels),
            None => command.env_remove("RUST_LOG"),
        };
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap()
    };
    let line =
        "WARN tower_deploy::builtin::server: `daemon_threads` of egg:Paste#http says nothing";
    for levels in [None, Some(""), Some("warn"), Some("off,tower_deploy=info")] {
        let log = logged(levels);
        assert!(log.contains(line) && log.lines().count() == 1, "{log}");
    }
    for levels in ["off", "error", "debug,tower_deploy=error"] {
        assert_eq!(logged(Some(levels)), "");
    }
    let log = logged(Some("tower_deploy=loud"));
    assert!(
        log.starts_with("warning: `tower_deploy=loud` in RUST_LOG is invalid: "),
        "{log}"
    );
    assert!(log.contains(line), "{log}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full_is_an_error() {
    let folder = Folder::new("output", "x.ini", TEXT);
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let error = "standard output: No space left on device (os error 28)\n";
    for (args, expected) in [
        (&["check", "x.ini"][..], format!("error: {error}")),
        (&["explain", "x.ini"], format!("error: {error}")),
        (
            &["request", "x.ini", "GET", "/"],
            format!("error: the response is incomplete: {error}"),
        ),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tower-deploy"));
        command.args(args).current_dir(&folder.0).stdout(full());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
        // The same if the error cannot be written, either.
        command.stdout(full()).stderr(full());
        assert_eq!(command.status().unwrap().code(), Some(1), "{args:?}");
    }
}

#[test]
fn a_plan_need_not_be_read_to_its_end() {
    let apps = (0..2_000).map(|number| format!("/{number} = a\n"));
    let apps: String = apps.collect();
    let text = format!(
        "[composite:main]\nuse = egg:tower#urlmap\n{apps}[app:a]\nuse = egg:tower#text\ntext = x\n"
    );
    let folder = Folder::new("plan", "x.ini", &text);
    assert_eq!(run_unheard(&folder, &["explain", "x.ini"]), Some(0));
}

/// One secret in each place that an output shows: settings, globals, the target, headers and values.
#[test]
fn a_secret_is_in_no_output() {
    let file = "\
[DEFAULT]
db_password = hunter2
[pipeline:main]
pipeline = values headers urls
[filter:values]
use = egg:tower#environ
site.dsn = db:%(db_password)s
site.token = hunter2
[filter:headers]
use = egg:tower#set-header
Set-Cookie = id=hunter2
X-Api-Key = hunter2
Link = <http://joe:hunter2@h/>
[composite:urls]
use = egg:tower#router
urlpatterns = GET /{token} hello
[app:hello]
use = egg:tower#text
text = Hello
";
    let folder = Folder::new("secrets", "x.ini", file);
    for format in ["tree", "json", "mermaid"] {
        let args = ["explain", "x.ini", "--format", format, "api_key=hunter2"];
        let (code, out, err) = run(&folder, &args);
        assert_eq!(code, Some(0), "{err}");
        assert!(!out.contains("hunter2"), "{format}: {out}");
    }
    let args = [
        "request",
        "x.ini",
        "GET",
        "/hunter2?access_token=hunter2&b&session=hunter2&to%6ben=hunter2&sig=hunter2",
        "-H",
        "Authorization: hunter2",
        "-H",
        "Cookie: hunter2",
        "-H",
        "Referer: /?sid=hunter2",
        "--trace",
        "session_secret=hunter2",
    ];
    let (code, out, err) = run(&folder, &args);
    assert_eq!(code, Some(0), "{err}");
    let (_, trace) = out.split_once("Hello\n\n").unwrap();
    // The path is shown, whatever is in it.
    let trace = trace.replace("GET /hunter2?", "GET /?");
    assert!(!trace.contains("hunter2"), "{trace}");
    for shown in [
        "environ site.dsn = <secret>",
        "environ site.token = [redacted]",
        "GET /?access_token=redacted&b&session=redacted&to%6ben=redacted&sig=redacted\n",
        "token = [redacted]",
        "set-cookie: [redacted]",
        "x-api-key: [redacted]",
        "link: <http://[redacted]@h/>",
    ] {
        assert!(trace.contains(shown), "{shown}: {trace}");
    }
    let args = ["check", "x.ini", "db_pass=hunter2", "get=hunter2"];
    let (_, out, err) = run(&folder, &args);
    assert!(!format!("{out}{err}").contains("hunter2"), "{out}{err}");
}
