//! A server that is killed.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use super::{
    program::{program, shell},
    *,
};

/// The variable that makes this binary a server.
const ROLE: &str = "TOWER_PROCESS_TEST_ROLE";

/// The variable with the arguments of the watchdog, one in each line. As arguments of this binary,
/// the test harness would take them for names of tests.
const ARGUMENTS: &str = "TOWER_PROCESS_TEST_ARGUMENTS";

/// Returns a process with a watchdog, which is this binary.
fn watched(process: Process) -> Process {
    let script = format!(
        "IFS='\n'; {ARGUMENTS}=\"$*\" exec \"$0\" --exact watchdog::the_watchdog --nocapture"
    );
    let exe = env::current_exe().unwrap();
    let arguments = ["-c".into(), script.into(), exe.into_os_string()];
    process.watchdog("/bin/sh", arguments)
}

/// Is the watchdog, and does nothing in any other process.
#[test]
fn the_watchdog() {
    let Ok(arguments) = env::var(ARGUMENTS) else {
        return;
    };
    let code = tower_process::watchdog(arguments.lines().map(Into::into));
    // `ExitCode` is for `main`. Its `Debug` has the number.
    let code = format!("{code:?}");
    let code: String = code.chars().filter(char::is_ascii_digit).collect();
    std::process::exit(code.parse().unwrap());
}

/// Is the server that is killed, and does nothing in any other process.
#[tokio::test]
async fn the_server() {
    if env::var(ROLE).is_err() {
        return;
    }
    let process = watched(shell("sleep 1000 &")).stop_timeout(ms(500));
    let (running, service) = started(process);
    println!(
        "\nserves {} {}",
        text(&service, "/group").await.1,
        running.socket().display()
    );
    sleep(PATIENCE).await;
}

#[tokio::test]
async fn process_11_a_watchdog_ends_the_process_of_a_killed_server() {
    let mut server = Command::new(env::current_exe().unwrap())
        .args(["--exact", "watchdog::the_server", "--nocapture"])
        .env(ROLE, "server")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    let serves = lines.find_map(|line| Some(line.strip_prefix("serves ")?.to_owned()));
    let serves = serves.unwrap();
    let (group, socket) = serves.split_once(' ').unwrap();
    let group = group.parse().unwrap();
    assert!(has_group(group) && fs::exists(socket).unwrap());
    server.kill().unwrap();
    server.wait().unwrap();
    until(|| !has_group(group)).await;
    let directory = std::path::Path::new(socket).parent().unwrap();
    assert!(!directory.exists());
}

#[tokio::test]
async fn process_11_with_a_watchdog_everything_else_is_the_same() {
    let (running, service) = started(watched(program()));
    let first = id(&service).await;
    // The watchdog is the leader.
    let (_, group) = text(&service, "/group").await;
    assert_ne!(group, first.to_string());
    assert_eq!(text(&service, "/read").await.1, "0 bytes");
    kill(first).await;
    let second = id(&service).await;
    assert_ne!(first, second);
    let (_, second_group) = text(&service, "/group").await;
    // So does the end of the watchdog.
    kill(second_group.parse().unwrap()).await;
    let third = id(&service).await;
    assert_ne!(second, third);
    let (_, third_group) = text(&service, "/group").await;
    running.stop().await;
    for group in [group, second_group, third_group] {
        ended(group.parse().unwrap()).await;
    }
}

#[test]
fn process_11_the_watchdog_does_not_end_the_group_of_a_shell() {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "watchdog::the_watchdog", "--nocapture"])
        .env(ARGUMENTS, "1000\n/tmp/none/socket\nsleep\n1000")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(127));
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = "the watchdog is run by the server, with a time, a socket and a command\n";
    assert!(said.contains(expected), "{said}");
}
