//! Lists that change, and no hooks at all.

use std::{ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt};
use tower_hooks::{BoxHook, Hook, HookList, HooksLayer, Outcome};
use tower_lint::probe::{self, Gate, Step, block_on};

use crate::scripted::{Event, Log, Scripted};

fn hook(number: usize, log: &Log) -> BoxHook {
    BoxHook::new(Scripted {
        number,
        ..Scripted::passing(log)
    })
}

#[test]
fn a_request_keeps_the_hooks_that_were_there_when_it_came() {
    let log = Log::default();
    let list = HookList::from_iter([hook(1, &log)]);
    let gate = Gate::new();
    let app = probe::App::new(|_| Response::new(probe::Body::new([Step::from("data")])));
    let service = HooksLayer::list(list.clone()).layer(app.answers_behind(gate.clone()));
    let mut first = Box::pin(service.clone().oneshot(Request::<probe::Body>::default()));
    assert!(
        block_on(async { futures_poll(&mut first).await })
            .unwrap()
            .is_none()
    );

    list.set([hook(2, &log), hook(3, &log)]);
    assert_eq!((list.len(), list.is_empty()), (2, false));
    gate.open();
    let old = block_on(first).unwrap().unwrap();
    let new = block_on(service.clone().oneshot(Request::<probe::Body>::default()))
        .unwrap()
        .unwrap();
    list.set([]);
    assert!(list.is_empty());
    block_on(old.into_body().collect()).unwrap().unwrap();
    block_on(new.into_body().collect()).unwrap().unwrap();
    use Event::{After, Before, Finish};
    assert_eq!(
        log.take(),
        [
            Before(1),
            After(1),
            Before(2),
            Before(3),
            After(3),
            After(2),
            Finish(1, Outcome::Completed),
            Finish(3, Outcome::Completed),
            Finish(2, Outcome::Completed),
        ]
    );

    let bare = block_on(service.oneshot(Request::<probe::Body>::default()))
        .unwrap()
        .unwrap();
    let body = block_on(bare.into_body().collect()).unwrap().unwrap();
    assert_eq!((&*body.to_bytes(), log.take()), (&b"data"[..], vec![]));
}

/// Polls it once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    use std::{pin::Pin, task::Poll};
    std::future::poll_fn(|cx| match Pin::new(&mut *future).poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[test]
fn without_hooks_the_types_are_the_services() {
    fn same<A, B>(_: &A, _: &B)
    where
        A: Service<Request<probe::Body>>,
        B: Service<
                Request<probe::Body>,
                Response = A::Response,
                Error = A::Error,
                Future = A::Future,
            >,
    {
    }
    let app = probe::App::new(|_| Response::default());
    same(&app, &HooksLayer::new().layer(app.clone()));
}

/// Changes the list that it is in.
struct Grows(HookList, Log);

impl Hook for Grows {
    type State = ();

    async fn before(
        &self,
        (): &mut (),
        _: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        self.0.push(hook(7, &self.1));
        ControlFlow::Continue(())
    }

    fn finish(&self, (): (), _: Outcome) {
        self.0.set(self.0.hooks().into_iter().skip(1));
    }
}

#[test]
fn a_hook_may_change_the_list_that_it_is_in() {
    let log = Log::default();
    let list = HookList::new();
    list.push(BoxHook::new(Arc::new(Grows(list.clone(), log.clone()))));
    let app = probe::App::new(|_| Response::default());
    let service = HooksLayer::list(list.clone()).layer(app);
    for events in [0, 3] {
        let request = Request::<probe::Body>::default();
        drop(block_on(service.clone().oneshot(request)).unwrap().unwrap());
        assert_eq!(log.take().len(), events);
        assert_eq!(list.len(), 1);
    }
}

#[test]
fn a_body_is_sync_if_the_apps_is() {
    fn check<B: Sync>(_: &B) {}
    let log = Log::default();
    let list = HookList::from_iter([hook(1, &log)]);
    let app = probe::App::new(|_| Response::default());
    let service = HooksLayer::list(list).layer(app);
    let request = Request::<probe::Body>::default();
    check(block_on(service.oneshot(request)).unwrap().unwrap().body());
}
