//! Reports that panic, and the reports of this crate.

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
async fn exception_7_a_report_that_panics_changes_nothing() {
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

/// Runs the test of this name in a process of its own, and returns its standard error.
fn stderr_of(test: &str) -> String {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    String::from_utf8(child.stderr).unwrap()
}

#[test]
fn exception_7_a_failed_report_goes_to_standard_error() {
    let stderr = stderr_of("report::exception_7_a_report_that_panics_changes_nothing");
    let found = |line: &str| {
        line.starts_with("incident ")
            && line.ends_with(": GET / HTTP/1.1: error from the future: broken at the first poll")
    };
    assert_eq!(
        stderr.lines().filter(|line| found(line)).count(),
        1,
        "{stderr}"
    );
}

#[test]
fn exception_7_an_error_without_text_is_reported_by_its_id() {
    let stderr = stderr_of("report::exception_7_an_error_without_text_is_still_a_500");
    let found =
        |line: &str| line.starts_with("incident ") && line.ends_with(": reporting it panicked");
    assert_eq!(
        stderr.lines().filter(|line| found(line)).count(),
        1,
        "{stderr}"
    );
}

/// An error that panics in `Debug` and `Display`.
struct WithoutText;

impl fmt::Debug for WithoutText {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("do not debug me")
    }
}

impl fmt::Display for WithoutText {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("do not display me")
    }
}

impl Error for WithoutText {}

#[tokio::test]
async fn exception_7_an_error_without_text_is_still_a_500() {
    let app = ExceptionLayer::production(to_stderr).layer(service_fn(async |_: Request<()>| {
        Err::<Response<Empty<bytes::Bytes>>, _>(WithoutText)
    }));
    let response = app.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

/// Reports the incident of an error with this status.
async fn reports_a(status: u16, report: fn(&tower_exception::Incident)) {
    let status = http::StatusCode::from_u16(status).unwrap();
    let layer = ExceptionLayer::production(report).status_of(move |_| Some(status));
    let app = layer.layer(service_fn(async |_: Request<()>| {
        Err::<Response<Empty<bytes::Bytes>>, _>(std::io::Error::other("the disk is gone"))
    }));
    let response = app.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), status);
}

#[tokio::test]
async fn exception_13_errors_of_several_statuses() {
    for status in [400, 499, 500, 503] {
        reports_a(status, to_stderr).await;
    }
}

#[test]
fn exception_13_standard_error_has_a_line_per_server_fault() {
    let stderr = stderr_of("report::exception_13_errors_of_several_statuses");
    let lines: Vec<&str> = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("incident ")?.split_once(": "))
        .map(|(_, line)| line)
        .collect();
    let expected = [
        "GET / HTTP/1.1: error from the future: the disk is gone",
        "GET / HTTP/1.1: error from the future (503): the disk is gone",
    ];
    assert_eq!(lines, expected);
}

#[cfg(feature = "tracing")]
mod to_tracing {
    use std::sync::{Arc, Mutex};

    use tower_exception::to_tracing;
    use tracing::{
        Event, Level, Metadata, Subscriber,
        field::{Field, Visit},
        span,
    };

    use super::{fmt, reports_a};

    /// Keeps the level of each event, and its fields.
    #[derive(Clone, Default)]
    struct Keeps(Arc<Mutex<Vec<(Level, String)>>>);

    impl Subscriber for Keeps {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut fields = Fields(String::new());
            event.record(&mut fields);
            let level = *event.metadata().level();
            self.0.lock().unwrap().push((level, fields.0));
        }

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    struct Fields(String);

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if field.name() != "incident" {
                self.0 += &format!("{field}={value:?} ");
            }
        }
    }

    #[tokio::test]
    async fn exception_13_the_level_depends_on_the_status() {
        let keeps = Keeps::default();
        let _guard = tracing::subscriber::set_default(keeps.clone());
        for (status, level) in [
            (400, Level::DEBUG),
            (413, Level::DEBUG),
            (500, Level::ERROR),
            (503, Level::WARN),
        ] {
            reports_a(status, to_tracing).await;
            let (found, fields) = keeps.0.lock().unwrap().pop().unwrap();
            assert_eq!(found, level, "{status}");
            let expected = format!(
                "message=a request failed status={status} phase=the future method=GET path=\"/\" error=\"the disk is gone\" "
            );
            assert_eq!(fields, expected);
        }
        assert!(keeps.0.lock().unwrap().is_empty());
    }
}
