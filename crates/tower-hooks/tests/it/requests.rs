//! Many requests at once, and what becomes of their bodies.

use std::{
    collections::HashSet,
    ops::ControlFlow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, request, response};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_hooks::{BoxHook, Hook, HookList, HooksLayer, Outcome, OutcomeKind};
use tower_lint::probe::{self, DropLog, Step, Tracked, block_on};

/// Keeps each request's number from its head to its end.
#[derive(Clone, Default)]
struct Numbers(Arc<Mutex<HashSet<usize>>>);

impl Hook for Numbers {
    type State = Option<usize>;

    async fn before(
        &self,
        state: &mut Option<usize>,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        *state = request.extensions.get().copied();
        tokio::task::yield_now().await;
        ControlFlow::Continue(())
    }

    async fn after(&self, state: &mut Option<usize>, response: &mut response::Parts) {
        tokio::task::yield_now().await;
        assert_eq!(response.extensions.get(), state.as_ref(), "its own");
    }

    fn finish(&self, state: Option<usize>, outcome: Outcome) {
        assert_eq!(outcome.kind(), OutcomeKind::Completed);
        assert!(self.0.lock().unwrap().insert(state.unwrap()), "once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_5_ten_thousand_requests_have_their_own_state() {
    let (chained, listed) = (Numbers::default(), Numbers::default());
    let app = service_fn(async |request: Request<probe::Body>| {
        tokio::task::yield_now().await;
        let mut response = Response::new(probe::Body::default());
        *response.extensions_mut() = request.into_parts().0.extensions;
        Ok::<_, probe::Error>(response)
    });
    let list = HookList::from_iter([BoxHook::new(listed.clone())]);
    let service = HooksLayer::new().hook(chained.clone()).layer(app);
    let service = HooksLayer::list(list).layer(service);
    let tasks: Vec<_> = (0..10_000_usize)
        .map(|number| {
            let mut request = Request::<probe::Body>::default();
            request.extensions_mut().insert(number);
            tokio::spawn(service.clone().oneshot(request))
        })
        .collect();
    for task in tasks {
        drop(task.await.unwrap().unwrap());
    }
    assert_eq!(chained.0.lock().unwrap().len(), 10_000);
    assert_eq!(listed.0.lock().unwrap().len(), 10_000);
}

/// Answers, and looks in `after` and `finish` of a hook before it at what is still there.
struct Denies;

impl Hook for Denies {
    type State = ();

    async fn before(
        &self,
        (): &mut (),
        _: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        ControlFlow::Break(Response::new(Full::from("no")))
    }
}

struct Looks(DropLog);

impl Hook for Looks {
    type State = ();

    async fn after(&self, (): &mut (), _: &mut response::Parts) {
        assert_eq!(self.0.alive(), [""; 0], "gone before the response");
    }
}

#[test]
fn hooks_2_a_denied_request_is_dropped_unread() {
    let log = DropLog::default();
    let body = probe::Body::new([Step::from("data")]).holding(log.track("request body"));
    let polls = body.polls();
    let app = probe::App::new(|_| unreachable!("it was denied"));
    let service = HooksLayer::new()
        .hook(Looks(log.clone()))
        .hook(Denies)
        .layer(app);
    block_on(service.oneshot(Request::new(body)))
        .unwrap()
        .unwrap();
    assert_eq!(log.dropped(), ["request body"]);
    assert_eq!(polls.load(Ordering::Relaxed), 0);
}

/// Holds a permit from readiness to its call, as a limit of concurrency does.
struct Limited(DropLog, Option<Tracked>);

impl Clone for Limited {
    fn clone(&self) -> Self {
        Self(self.0.clone(), None)
    }
}

impl Service<Request<probe::Body>> for Limited {
    type Response = Response<probe::Body>;
    type Error = probe::Error;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.1 = Some(self.0.track("permit"));
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<probe::Body>) -> Self::Future {
        unreachable!("it was denied")
    }
}

#[test]
fn hooks_12_a_denied_request_drops_its_permit_first() {
    let log = DropLog::default();
    let service = HooksLayer::new()
        .hook(Looks(log.clone()))
        .hook(Denies)
        .layer(Limited(log.clone(), None));
    block_on(service.oneshot(Request::default()))
        .unwrap()
        .unwrap();
    assert_eq!(log.dropped(), ["permit"]);
}

#[test]
fn hooks_12_the_instance_that_was_ready_is_called() {
    // The app panics if it is called without being ready; a clone starts as one that is not.
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let app = probe::App::new(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Response::default()
    });
    let service = HooksLayer::new()
        .hook(Looks(DropLog::default()))
        .layer(app.not_ready(2).yields(1));
    for _ in 0..3 {
        block_on(service.clone().oneshot(Request::<probe::Body>::default()))
            .unwrap()
            .unwrap();
    }
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}
