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
