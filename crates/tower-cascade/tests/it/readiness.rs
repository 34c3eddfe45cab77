//! Each service is called only when it is ready and its turn has come.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, StatusCode};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimitLayer, service_fn};
use tower_cascade::{Cascade, CascadeLayer, Lookup, ReplayBody};
use tower_lint::probe::Body;

use crate::probe::{Replayed, reads_then_responds, with_status};

/// Panics unless this instance was made ready. A clone of it is not ready.
struct Strict {
    asked: bool,
    ready: bool,
    status: StatusCode,
}

impl Strict {
    fn new(status: StatusCode) -> Self {
        Self {
            asked: false,
            ready: false,
            status,
        }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::new(self.status)
    }
}

impl Service<Request<Replayed>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Ready the second time, so that a caller that takes Pending for readiness is found.
        if std::mem::replace(&mut self.asked, true) {
            self.ready = true;
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, _: Request<Replayed>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without being ready"
        );
        ready(Ok(with_status(self.status)))
    }
}

#[tokio::test]
async fn cascade_17_each_service_is_ready_before_it_is_called() {
    for (first, last) in [(200, 200), (404, 200), (404, 404)] {
        let status = |code| StatusCode::from_u16(code).unwrap();
        let mut app =
            CascadeLayer::new(Strict::new(status(first))).layer(Strict::new(status(last)));
        for _ in 0..2 {
            let request = Request::new(Body::default());
            let response = app.ready().await.unwrap().call(request).await.unwrap();
            assert_eq!(
                response.status(),
                status(if first == 404 { last } else { first })
            );
        }
    }
}

#[tokio::test]
async fn cascade_17_services_of_stacks_and_lists_are_made_ready() {
    let status = |code| StatusCode::from_u16(code).unwrap();
    let strict = |code| Strict::new(status(code));
    for (codes, expected) in [
        ([404, 404, 404], 404),
        ([404, 404, 200], 200),
        ([404, 202, 200], 202),
        ([201, 202, 200], 201),
    ] {
        let [first, second, third] = codes.map(strict);
        // The request of the inner ones is that of the outer cascade.
        let within = |app: Strict| {
            app.map_request(|_: Request<ReplayBody<Replayed>>| Request::new(Replayed::default()))
        };
        let inner = CascadeLayer::new(within(second))
            .only(|head| head.method != http::Method::PUT)
            .layer(within(third));
        let mut chain = CascadeLayer::new(first).layer(inner);
        let mut list = Cascade::new(codes.map(strict));
        let inner = [strict(codes[1]), strict(codes[2])].map(within);
        let inner = Lookup::new(|_| None).layer(Cascade::new(inner));
        let mut looked =
            Lookup::new(|_| None).layer(CascadeLayer::new(strict(codes[0])).layer(inner));
        for _ in 0..2 {
            let request = || Request::new(Body::default());
            let got = chain.ready().await.unwrap().call(request()).await.unwrap();
            assert_eq!(got.status(), expected, "{codes:?}");
            let got = list.ready().await.unwrap().call(request()).await.unwrap();
            assert_eq!(got.status(), expected, "{codes:?}");
            let got = looked.ready().await.unwrap().call(request()).await.unwrap();
            assert_eq!(got.status(), expected, "{codes:?}");
            // The second one is skipped.
            let put = Request::put("/").body(Body::default()).unwrap();
            let got = chain.ready().await.unwrap().call(put).await.unwrap();
            let skipped = if codes[0] == 404 { codes[2] } else { codes[0] };
            assert_eq!(got.status(), skipped, "{codes:?}");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn cascade_17_a_cascade_waits_for_a_busy_service() {
    let release = Arc::new(Notify::new());
    let waits = release.clone();
    let limited = ConcurrencyLimitLayer::new(1).layer(service_fn(move |_: Request<Replayed>| {
        let waits = waits.clone();
        async move {
            waits.notified().await;
            Ok::<_, Infallible>(with_status(StatusCode::ACCEPTED))
        }
    }));
    let app = CascadeLayer::new(limited).layer(service_fn(|request| {
        reads_then_responds(0, StatusCode::OK, request)
    }));
    let send = || tokio::spawn(app.clone().oneshot(Request::new(Body::default())));

    let (one, two, three) = (send(), send(), send());
    tokio::task::yield_now().await;
    assert!(!one.is_finished() && !two.is_finished());
    // The one that holds the permit is aborted. The next gets the permit, and so on.
    one.abort();
    for waiting in [two, three] {
        release.notify_one();
        assert_eq!(
            waiting.await.unwrap().unwrap().status(),
            StatusCode::ACCEPTED
        );
    }
}

/// Responds with 404 at once, and holds a permit for as long as its future lives.
#[derive(Clone)]
struct Holds {
    permits: Arc<Semaphore>,
    status: StatusCode,
}

struct Held {
    _permit: Option<OwnedSemaphorePermit>,
    status: StatusCode,
}

impl Service<Request<Replayed>> for Holds {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Held;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// Responds with 503 if the permit was not returned.
    fn call(&mut self, _: Request<Replayed>) -> Held {
        let permit = self.permits.clone().try_acquire_owned().ok();
        let is_free = permit.is_some();
        Held {
            _permit: permit,
            status: match is_free {
                true => self.status,
                false => StatusCode::SERVICE_UNAVAILABLE,
            },
        }
    }
}

impl Future for Held {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(with_status(self.status)))
    }
}

#[tokio::test]
async fn cascade_17_a_future_is_dropped_before_the_next_call() {
    let permits = Arc::new(Semaphore::new(1));
    let holds = |status| Holds {
        permits: permits.clone(),
        status,
    };
    let request = || Request::new(Body::default());
    let (none, last) = (holds(StatusCode::NOT_FOUND), holds(StatusCode::OK));
    let chain = CascadeLayer::list([none.clone(), none.clone()]).layer(last.clone());
    let response = chain.oneshot(request()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let list = Cascade::new([none.clone(), none, last]);
    let response = list.oneshot(request()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn cascade_4_a_body_that_is_not_taken_is_dropped() {
    for steps in [vec![], vec!["ab".into()]] {
        let body = Body::new(steps);
        let alive = body.polls();
        let app = CascadeLayer::new(Strict::new(StatusCode::NOT_FOUND))
            .layer(Strict::new(StatusCode::OK));
        app.oneshot(Request::new(body)).await.unwrap();
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
