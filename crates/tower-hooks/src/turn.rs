//! One hook's part in one request.

use std::{
    future::Future,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_kit::guard::{self, Payload};

use crate::{Hook, Outcome, OutcomeKind};

/// One hook's part in one request, whatever the hook's type.
///
/// All that the hook needs for the request is behind this pointer: its state, and its future that
/// is polled. So is the turn of the hook before it. For `ratios` hooks/one-hook this is the only
/// allocation.
pub(crate) type Turn = Pin<Box<dyn Steps>>;

/// The result of a `before`: the request's head, and the hook's response. It is rare, and boxed
/// because the result is moved several times.
pub(crate) type Before = (request::Parts, Option<Box<Response<Full<Bytes>>>>);

/// The result of an `after`: the response's head, and the payload of a panic.
pub(crate) type After = (response::Parts, Option<Payload>);

/// What happens to a [`Turn`], in this order. If it is dropped before `finish`, the hook's `finish`
/// is called if its `before` was.
pub(crate) trait Steps: Send {
    /// Polls the hook's `before`.
    fn poll_before(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Before>;

    /// Calls the hook's `after`, and polls it for the first time.
    fn start_after(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        head: response::Parts,
        panicked: bool,
    ) -> Poll<After>;

    /// Polls the hook's `after`.
    fn poll_after(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<After>;

    /// Calls the hook's `finish`, and returns the turn of the hook before it.
    fn finish(self: Pin<Box<Self>>, outcome: Outcome) -> Option<Turn>;

    /// Returns the turn of the hook before it.
    fn outer(self: Pin<&mut Self>) -> &mut Option<Turn>;
}

/// Begins a hook's turn. The hook is called when it is polled.
#[inline]
pub(crate) fn begin<H: Hook>(hook: Arc<H>, head: request::Parts, outer: Option<Turn>) -> Turn {
    // The room is allocated first, so that the turn, which is large, is made there.
    let room = Box::new_uninit();
    let turn = Box::write(
        room,
        HookTurn {
            phase: Phase::Before {
                future: before(hook, head),
            },
            entry: None,
            make_after: after::<H>,
            outer,
        },
    );
    Box::into_pin(turn)
}

pin_project! {
    struct HookTurn<H: Hook, B, M, A> {
        #[pin]
        phase: Phase<B, A>,
        // `None` while a future has it.
        entry: Option<Entry<H>>,
        make_after: M,
        outer: Option<Turn>,
    }
}

pin_project! {
    #[project = PhaseProj]
    enum Phase<B, A> {
        Before { #[pin] future: B },
        After { #[pin] future: A },
    }
}

/// The entry is put back only where there is none, which is always so: as nothing has to be dropped
/// first, which may panic, the head in a result is copied once less. For `ratios` hooks/one-hook.
impl<H, B, M, A> Steps for HookTurn<H, B, M, A>
where
    H: Hook,
    B: Future<Output = (Entry<H>, Before)> + Send,
    M: Fn(Entry<H>, response::Parts) -> A + Send,
    A: Future<Output = (Entry<H>, After)> + Send,
{
    fn poll_before(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Before> {
        let this = self.project();
        let PhaseProj::Before { future } = this.phase.project() else {
            return Poll::Pending;
        };
        let (entry, before) = ready!(future.poll(cx));
        if this.entry.is_none() {
            *this.entry = Some(entry);
        }
        Poll::Ready(before)
    }

    fn start_after(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        head: response::Parts,
        panicked: bool,
    ) -> Poll<After> {
        let mut this = self.as_mut().project();
        let Some(mut entry) = this.entry.take() else {
            return Poll::Ready((head, None));
        };
        if panicked {
            entry.outcome = Some(Outcome::new(OutcomeKind::Panicked, None));
        }
        let future = (this.make_after)(entry, head);
        this.phase.set(Phase::After { future });
        self.poll_after(cx)
    }

    fn poll_after(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<After> {
        let this = self.project();
        let PhaseProj::After { future } = this.phase.project() else {
            return Poll::Pending;
        };
        let (entry, after) = ready!(future.poll(cx));
        if this.entry.is_none() {
            *this.entry = Some(entry);
        }
        Poll::Ready(after)
    }

    fn finish(mut self: Pin<Box<Self>>, outcome: Outcome) -> Option<Turn> {
        let this = self.as_mut().project();
        if let Some(entry) = this.entry {
            entry.outcome = Some(outcome);
        }
        this.outer.take()
    }

    fn outer(self: Pin<&mut Self>) -> &mut Option<Turn> {
        self.project().outer
    }
}

/// A hook that a request was given to, with the request's state. When it is dropped, the hook's
/// `finish` is called.
struct Entry<H: Hook> {
    /// `None` after `finish`.
    hook: Option<(Arc<H>, H::State)>,
    /// How the request has ended. `None` if it is dropped before that is known.
    outcome: Option<Outcome>,
}

impl<H: Hook> Entry<H> {
    fn new(hook: Arc<H>) -> Self {
        Self {
            hook: Some((hook, H::State::default())),
            outcome: None,
        }
    }
}

impl<H: Hook> Drop for Entry<H> {
    fn drop(&mut self) {
        let Some((hook, state)) = self.hook.take() else {
            return;
        };
        let outcome = self.outcome.unwrap_or_else(|| {
            let kind = match thread::panicking() {
                true => OutcomeKind::Panicked,
                false => OutcomeKind::Cancelled,
            };
            Outcome::new(kind, None)
        });
        drop(guard::catch(|| hook.finish(state, outcome)));
        // A hook is user code, and may panic when it is dropped.
        if let Some(hook) = Arc::into_inner(hook) {
            guard::discard(hook);
        }
    }
}

/// Returns the future of a hook's `before`.
#[allow(
    clippy::manual_async_fn,
    reason = "the future of an `async fn` has its arguments twice"
)]
fn before<H: Hook>(
    hook: Arc<H>,
    mut head: request::Parts,
) -> impl Future<Output = (Entry<H>, Before)> + Send {
    async move {
        let mut entry = Entry::new(hook);
        let mut response = None;
        if let Some((hook, state)) = &mut entry.hook
            && let ControlFlow::Break(own) = hook.before(state, &mut head).await
        {
            response = Some(Box::new(own));
        }
        (entry, (head, response))
    }
}

/// Returns the future of a hook's `after`.
#[allow(
    clippy::manual_async_fn,
    reason = "the future of an `async fn` has its arguments twice"
)]
fn after<H: Hook>(
    mut entry: Entry<H>,
    mut head: response::Parts,
) -> impl Future<Output = (Entry<H>, After)> + Send {
    async move {
        let caught = guard::catch_future(async {
            if let Some((hook, state)) = &mut entry.hook {
                hook.after(state, &mut head).await;
            }
        });
        let panic = caught.await.err();
        (entry, (head, panic))
    }
}
