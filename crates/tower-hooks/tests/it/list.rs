//! Lists that change, and no hooks at all.

use std::{
    ops::ControlFlow,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, request, response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_hooks::{BoxHook, Hook, HookList, HooksLayer, Outcome, OutcomeKind};
use tower_lint::probe::{self, DropLog, Gate, Step, block_on};

use crate::scripted::{Deed, Event, Log, Script, Scripted};

fn hook(number: usize, log: &Log) -> BoxHook {
    BoxHook::new(Scripted {
        number,
        ..Scripted::passing(log)
    })
}

#[test]
fn hooks_7_a_request_keeps_the_hooks_that_it_began_with() {
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
            Finish(1, OutcomeKind::Completed),
            Finish(3, OutcomeKind::Completed),
            Finish(2, OutcomeKind::Completed),
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

/// The hooks of the list come first.
#[test]
fn hooks_7_hooks_may_be_added_to_those_of_a_list() {
    let log = Log::default();
    let list = HookList::from_iter([hook(1, &log)]);
    let layer = HooksLayer::list(list.clone())
        .hook(hook(8, &log))
        .hook(hook(9, &log));
    let app = probe::App::new(|_| Response::default());
    let service = layer.layer(app);
    let befores = || {
        let request = Request::<probe::Body>::default();
        block_on(service.clone().oneshot(request)).unwrap().unwrap();
        let events = log.take().into_iter();
        let before = |event| match event {
            Event::Before(number) => Some(number),
            _ => None,
        };
        events.filter_map(before).collect::<Vec<_>>()
    };
    assert_eq!(befores(), [1, 8, 9]);
    list.set([]);
    assert_eq!(befores(), [8, 9]);
    list.set([hook(2, &log), hook(3, &log)]);
    assert_eq!(befores(), [2, 3, 8, 9]);
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
fn hooks_7_a_hook_may_change_the_list_that_it_is_in() {
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

/// Uses the list that it was in, when it is dropped.
struct Leaves(HookList, Log);

impl Hook for Leaves {
    type State = ();
}

impl Drop for Leaves {
    fn drop(&mut self) {
        assert_eq!(self.0.len(), self.0.hooks().len());
        self.0.push(hook(self.0.len(), &self.1));
    }
}

/// Runs on a thread of its own, so that a deadlock is a failure and does not hang the tests.
fn without_deadlock(run: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        run();
        done.send(()).unwrap();
    });
    let waited = is_done.recv_timeout(Duration::from_secs(30));
    assert_ne!(waited, Err(mpsc::RecvTimeoutError::Timeout), "a deadlock");
    thread.join().unwrap();
}

#[test]
fn hooks_7_a_hook_may_change_the_list_when_it_is_dropped() {
    without_deadlock(|| {
        let log = Log::default();
        let list = HookList::new();
        let leaves = || BoxHook::new(Leaves(list.clone(), log.clone()));
        list.set([leaves(), leaves()]);
        list.set([]);
        assert_eq!(list.len(), 2);
        // A list that is changed while its new hooks are made.
        list.set([leaves()]);
        list.set((0..2).map(|_| {
            list.push(hook(0, &log));
            assert_eq!(list.hooks().len(), list.len());
            hook(1, &log)
        }));
        assert_eq!(list.len(), 3);
    });
}

/// The last request that has a hook drops it.
#[test]
fn hooks_7_a_hook_may_change_the_list_after_its_last_request() {
    without_deadlock(|| {
        let log = Log::default();
        let list = HookList::new();
        list.set([BoxHook::new(Leaves(list.clone(), log.clone()))]);
        let app = probe::App::new(|_| Response::default());
        let service = HooksLayer::list(list.clone()).layer(app);
        let request = Request::<probe::Body>::default();
        let response = block_on(service.oneshot(request)).unwrap().unwrap();
        list.set([]);
        assert_eq!(list.len(), 0);
        drop(response);
        assert_eq!(list.len(), 1);
    });
}

/// Checks in its `after` what the inner service still holds.
struct Looks(DropLog);

impl Hook for Looks {
    type State = ();

    async fn after(&self, (): &mut (), _: &mut response::Parts) {
        assert!(!self.0.dropped().is_empty());
        assert_eq!(self.0.alive(), [""; 0], "given back by now");
    }
}

/// A permit, or a connection of a pool.
#[test]
fn hooks_12_the_inner_future_is_dropped_before_any_after() {
    let log = DropLog::default();
    let app = || {
        let log = log.clone();
        tower::service_fn(move |_: Request<probe::Body>| {
            let held = log.track("future");
            async move {
                let _held = held;
                tokio::task::yield_now().await;
                Ok::<_, probe::Error>(Response::new(probe::Body::default()))
            }
        })
    };
    let looks = || Looks(log.clone());
    let chained = HooksLayer::new().hook(looks()).layer(app());
    let list = HookList::from_iter([BoxHook::new(looks())]);
    let listed = HooksLayer::list(list).layer(app());
    let request = Request::default;
    block_on(chained.oneshot(request())).unwrap().unwrap();
    block_on(listed.oneshot(request())).unwrap().unwrap();
}

/// No switch is on, and nothing limits or delays a request.
#[test]
fn hooks_2_the_defaults_are_those_of_the_readme() {
    let aborts = |layer: HooksLayer| {
        let log = Log::default();
        let layer = layer.hook(Scripted::passing(&log)).hook(Scripted {
            number: 1,
            script: Script {
                before: (0, Deed::Answer),
                ..Script::PASSES
            },
            log: log.clone(),
        });
        let app = probe::App::new(|_| unreachable!("a hook has responded"));
        let request = Request::<probe::Body>::default();
        let response = block_on(layer.layer(app).oneshot(request));
        let response = response.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        log.take()
    };
    use Event::{After, Before};
    let by_default = [Before(0), Before(1), After(0)];
    assert_eq!(aborts(HooksLayer::new()), by_default);
    assert_eq!(aborts(HooksLayer::default()), by_default);
    let skipping = HooksLayer::new().skip_after_on_abort();
    assert_eq!(aborts(skipping), [Before(0), Before(1)]);
    assert!(HookList::new().is_empty());
    assert!(HookList::default().is_empty());
}

#[test]
fn hooks_12_a_body_is_sync_if_the_inner_body_is() {
    fn check<B: Sync>(_: &B) {}
    let log = Log::default();
    let list = HookList::from_iter([hook(1, &log)]);
    let app = probe::App::new(|_| Response::default());
    let service = HooksLayer::list(list).layer(app);
    let request = Request::<probe::Body>::default();
    check(block_on(service.oneshot(request)).unwrap().unwrap().body());
}
