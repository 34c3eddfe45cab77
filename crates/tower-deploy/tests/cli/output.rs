//! Arguments, exit statuses and outputs of all commands.

use std::{fs, process::Command};

use crate::{Folder, run, run_unheard};

const TEXT: &str = "[app:main]\nuse = egg:tower#text\ntext = x\n";

#[test]
fn deploy_54_invalid_arguments_are_2_and_help_is_0() {
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
fn deploy_59_the_outputs_need_no_reader() {
    let folder = Folder::new("listen", "x.ini", "");
    assert_eq!(run_unheard(&folder, &["explain", "x.ini"]), Some(1));
}

#[test]
fn deploy_57_rust_log_sets_the_levels() {
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
fn deploy_59_a_full_output_is_an_error() {
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
        // The exit code is the same if the error cannot be written either.
        command.stdout(full()).stderr(full());
        assert_eq!(command.status().unwrap().code(), Some(1), "{args:?}");
    }
}

#[test]
fn deploy_59_a_reader_of_a_plan_may_leave() {
    let apps = (0..2_000).map(|number| format!("/{number} = a\n"));
    let apps: String = apps.collect();
    let text = format!(
        "[composite:main]\nuse = egg:tower#urlmap\n{apps}[app:a]\nuse = egg:tower#text\ntext = x\n"
    );
    let folder = Folder::new("plan", "x.ini", &text);
    assert_eq!(run_unheard(&folder, &["explain", "x.ini"]), Some(0));
}

/// One secret is in each place that an output shows: settings, globals, the target, headers and
/// values.
#[test]
fn deploy_15_a_secret_is_in_no_output() {
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
    // The path is always shown.
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
