//! Processes that behave and misbehave.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod commands;
mod contract;
mod ends;
mod output;
mod program;
mod requests;
mod starts;
mod watchdog;

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use tokio::time::sleep;
use tower::{Layer, ServiceExt};
use tower_lint::{LintBody, LintLayer};
use tower_process::{Process, ResponseBody, Running, WithProcess};
use tower_upstream::Upstream;

type Python = WithProcess<Upstream>;

/// The time after which a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Starts a process, and returns it with a service that speaks HTTP to it.
fn started(process: Process) -> (Running, Python) {
    let running = process.start().unwrap();
    let upstream = Upstream::new(running.address()).unwrap();
    let service = running.service(upstream);
    (running, service)
}

/// Calls a service, watched by tower-lint: a response or a body that breaks a rule is a panic.
async fn ask(
    service: &Python,
    path: &str,
) -> Response<LintBody<ResponseBody<tower_upstream::ResponseBody>>> {
    let request = Request::get(path).body(Empty::<Bytes>::new()).unwrap();
    let watched = LintLayer::new().layer(service.clone());
    let response: Result<_, Infallible> = watched.oneshot(request).await;
    let Ok(response) = response;
    response
}

/// Returns the status and the body.
async fn text(service: &Python, path: &str) -> (u16, String) {
    let response = ask(service, path).await;
    let status = response.status().as_u16();
    match response.into_body().collect().await {
        Ok(body) => (status, String::from_utf8_lossy(&body.to_bytes()).into()),
        Err(error) => (status, format!("error: {error}")),
    }
}

/// Returns the id of the process that responds.
async fn id(service: &Python) -> i32 {
    let (status, id) = text(service, "/id").await;
    assert_eq!(status, 200, "{id}");
    id.parse().unwrap()
}

/// Waits until something is so.
async fn until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it does not come");
        sleep(ms(10)).await;
    }
}

/// Returns whether a process of this group is there, as a zombie too.
fn has_group(id: i32) -> bool {
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::test_kill_process_group(id).is_ok()
}

/// Waits until no process of this group is there. Those whose parent has ended are reaped by the
/// first process of the system, which may take a second.
async fn ended(id: i32) {
    until(|| !has_group(id)).await;
}

/// Kills a process, and waits until the system has reported that.
async fn kill(id: i32) {
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    sleep(ms(100)).await;
}
