use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{request, response};
use sync_wrapper::SyncWrapper;
use tower_kit::guard::{self, Payload};

use crate::{
    BoxHook, Outcome, OutcomeKind,
    boxed::{Begin, Kind},
    turn::{Before, Turn},
};

/// The hooks that a request was given to. Their `finish` is called once, however the request ends.
///
/// Functions that do not wait are not among them, since they have neither a state nor a `finish`.
pub(crate) struct Entered {
    /// The turn of the last hook, which has those of the others. `None` after `finish`.
    last: SyncWrapper<Option<Turn>>,
    /// Whether an `after` has panicked.
    panicked: bool,
}

impl Entered {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            last: SyncWrapper::new(None),
            panicked: false,
        }
    }

    /// Begins with a hook, after the others.
    #[inline]
    pub(crate) fn push(&mut self, hook: &Arc<dyn Begin>, head: request::Parts) {
        let last = self.last.get_mut();
        *last = Some(hook.clone().begin(head, last.take()));
    }

    #[inline]
    pub(crate) fn is_finished(&mut self) -> bool {
        self.last.get_mut().is_none()
    }

    /// Returns the turn of the last hook.
    #[inline]
    pub(crate) fn last(&mut self) -> Option<&mut Turn> {
        self.last.get_mut().as_mut()
    }

    /// Polls the `before` of the last hook.
    #[inline]
    pub(crate) fn poll_before(&mut self, cx: &mut Context<'_>) -> Poll<Before> {
        match self.last() {
            Some(turn) => turn.as_mut().poll_before(cx),
            None => Poll::Pending,
        }
    }

    /// Calls each `finish` in reverse order.
    #[inline]
    pub(crate) fn finish(&mut self, outcome: Outcome) {
        let last = self.last.get_mut();
        while let Some(turn) = last.take() {
            *last = turn.finish(outcome);
        }
    }

    /// Finishes the hooks of a request that is dropped.
    #[cold]
    fn cancel(&mut self) {
        let outcome = Outcome::new(OutcomeKind::Panicked, None);
        let last = self.last.get_mut();
        while let Some(mut turn) = last.take() {
            *last = turn.as_mut().outer().take();
            // Its future is user code, which may panic when it is dropped.
            drop(guard::catch(|| match self.panicked {
                true => drop(turn.finish(outcome)),
                false => drop(turn),
            }));
        }
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        if !self.is_finished() {
            self.cancel();
        }
    }
}

/// The way of a response along the hooks, in reverse order.
pub(crate) struct Way {
    /// The number of hooks whose `after` is not done.
    left: usize,
    /// The number of turns, from the last one, that are done or skipped.
    turns: usize,
    /// The first panic, while the others run.
    panic: Option<Payload>,
}

impl Way {
    /// Returns the way along the first hooks, in this number.
    #[inline]
    pub(crate) fn new(left: usize) -> Self {
        Self {
            left,
            turns: 0,
            panic: None,
        }
    }

    /// Skips the last turns, in this number.
    pub(crate) fn without(mut self, turns: usize) -> Self {
        self.turns = turns;
        self
    }

    /// Polls each `after`. If one panics, the others are called, and then the panic continues.
    /// `hooks` is empty for a single hook that has its turn.
    ///
    /// There is no head if the last call was pending: a hook has it.
    #[inline]
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        hooks: &[BoxHook],
        entered: &mut Entered,
        mut head: Option<response::Parts>,
    ) -> Poll<response::Parts> {
        let mut turn = entered.last.get_mut().as_mut();
        for _ in 0..self.turns {
            turn = turn.and_then(|turn| turn.as_mut().outer().as_mut());
        }
        while let Some(index) = self.left.checked_sub(1) {
            let mut panic = None;
            match hooks.get(index).map(BoxHook::kind) {
                Some(Kind::Before(_)) => {}
                Some(Kind::After(after)) => {
                    if let Some(head) = &mut head {
                        panic = guard::catch(|| after(head)).err();
                    }
                }
                Some(Kind::Hook(_)) | None => {
                    if let Some(this) = turn {
                        let changed;
                        (changed, panic) = ready!(match head.take() {
                            Some(head) => this.as_mut().start_after(cx, head, entered.panicked),
                            None => this.as_mut().poll_after(cx),
                        });
                        head = Some(changed);
                        self.turns += 1;
                        turn = this.as_mut().outer().as_mut();
                    }
                }
            }
            if let Some(panic) = panic {
                entered.panicked = true;
                self.panic.get_or_insert(panic);
            }
            self.left = index;
        }
        if let Some(panic) = self.panic.take() {
            panic.resume();
        }
        Poll::Ready(head.expect("each hook returns the head"))
    }
}
