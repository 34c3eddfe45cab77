//! A report that breaks itself.

use std::{
    error::Error,
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{ExceptionLayer, to_stderr};

use crate::probe::{At, Breaks, How};

#[tokio::test]
async fn a_report_that_panics_changes_nothing() {
    static REPORTS: AtomicUsize = AtomicUsize::new(0);
    let layer = ExceptionLayer::production(|_| {
        REPORTS.fetch_add(1, Ordering::Relaxed);
        panic!("the log is full")
    });
    let app = layer.layer(Breaks::new(At::FirstPoll, How::Error));
    let response = app.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(REPORTS.load(Ordering::Relaxed), 1);
}

/// Runs the test of this name in a process of its own, and gives what that wrote to standard error.
fn stderr_of(test: &str) -> String {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    String::from_utf8(child.stderr).unwrap()
}

#[test]
fn what_a_report_that_panics_did_not_tell_goes_to_standard_error() {
    let stderr = stderr_of("report::a_report_that_panics_changes_nothing");
    let told = |line: &str| {
        line.starts_with("incident ")
            && line.ends_with(": GET / HTTP/1.1: error from the future: broken at the first poll")
    };
    assert_eq!(
        stderr.lines().filter(|line| told(line)).count(),
        1,
        "{stderr}"
    );
}

#[test]
fn an_error_that_cannot_be_shown_is_told_of_by_its_id() {
    let stderr = stderr_of("report::an_error_that_cannot_be_shown_is_still_a_500");
    let told =
        |line: &str| line.starts_with("incident ") && line.ends_with(": reporting it panicked");
    assert_eq!(
        stderr.lines().filter(|line| told(line)).count(),
        1,
        "{stderr}"
    );
}

/// Panics whenever somebody wants to know what it is.
struct Unspeakable;

impl fmt::Debug for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("do not debug me")
    }
}

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("do not display me")
    }
}

impl Error for Unspeakable {}

#[tokio::test]
async fn an_error_that_cannot_be_shown_is_still_a_500() {
    let app = ExceptionLayer::production(to_stderr).layer(service_fn(async |_: Request<()>| {
        Err::<Response<Empty<bytes::Bytes>>, _>(Unspeakable)
    }));
    let response = app.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
