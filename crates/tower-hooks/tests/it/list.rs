//! Lists that change, and no hooks at all.

use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_hooks::{BoxHook, HookList, HooksLayer, Outcome};
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
    assert_eq!(list.len(), 2);
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
