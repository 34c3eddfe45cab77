//! The test doubles follow their scripts.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};
use tower_lint::probe::{
    App, Body, Bomb, DropLog, Error, Gate, Stalled, Step, block_on, cancel_everywhere,
};

#[test]
fn lint_4_a_body_follows_its_script_and_its_hints_are_true() {
    let body = Body::new(["ab".into(), Step::Yield, Step::Data(Bytes::from("c"))]);
    assert_eq!(body.size_hint().exact(), Some(3));
    let polls = body.polls();
    assert_eq!(block_on(body.collect()).unwrap().unwrap().to_bytes(), "abc");
    assert_eq!(polls.load(std::sync::atomic::Ordering::Relaxed), 4);

    let fails = Body::new(["ab".into(), Step::Fail(Error("no"))]);
    assert_eq!(
        (fails.size_hint().lower(), fails.size_hint().upper()),
        (2, None)
    );
    let error = block_on(fails.collect()).unwrap().unwrap_err();
    assert_eq!((error, error.to_string()), (Error("no"), "no".to_owned()));

    let mut single = Body::byte_by_byte("abc");
    let first = block_on(single.frame()).unwrap().unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "a");

    let mut endless = Body::new([Step::Endless(Bytes::from("x"))]);
    for _ in 0..100 {
        assert!(block_on(endless.frame()).unwrap().is_some());
    }
    let panics = std::panic::catch_unwind(|| block_on(Body::new([Step::Panic("text")]).collect()));
    assert_eq!(
        panics.unwrap_err().downcast_ref::<String>().unwrap(),
        "text"
    );
}

#[test]
fn lint_4_an_app_panics_if_it_is_called_without_being_ready() {
    let app = App::new(|_| Response::new(Body::default()));
    let mut clone = app.clone();
    let called = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        drop(clone.call(Request::new(Body::default())));
    }));
    assert!(called.is_err());
    let request = Request::new(Body::new(["ab".into(), "cd".into()]));
    block_on(app.clone().reads(1).oneshot(request))
        .unwrap()
        .unwrap();
    assert_eq!((app.calls(), &app.seen()[0].body[..]), (2, &b"ab"[..]));
}

#[test]
fn lint_4_an_app_is_pending_as_often_as_configured() {
    let app = App::new(|_| Response::new(Body::default())).yields(2);
    let make = || app.clone().oneshot(Request::new(Body::default()));
    assert_eq!(cancel_everywhere(make, |_| {}), Ok(3));
}

#[test]
fn lint_4_a_future_is_polled_only_after_it_is_woken() {
    // Another thread wakes it once, later.
    let make = || {
        let woken = Arc::new(AtomicBool::new(false));
        let mut was_polled = false;
        poll_fn(move |cx| {
            if was_polled {
                assert!(woken.load(Ordering::SeqCst), "polled before it was woken");
                return Poll::Ready(());
            }
            was_polled = true;
            let (woken, waker) = (woken.clone(), cx.waker().clone());
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                woken.store(true, Ordering::SeqCst);
                waker.wake();
            });
            Poll::Pending
        })
    };
    assert_eq!(cancel_everywhere(make, |_| {}), Ok(2));
}

#[test]
fn lint_4_a_future_that_is_never_woken_is_dropped() {
    let mut points = Vec::new();
    let stalled = cancel_everywhere(std::future::pending::<()>, |point| points.push(point));
    assert_eq!(stalled, Err(Stalled));
    assert_eq!(points, [0, 1]);
}

#[test]
fn lint_4_block_on_detects_a_missing_wake_up() {
    assert_eq!(
        Stalled.to_string(),
        "it waits, and was not woken within 1s, or it woke only itself, 100000 times"
    );
    let start = std::time::Instant::now();
    assert_eq!(block_on(std::future::pending::<()>()), Err(Stalled));
    assert!(start.elapsed() >= std::time::Duration::from_secs(1));
}

#[test]
fn lint_4_block_on_detects_a_task_that_wakes_only_itself() {
    let busy = std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    assert_eq!(block_on(busy), Err(Stalled));
}

#[test]
fn lint_4_a_gate_wakes_the_tasks_that_wait_for_it() {
    let gate = Gate::new();
    let opens = gate.clone();
    let opener = std::thread::spawn(move || opens.open());
    block_on(std::future::poll_fn(|cx| gate.poll(cx))).unwrap();
    opener.join().unwrap();
}

#[test]
fn lint_4_a_future_is_cancelled_at_every_await_point() {
    let log = DropLog::default();
    let mut points = Vec::new();
    let make = || {
        let tracked = log.track("held");
        let mut left = 2;
        async move {
            let _tracked = tracked;
            std::future::poll_fn(|cx| {
                if left == 0 {
                    return Poll::Ready(());
                }
                left -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
    };
    let done = cancel_everywhere(make, |point| {
        assert!(log.alive().is_empty());
        points.push(point);
    });
    assert_eq!((done, points), (Ok(3), vec![0, 1, 2, 3]));
    assert_eq!(log.dropped(), ["held"; 4]);
}

#[test]
fn lint_4_a_bomb_panics_when_it_is_dropped() {
    assert!(std::panic::catch_unwind(|| drop(Bomb("bang"))).is_err());
    // It does not during another panic, which would end the process.
    let panicked = std::panic::catch_unwind(|| {
        let _bomb = Bomb("bang");
        panic!("first")
    });
    assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"first"));
}
