//! What a process is started with.

use std::{env, fs, io::Write, os::unix::fs::PermissionsExt};

use tower_process::{BuildError, BuildErrorKind};

use super::{program::program, *};

fn error(process: Result<Process, BuildError>) -> (BuildErrorKind, String) {
    let error = process.and_then(Process::start).unwrap_err();
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn process_1_a_command_without_words_is_an_error() {
    for command in ["", " ", "''", "'' a"] {
        let (kind, message) = error(Process::new(command));
        assert_eq!(kind, BuildErrorKind::Command, "{command}");
        assert_eq!(message, "the command is empty");
    }
    let (kind, message) = error(Process::new("a 'b {socket}"));
    assert_eq!(kind, BuildErrorKind::Command);
    assert_eq!(message, "a ' has no second one");
}

#[tokio::test]
async fn process_2_a_command_without_a_socket_is_an_error() {
    let (kind, message) = error(Process::new("sleep 1"));
    assert_eq!(kind, BuildErrorKind::Socket);
    assert_eq!(
        message,
        "the command has no `{socket}`, which stands for the path of the socket on which it has to \
         listen"
    );
    assert!(Process::new("sleep {socket}").unwrap().check().is_ok());
    let told = Process::new("sleep 1").unwrap().env("A", "unix:{socket}");
    assert!(told.unwrap().check().is_ok());
}

#[tokio::test]
async fn process_2_the_socket_is_in_a_directory_of_its_own() {
    let process = program().env("WHERE", "at {socket}!").unwrap();
    let (running, service) = started(process);
    let socket = running.socket().to_owned();
    let told = text(&service, "/env-WHERE").await;
    assert_eq!(told, (200, format!("at {}!", socket.display())));
    assert_eq!(running.address(), format!("unix:{}", socket.display()));
    let directory = socket.parent().unwrap();
    let mode = fs::metadata(directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    running.stop().await;
    assert!(!directory.exists());
}

#[tokio::test]
async fn process_3_a_program_that_is_missing_is_an_error() {
    let of = |command: &str| Process::new(command).map(|it| it.directory("/usr"));
    for (process, expected) in [
        (
            Process::new("no-such-program {socket}"),
            "there is no program `no-such-program` in PATH",
        ),
        (
            of("./bin/no-such {socket}"),
            "/usr/./bin/no-such: No such file or directory (os error 2)",
        ),
        (of("./bin {socket}"), "/usr/./bin is not an executable file"),
        (
            of("/etc/passwd {socket}"),
            "/etc/passwd is not an executable file",
        ),
        (
            Process::new("sh {socket}").map(|it| it.directory("/no/where")),
            "/no/where is not a directory",
        ),
        (
            Process::new("sh {socket}").and_then(|it| it.env("PATH", "/etc")),
            "there is no program `sh` in PATH",
        ),
    ] {
        let (kind, message) = error(process);
        assert_eq!(kind, BuildErrorKind::Program, "{message}");
        assert_eq!(message, expected);
    }
    for found in ["sh {socket}", "/bin/sh {socket}"] {
        Process::new(found).unwrap().check().unwrap();
    }
    of("bin/env {socket}").unwrap().check().unwrap();
}

#[test]
fn process_3_a_start_without_a_runtime_is_an_error() {
    let (kind, message) = error(Process::new("sh {socket}"));
    assert_eq!(kind, BuildErrorKind::Start);
    let expected = "a process needs a tokio runtime, and there is none here";
    assert_eq!(message, expected);
}

#[tokio::test]
async fn process_4_it_has_its_own_input_group_and_directory() {
    let process = program().directory("/").env("A", "one two").unwrap();
    let (running, service) = started(process);
    assert_eq!(text(&service, "/env-A").await.1, "one two");
    assert_eq!(
        text(&service, "/env-PATH").await.1,
        env::var("PATH").unwrap()
    );
    assert_eq!(text(&service, "/here").await.1, "/");
    assert_eq!(text(&service, "/read").await.1, "0 bytes");
    let id = id(&service).await;
    assert_eq!(text(&service, "/group").await.1, id.to_string());
    running.stop().await;
}

/// The server's own supervisor has set these for the server, and the input is the server's, too.
#[test]
fn process_4_variables_of_the_servers_supervisor_stay_with_it() {
    let test = "commands::the_server_has_a_supervisor";
    let (input, mut pipe) = std::io::pipe().unwrap();
    pipe.write_all(b"of the server").unwrap();
    drop(pipe);
    let output = std::process::Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .stdin(input)
        .env("LISTEN_FDS", "1")
        .env("NOTIFY_SOCKET", "/run/notify")
        .env("WATCHDOG_PID", "7")
        .env("WATCHDOG_USEC", "1000000")
        .env("OTHER", "passed")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("found: none none none none passed 0 bytes"),
        "{said}"
    );
}

/// Is that server, and does nothing in any other process.
#[tokio::test]
async fn the_server_has_a_supervisor() {
    if env::var("NOTIFY_SOCKET").as_deref() != Ok("/run/notify") {
        return;
    }
    let (running, service) = started(program());
    let mut found = Vec::new();
    let of_it = [
        "LISTEN_FDS",
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
    ];
    for name in of_it.into_iter().chain(["OTHER"]) {
        found.push(text(&service, &format!("/env-{name}")).await.1);
    }
    found.push(text(&service, "/read").await.1);
    println!("\nfound: {}", found.join(" "));
    running.stop().await;
}

#[test]
fn process_4_a_variable_is_checked() {
    for (name, value) in [("", "a"), ("a=b", "c"), ("a\0", "b"), ("a", "b\0")] {
        let error = Process::new("a").unwrap().env(name, value).unwrap_err();
        assert_eq!(error.kind(), BuildErrorKind::Variable);
    }
    let error = Process::new("a").unwrap().env("a=b", "").unwrap_err();
    assert_eq!(error.to_string(), "`a=b` is not a variable");
}
