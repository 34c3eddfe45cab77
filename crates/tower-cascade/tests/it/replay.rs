//! The next service reads a body that another service has had.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::{sync::oneshot, time::timeout};
use tower::{Layer, ServiceExt, service_fn};
use tower_cascade::{CascadeError, CascadeLayer};
use tower_kit::Rejection;
use tower_lint::probe::{Body, Gate, Step, WakeCounter};

use crate::probe::{GONE, Replayed, poll, read, reads_then_responds, trailers, with_status};

type Seen = Result<(bytes::Bytes, bool), String>;

/// Sends a body through a service that reads `frames` frames and responds with 404. Returns what
/// the next service read, or the response if that service was not called.
async fn seen_after(frames: usize, body: Body, limit: usize) -> Result<Seen, Response<()>> {
    let seen: Arc<Mutex<Option<Seen>>> = Arc::default();
    let sees = seen.clone();
    let app = CascadeLayer::new(service_fn(move |request| {
        reads_then_responds(frames, StatusCode::NOT_FOUND, request)
    }))
    .replay_limit(limit)
    .layer(service_fn(move |request: Request<Replayed>| {
        let sees = sees.clone();
        async move {
            let seen = read(request.into_body()).await;
            *sees.lock().unwrap() = Some(seen);
            Ok::<_, Infallible>(with_status(StatusCode::OK))
        }
    }));
    let response = app.oneshot(Request::new(body)).await.unwrap();
    let seen = seen.lock().unwrap().take();
    seen.ok_or(response.map(drop))
}

#[tokio::test]
async fn cascade_2_every_byte_and_the_trailers_are_replayed() {
    for frames in 0..6 {
        let body = Body::new(["ab".into(), "".into(), Step::Yield, "c".into(), trailers()]);
        let seen = seen_after(frames, body, 1024).await.unwrap();
        assert_eq!(seen, Ok(("abc".into(), true)), "after {frames} frames");
    }
}

#[tokio::test]
async fn cascade_2_an_empty_body_stays_empty() {
    for frames in 0..2 {
        let seen = seen_after(frames, Body::default(), 1024).await.unwrap();
        assert_eq!(seen, Ok(("".into(), false)));
    }
}

#[tokio::test]
async fn cascade_4_a_body_that_was_not_read_may_have_any_length() {
    let body = Body::new([Step::Data(vec![b'x'; 1 << 20].into())]);
    let seen = seen_after(0, body, 16).await.unwrap();
    assert_eq!(seen.unwrap().0.len(), 1 << 20);
}

#[tokio::test]
async fn cascade_6_a_recording_ends_at_the_limit_with_413() {
    for (limit, fits) in [(4, true), (3, false), (0, false)] {
        let body = Body::new(["ab".into(), "cd".into(), "e".into()]);
        match seen_after(2, body, limit).await {
            Ok(seen) => assert_eq!((fits, seen), (true, Ok(("abcde".into(), false)))),
            Err(response) => {
                assert!(!fits);
                assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
                let rejection = Rejection::of(&response).unwrap();
                let reason = rejection.reason::<CascadeError>().unwrap();
                assert_eq!(
                    reason.to_string(),
                    format!(
                        "services whose responses fell through had read more than {limit} bytes of the \
                         request's body, and no more is kept for the next service"
                    )
                );
                assert_eq!(*reason, CascadeError::ReplayLimitExceeded { limit });
            }
        }
    }
}

#[tokio::test]
async fn cascade_6_a_service_may_read_more_and_respond() {
    let app = CascadeLayer::new(service_fn(async |request: Request<Replayed>| {
        assert_eq!(read(request.into_body()).await.unwrap().0.len(), 1 << 20);
        Ok::<_, Infallible>(with_status(StatusCode::CREATED))
    }))
    .replay_limit(16)
    .layer(service_fn(|request| {
        reads_then_responds(0, StatusCode::OK, request)
    }));
    let body = Body::new((0..1 << 10).map(|_| Step::Data(vec![b'x'; 1 << 10].into())));
    let response = app.oneshot(Request::new(body)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn cascade_7_a_failed_body_fails_for_the_next_service() {
    let body = || Body::new(["ab".into(), GONE, "never".into()]);
    let original = seen_after(1, body(), 1024).await.unwrap();
    assert_eq!(original, Err("the client is gone".to_owned()));
    let later = seen_after(2, body(), 1024).await.unwrap();
    assert_eq!(later, Err(CascadeError::BodyFailed.to_string()));
}

#[tokio::test]
async fn cascade_7_a_panicked_body_fails_for_the_next_service() {
    let app = CascadeLayer::new(service_fn(async |request: Request<Replayed>| {
        let mut body = request.into_body();
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| poll(&mut body).is_ready()));
        assert!(panicked.is_err());
        // This service has seen no error yet.
        assert!(!body.is_end_stream());
        Ok::<_, Infallible>(with_status(StatusCode::NOT_FOUND))
    }))
    .layer(service_fn(async |request: Request<Replayed>| {
        let seen = read(request.into_body()).await;
        assert_eq!(seen, Err(CascadeError::BodyFailed.to_string()));
        Ok::<_, Infallible>(with_status(StatusCode::OK))
    }));
    let request = Request::new(Body::new([
        Step::Panic("the body is broken"),
        "never".into(),
    ]));
    assert_eq!(app.oneshot(request).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn cascade_8_a_kept_body_is_woken_and_gets_an_error() {
    let (told, tell) = oneshot::channel();
    let told = Arc::new(Mutex::new(Some(told)));
    let tell = Arc::new(Mutex::new(Some(tell)));
    let gate = Gate::new();
    let opens = gate.clone();
    let app = CascadeLayer::new(service_fn(move |request: Request<Replayed>| {
        let told = told.lock().unwrap().take().unwrap();
        async move {
            let mut body = request.into_body();
            assert_eq!(
                body.frame().await.unwrap().unwrap().into_data().unwrap(),
                "ab"
            );
            // It waits for the next frame, which it never gets.
            tokio::spawn(async move {
                let error = body.frame().await.unwrap().unwrap_err();
                assert!(body.frame().await.is_none());
                told.send(error)
            });
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(with_status(StatusCode::NOT_FOUND))
        }
    }))
    .layer(service_fn(move |request: Request<Replayed>| {
        let (tell, opens) = (tell.lock().unwrap().take().unwrap(), opens.clone());
        async move {
            // The cascade wakes it, since the body has nothing to wake it with yet. The clock is
            // paused: if that task is not woken, this ends at once.
            let error = timeout(Duration::from_secs(1), tell)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(error.downcast_ref(), Some(&CascadeError::BodyTaken));
            opens.open();
            let seen = read(request.into_body()).await;
            assert_eq!(seen, Ok(("abcd".into(), false)));
            Ok::<_, Infallible>(with_status(StatusCode::OK))
        }
    }));
    let body = Body::new(["ab".into(), Step::Wait(gate), "cd".into()]);
    let response = app.oneshot(Request::new(body)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn cascade_8_the_last_task_that_polled_is_woken() {
    let kept: Arc<Mutex<Option<Replayed>>> = Arc::default();
    let keeps = kept.clone();
    let [earlier, later] = [WakeCounter::new(), WakeCounter::new()].map(Arc::new);
    let wakers = [earlier.waker(), later.waker(), later.waker()];
    let app = CascadeLayer::new(service_fn(move |request: Request<Replayed>| {
        let mut body = request.into_body();
        for waker in &wakers {
            let mut cx = Context::from_waker(waker);
            assert!(pin!(&mut body).poll_frame(&mut cx).is_pending());
        }
        *keeps.lock().unwrap() = Some(body);
        async { Ok::<_, Infallible>(with_status(StatusCode::NOT_FOUND)) }
    }))
    .layer(service_fn(|request| {
        reads_then_responds(0, StatusCode::OK, request)
    }));
    let body = Body::new([Step::Wait(Gate::new())]);
    app.oneshot(Request::new(body)).await.unwrap();
    assert_eq!((earlier.wakes(), later.wakes()), (0, 1));
    let mut kept = kept.lock().unwrap().take().unwrap();
    let error = kept.frame().await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the service that held the request's body has responded, and the cascade took the body \
         back"
    );
}

#[tokio::test]
async fn cascade_4_short_frames_are_joined_and_long_ones_kept() {
    // Frames of 511 bytes become one; one of 512 is handed on without a copy.
    let short = bytes::Bytes::from(vec![b'x'; 511]);
    let long = bytes::Bytes::from(vec![b'y'; 512]);
    let (start, frames) = (long.as_ptr() as usize, [short.clone(), short, long]);
    let app = CascadeLayer::new(service_fn(|request| {
        reads_then_responds(4, StatusCode::NOT_FOUND, request)
    }))
    .layer(service_fn(move |request: Request<Replayed>| async move {
        let mut body = request.into_body();
        let mut next = async || body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(next().await.len(), 2 * 511);
        let last = next().await;
        assert_eq!((last.len(), last.as_ptr() as usize), (512, start));
        Ok::<_, Infallible>(with_status(StatusCode::OK))
    }));
    let request = Request::new(Body::new(frames.map(Step::Data)));
    app.oneshot(request).await.unwrap();
}

#[tokio::test]
async fn cascade_5_the_body_is_not_polled_before_a_service_does() {
    let body = Body::new(["ab".into()]);
    let polled = body.polls();
    let app = CascadeLayer::new(service_fn(|request| {
        reads_then_responds(0, StatusCode::NOT_FOUND, request)
    }))
    .layer(service_fn(|request| {
        reads_then_responds(0, StatusCode::PAYLOAD_TOO_LARGE, request)
    }));
    app.oneshot(Request::new(body)).await.unwrap();
    assert_eq!(polled.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn cascade_4_the_recording_is_dropped_after_a_response() {
    let frame = bytes::Bytes::from(vec![b'x'; 4096]);
    let body = Body::new([
        Step::Data(frame.clone()),
        Step::Data(frame.clone()),
        "end".into(),
    ]);
    let app = CascadeLayer::new(service_fn(async |request: Request<Replayed>| {
        let mut body = request.into_body();
        body.frame().await.unwrap().unwrap();
        // The rest is read while the response is sent, as an echo does.
        Ok::<_, Infallible>(Response::new(body))
    }))
    .layer(service_fn(|request| {
        reads_then_responds(0, StatusCode::OK, request)
    }));
    let mut body = app.oneshot(Request::new(body)).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    assert!(
        frame.is_unique(),
        "something still holds a frame that was read"
    );
    assert_eq!(read(body).await, Ok(("end".into(), false)));
}

/// Returns the hints of a body: at least, at most, at its end.
fn hints(body: &impl http_body::Body) -> (u64, Option<u64>, bool) {
    let hint = body.size_hint();
    (hint.lower(), hint.upper(), body.is_end_stream())
}

/// Returns the hints of the body that the next service gets, after the first has read n frames.
async fn hints_after(frames: usize, steps: &[Step]) -> (u64, Option<u64>, bool) {
    let seen: Arc<Mutex<Option<_>>> = Arc::default();
    let sees = seen.clone();
    let app = CascadeLayer::new(service_fn(move |request| {
        reads_then_responds(frames, StatusCode::NOT_FOUND, request)
    }))
    .layer(service_fn(move |request: Request<Replayed>| {
        *sees.lock().unwrap() = Some(hints(request.body()));
        async { Ok::<_, Infallible>(with_status(StatusCode::OK)) }
    }));
    app.oneshot(Request::new(Body::new(steps.to_vec())))
        .await
        .unwrap();
    seen.lock().unwrap().take().unwrap()
}

#[tokio::test]
async fn cascade_2_the_size_hint_of_a_replayed_body_is_true() {
    let whole = ["ab".into(), "c".into()];
    let with_trailers = ["ab".into(), "c".into(), trailers()];
    let fails = ["ab".into(), GONE];
    let table: [(usize, &[Step], _, &str); 10] = [
        (0, &whole, (3, Some(3), false), "the original's"),
        (
            1,
            &whole,
            (3, Some(3), false),
            "what was read and what is left",
        ),
        (2, &whole, (3, Some(3), false), "all was read"),
        (3, &whole, (3, Some(3), false), "and its end too"),
        (
            2,
            &with_trailers,
            (3, None, false),
            "trailers are still to come",
        ),
        // A client that gets an exact length would leave them out.
        (3, &with_trailers, (3, None, false), "trailers were read"),
        (1, &fails, (2, None, false), "the error is still to come"),
        // A client that gets an exact length would take this for a whole body.
        (
            2,
            &fails,
            (2, None, false),
            "it has failed for the first service",
        ),
        (1, &[GONE], (0, None, false), "and with nothing before that"),
        (1, &[], (0, Some(0), true), "there is no body"),
    ];
    for (frames, steps, expected, why) in table {
        assert_eq!(
            hints_after(frames, steps).await,
            expected,
            "{why}: {frames} of {steps:?}"
        );
    }
}

#[tokio::test]
async fn cascade_2_the_size_hint_while_recording_is_the_originals() {
    let app = CascadeLayer::new(service_fn(async |request: Request<Replayed>| {
        let mut body = request.into_body();
        assert_eq!(hints(&body), (3, Some(3), false));
        body.frame().await.unwrap().unwrap();
        assert_eq!(hints(&body), (1, Some(1), false));
        body.frame().await.unwrap().unwrap();
        assert_eq!(hints(&body), (0, Some(0), true));
        Ok::<_, Infallible>(Response::new(Body::new(["winner".into()])))
    }))
    .layer(service_fn(|request| {
        reads_then_responds(0, StatusCode::OK, request)
    }));
    let body = Body::new(["ab".into(), "c".into()]);
    let response = app.oneshot(Request::new(body)).await.unwrap();
    assert_eq!(hints(response.body()), (6, Some(6), false));
}

#[tokio::test]
async fn cascade_7_an_error_comes_once() {
    let table = [
        (0, "the client is gone".to_owned()),
        (1, "the client is gone".to_owned()),
        (2, CascadeError::BodyFailed.to_string()),
    ];
    for (frames, expected) in table {
        let app = CascadeLayer::new(service_fn(move |request| {
            reads_then_responds(frames, StatusCode::NOT_FOUND, request)
        }))
        .layer(service_fn(move |request: Request<Replayed>| {
            let expected = expected.clone();
            async move {
                let mut body = request.into_body();
                assert_eq!(
                    body.frame().await.unwrap().unwrap().into_data().unwrap(),
                    "ab"
                );
                let error = body.frame().await.unwrap().unwrap_err();
                assert_eq!(error.to_string(), expected);
                assert!(body.is_end_stream());
                assert!(body.frame().await.is_none());
                Ok::<_, Infallible>(with_status(StatusCode::OK))
            }
        }));
        let request = Request::new(Body::new(["ab".into(), GONE]));
        app.oneshot(request).await.unwrap();
    }
}

#[tokio::test]
async fn cascade_6_beyond_the_limit_nothing_is_kept() {
    let frame = bytes::Bytes::from(vec![b'x'; 4096]);
    let kept = Arc::new(frame.clone());
    let app = CascadeLayer::new(service_fn(move |request: Request<Replayed>| {
        let kept = kept.clone();
        async move {
            let mut body = request.into_body();
            for _ in 0..3 {
                body.frame().await.unwrap().unwrap();
            }
            assert!(
                kept.is_unique(),
                "something still holds a frame that was read"
            );
            Ok::<_, Infallible>(with_status(StatusCode::NOT_FOUND))
        }
    }))
    .replay_limit(2 * 4096)
    .layer(service_fn(|request| {
        reads_then_responds(0, StatusCode::OK, request)
    }));
    let body = Body::new([Step::Data(frame.clone()), Step::Data(frame), "over".into()]);
    let mut request = Request::new(body);
    *request.method_mut() = Method::HEAD;
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // A response to HEAD has no body either.
    assert_eq!(hints(response.body()), (0, Some(0), true));
}

#[tokio::test]
async fn cascade_4_dropping_the_future_drops_the_body() {
    for polls in 0..6 {
        let body = Body::new([
            "ab".into(),
            Step::Yield,
            "c".into(),
            Step::Yield,
            "d".into(),
        ]);
        let alive = body.polls();
        let app = CascadeLayer::new(service_fn(|request| {
            reads_then_responds(2, StatusCode::NOT_FOUND, request)
        }))
        .layer(service_fn(async |request: Request<Replayed>| {
            read(request.into_body()).await.unwrap();
            std::future::pending::<Result<Response<Body>, Infallible>>().await
        }));
        {
            let mut future = pin!(app.oneshot(Request::new(body)));
            for _ in 0..polls {
                let polled = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
                assert!(polled.is_pending());
            }
        }
        assert_eq!(Arc::strong_count(&alive), 1, "after {polls} polls");
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let frame = proptest::collection::vec(any::<u8>(), 0..1500);
    let step = prop_oneof![
        4 => frame.prop_map(|bytes| Step::Data(bytes.into())),
        1 => Just(Step::Yield),
    ];
    (proptest::collection::vec(step, 0..8), any::<bool>()).prop_map(|(mut steps, end)| {
        steps.extend(end.then(trailers));
        steps
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn cascade_2_the_next_service_sees_what_was_sent(steps in steps(), frames in 0..10_usize) {
        let sent: Vec<u8> = steps
            .iter()
            .flat_map(|step| match step {
                Step::Data(data) => data.to_vec(),
                _ => Vec::new(),
            })
            .collect();
        let trailers = matches!(steps.last(), Some(Step::Trailers(_)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let seen = runtime.block_on(seen_after(frames, Body::new(steps), usize::MAX));
        prop_assert_eq!(seen.unwrap(), Ok((sent.into(), trailers)));
    }
}
