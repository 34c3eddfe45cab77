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

/// Returns a process with a watchdog, which is this binary in a shell.
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
    assert_eq!(code, std::process::ExitCode::SUCCESS);
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

/// Returns the watchdogs of a process: their arguments have its socket.
fn watchdogs(running: &Running) -> Vec<i32> {
    let socket = running.socket().to_str().unwrap();
    let all = fs::read_dir("/proc").unwrap();
    let ids = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let is_watchdog = |id: &i32| {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment);
        environment.contains(ARGUMENTS) && environment.contains(socket)
    };
    ids.filter(is_watchdog).collect()
}

#[tokio::test]
async fn process_11_one_watchdog_is_there_as_long_as_the_process() {
    let (running, service) = started(watched(program()));
    let first = id(&service).await;
    assert_eq!(text(&service, "/group").await.1, first.to_string());
    let watchdog = watchdogs(&running);
    assert_eq!(watchdog.len(), 1);
    kill(first).await;
    let second = id(&service).await;
    assert_eq!(watchdogs(&running), watchdog);
    // One that is killed is started again with the process.
    kill(watchdog[0]).await;
    kill(second).await;
    let third = id(&service).await;
    let another = watchdogs(&running);
    assert!(another.len() == 1 && another != watchdog);
    running.stop().await;
    assert_eq!(watchdogs(&running), Vec::<i32>::new());
    ended(third).await;
}

#[tokio::test]
async fn process_11_the_longest_stop_timeout_has_a_watchdog() {
    let (running, service) = started(watched(program()).stop_timeout(Duration::MAX));
    let id = id(&service).await;
    sleep(ms(200)).await;
    assert_eq!(watchdogs(&running).len(), 1);
    running.stop().await;
    ended(id).await;
}
