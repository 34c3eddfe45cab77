//! The data that only the panic hook has: the location and the calls of a panic.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{Incident, install_panic_hook};

use crate::probe::keeping;

type Reply = Result<Response<Full<bytes::Bytes>>, Infallible>;

async fn incident(breaks: fn()) -> Incident {
    install_panic_hook();
    install_panic_hook();
    let (layer, incidents) = keeping();
    let app = layer.layer(service_fn(move |_: Request<()>| async move {
        breaks();
        Reply::Ok(Response::default())
    }));
    app.oneshot(Request::new(())).await.unwrap();
    let incidents = incidents.lock().unwrap();
    assert_eq!(incidents.len(), 1);
    incidents[0].clone()
}

fn here() -> String {
    file!().replace('\\', "/")
}

#[inline(never)]
fn fails() {
    panic!("on purpose");
}

#[tokio::test]
async fn exception_18_a_panic_has_a_location_a_thread_and_calls() {
    let line = line!() - 5;
    let incident = incident(fails).await;
    let location = incident.location().unwrap();
    assert_eq!(
        (location.file().replace('\\', "/"), location.line()),
        (here(), line)
    );
    assert_eq!(location.column(), 5);
    assert_eq!(incident.thread(), std::thread::current().name());
    assert!(
        incident
            .to_string()
            .contains(&format!("panic in the future at {location}: on purpose"))
    );

    let frames = incident.frames();
    let at = frames
        .iter()
        .position(|frame| frame.function().ends_with("fails"));
    let frame = &frames[at.unwrap_or_else(|| panic!("{frames:#?}"))];
    assert!(frame.is_application());
    assert_eq!(frame.line(), Some(line));
    assert!(frame.file().unwrap().ends_with("tests/it/hook.rs"));
    // Neither the panic's own machinery nor the calls that led to the layer.
    for frame in frames {
        for foreign in [
            "begin_unwind",
            "tower_exception::hook",
            "backtrace::",
            "tokio::runtime",
            "tower_exception::future",
            "tower_kit::guard",
        ] {
            assert!(
                !frame.function().contains(foreign),
                "{} in {frames:#?}",
                frame.function()
            );
        }
    }
}

/// Catches a panic of its own while another one unwinds.
struct Untidy;

impl Drop for Untidy {
    fn drop(&mut self) {
        let caught = catch_unwind(|| panic!("while unwinding"));
        assert!(caught.is_err());
    }
}

#[tokio::test]
async fn exception_18_a_panic_in_unwinding_does_not_hide_the_first() {
    let line = line!() + 3;
    let incident = incident(|| {
        let _untidy = Untidy;
        panic!("first");
    });
    let incident = incident.await;
    assert_eq!(incident.panic_message(), Some("first"));
    assert_eq!(incident.location().unwrap().line(), line);
    assert!(!incident.frames().is_empty());
}

/// An error that panics in `source`, and that catches another panic when it is dropped.
#[derive(Debug)]
struct Broken(#[allow(dead_code, reason = "dropped")] Arc<()>);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        panic!("its source");
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        drop(Untidy);
    }
}

#[tokio::test]
async fn exception_18_an_error_that_panics_has_a_location() {
    install_panic_hook();
    let (layer, incidents) = keeping();
    let app = layer.layer(service_fn(async |_: Request<()>| {
        Err::<Response<Full<bytes::Bytes>>, _>(Broken(Arc::default()))
    }));
    app.oneshot(Request::new(())).await.unwrap();
    let incidents = incidents.lock().unwrap();
    assert_eq!(incidents[0].panic_message(), Some("its source"));
    assert!(incidents[0].location().is_some());
}

#[tokio::test]
async fn exception_18_library_frames_are_distinguished() {
    let incident = incident(|| (0..1).for_each(|_| fails())).await;
    let frames = incident.frames().iter();
    let (ours, theirs): (Vec<_>, Vec<_>) = frames.partition(|frame| frame.is_application());
    assert!(!ours.is_empty());
    assert!(
        theirs
            .iter()
            .any(|frame| frame.function().contains("for_each"))
    );
}

#[tokio::test]
async fn exception_18_a_caught_panic_is_not_taken_for_the_next() {
    let resumed = incident(|| {
        let caught = catch_unwind(|| panic!("caught"));
        assert!(caught.is_err());
        resume_unwind(Box::new("another"));
    });
    let resumed = resumed.await;
    assert_eq!(resumed.panic_message(), Some("another"));
    assert_eq!(resumed.location(), None);
    assert!(resumed.frames().is_empty());
    // A panic that is resumed has the location where it began.
    let again = incident(|| {
        let caught = catch_unwind(fails).unwrap_err();
        resume_unwind(caught);
    });
    let again = again.await;
    assert_eq!(again.panic_message(), Some("on purpose"));
    assert!(again.location().is_some());
    // A panic with the message of one that was caught has its own location.
    let line = line!() + 3;
    let same = incident(|| {
        assert!(catch_unwind(|| panic!("the same")).is_err());
        panic!("the same");
    });
    assert_eq!(same.await.location().unwrap().line(), line);
    // A panic of another thread, after one with its message on this thread.
    assert!(catch_unwind(|| panic!("the same")).is_err());
    let elsewhere = incident(|| {
        let other = std::thread::spawn(|| panic!("the same"));
        resume_unwind(other.join().unwrap_err());
    });
    assert_eq!(elsewhere.await.location(), None);
    let any = incident(|| panic_any(7_u8)).await;
    assert!(any.location().is_some());
}

#[test]
fn exception_18_ten_thousand_requests_keep_their_own_panics() {
    install_panic_hook();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    let (layer, incidents) = keeping();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let app = layer.layer(service_fn(move |request: Request<()>| {
        let counted = counted.clone();
        async move {
            let number: usize = request.uri().path()[1..].parse().unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            // It may continue on another thread.
            for _ in 0..number % 7 {
                tokio::task::yield_now().await;
            }
            if number.is_multiple_of(20) {
                panic!("number {number}");
            } else if number.is_multiple_of(10) {
                let caught = catch_unwind(AssertUnwindSafe(|| panic!("number {number}")));
                resume_unwind(caught.unwrap_err());
            }
            Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::default()))
        }
    }));
    let statuses: Vec<u16> = runtime.block_on(async {
        let tasks: Vec<_> = (0..10_000)
            .map(|number| {
                let request = Request::get(format!("/{number}")).body(()).unwrap();
                tokio::spawn(app.clone().oneshot(request))
            })
            .collect();
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap().unwrap().status().as_u16());
        }
        statuses
    });
    assert_eq!(calls.load(Ordering::SeqCst), 10_000);
    for (number, status) in statuses.iter().enumerate() {
        assert_eq!(*status, if number % 10 == 0 { 500 } else { 200 });
    }
    let incidents = incidents.lock().unwrap();
    assert_eq!(incidents.len(), 1000);
    let mut numbers: Vec<usize> = Vec::new();
    for incident in incidents.iter() {
        let number = incident.uri().path()[1..].parse().unwrap();
        assert_eq!(
            incident.panic_message(),
            Some(format!("number {number}").as_str())
        );
        assert!(incident.location().unwrap().file().ends_with("hook.rs"));
        numbers.push(number);
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 1000);
}
