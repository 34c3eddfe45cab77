//! When a process is ready, and what happens if it is not.

use tower_process::ProcessError;

use super::{
    program::{delayed, program},
    *,
};

#[tokio::test]
async fn process_5_it_is_ready_when_it_accepts_connections() {
    let start = Instant::now();
    let (running, service) = started(delayed(300));
    running.ready().await.unwrap();
    assert!(start.elapsed() >= ms(300));
    assert_eq!(text(&service, "/id").await.0, 200);
    running.stop().await;
    assert_eq!(running.ready().await, Err(ProcessError::Stopped));
}

#[tokio::test]
async fn process_5_one_that_does_not_listen_is_killed_and_started_again() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("starts");
    // It ignores SIGTERM.
    let script = format!("trap '' TERM; echo $$ >> {}; sleep 1000", list.display());
    let process = Process::new("sh -c").unwrap().arg(script);
    let process = process.env("SOCKET", "{socket}").unwrap();
    let limited = process.start_timeout(ms(300)).stop_timeout(ms(100));
    let running = limited.start().unwrap();
    assert_eq!(running.ready().await, Err(ProcessError::NotReady));
    let ids = || -> Vec<i32> {
        let list = std::fs::read_to_string(&list).unwrap_or_default();
        list.lines().map(|id| id.parse().unwrap()).collect()
    };
    until(|| ids().len() > 1).await;
    let first = ids()[0];
    ended(first).await;
    running.stop().await;
    let last = *ids().last().unwrap();
    ended(last).await;
}

#[tokio::test]
async fn process_5_the_socket_of_the_last_start_is_removed() {
    // Killed by the signal, it leaves its file.
    let (running, service) = started(program());
    let first = id(&service).await;
    kill(first).await;
    let second = id(&service).await;
    assert_ne!(first, second);
    running.stop().await;
}

#[tokio::test]
async fn process_7_one_that_ends_at_once_is_no_busy_loop() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("starts");
    let script = format!("echo >> {}", list.display());
    let process = Process::new("sh -c").unwrap().arg(script).arg("{socket}");
    let running = process.start().unwrap();
    sleep(ms(1_000)).await;
    // At 0, 0.1, 0.3 and 0.7 seconds.
    let starts = std::fs::read(&list).unwrap().len();
    assert!((3..=4).contains(&starts), "{starts}");
    running.stop().await;
}
