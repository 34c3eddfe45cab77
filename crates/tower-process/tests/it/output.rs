//! The log.

use std::{env, io, process::Command};

use super::{
    program::{program, shell},
    *,
};

/// The variable that makes this binary the server. Its log is alone in its process, since `tracing`
/// switches a line off for all threads if one without a log comes to it first.
const SERVER: &str = "TOWER_PROCESS_TEST_LOGS";

/// Is the server, and does nothing in any other process.
#[tokio::test]
async fn the_server_logs() {
    if env::var(SERVER).is_err() {
        return;
    }
    let subscriber = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .without_time()
        .finish();
    let _within = tracing::subscriber::set_default(subscriber);
    let script = "echo one; echo two >&2; printf last; exit 3";
    let process = Process::new("sh -c").unwrap().arg(script).arg("{socket}");
    let running = process.name("wiki").start().unwrap();
    running.ready().await.unwrap_err();
    running.stop().await;
}

#[test]
fn process_9_both_outputs_are_in_the_log_with_the_name() {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "output::the_server_logs", "--nocapture"])
        .env(SERVER, "yes")
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    for line in [
        " INFO tower_process::output: one process=\"wiki\"\n",
        " INFO tower_process::output: two process=\"wiki\"\n",
        " INFO tower_process::output: last process=\"wiki\"\n",
        "ERROR tower_process::supervisor: the process has ended (exit code 3) before it accepted \
         connections process=\"wiki\" id=",
        " INFO tower_process::supervisor: it is started again in 100ms process=\"wiki\"\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[tokio::test]
async fn process_9_a_process_that_writes_without_end_is_not_held_up() {
    let (running, service) = started(shell("yes >&2 &"));
    for _ in 0..3 {
        assert_eq!(text(&service, "/id").await.0, 200);
    }
    running.stop().await;
    let (running, service) = started(program());
    assert_eq!(text(&service, "/id").await.0, 200);
    running.stop().await;
}
