use std::task::{Context, Poll, ready};

use http::response;
use sync_wrapper::SyncWrapper;
use tower_kit::guard::{self, Payload};

use crate::{
    BoxHook, Outcome, OutcomeKind,
    turn::{Before, Turn},
};

/// The hooks that a request was given to. Their `finish` is called once, however the request ends.
pub(crate) struct Entered {
    /// `None` after `finish`.
    last: Option<SyncWrapper<Turn>>,
    /// Those before the last one, in order. Of one hook it has none, and no allocation.
    earlier: Vec<SyncWrapper<Turn>>,
    /// Whether an `after` has panicked.
    panicked: bool,
}

impl Entered {
    #[inline]
    pub(crate) fn new(first: Turn) -> Self {
        Self {
            last: Some(SyncWrapper::new(first)),
            earlier: Vec::new(),
            panicked: false,
        }
    }

    /// Adds a hook, whose turn it is.
    fn push(&mut self, turn: Turn) {
        if let Some(last) = self.last.replace(SyncWrapper::new(turn)) {
            self.earlier.push(last);
        }
    }

    /// Returns the number of hooks.
    pub(crate) fn len(&self) -> usize {
        self.earlier.len() + usize::from(self.last.is_some())
    }

    #[inline]
    fn get(&mut self, index: usize) -> Option<&mut Turn> {
        let turn = match index == self.earlier.len() {
            true => self.last.as_mut(),
            false => self.earlier.get_mut(index),
        };
        turn.map(SyncWrapper::get_mut)
    }

    #[inline]
    fn pop(&mut self) -> Option<Turn> {
        let last = self.last.take()?;
        self.last = self.earlier.pop();
        Some(last.into_inner())
    }

    #[inline]
    pub(crate) fn is_finished(&self) -> bool {
        self.last.is_none()
    }

    /// Calls each `finish` in reverse order.
    #[inline]
    pub(crate) fn finish(&mut self, outcome: Outcome) {
        while let Some(turn) = self.pop() {
            turn.finish(outcome);
        }
    }

    /// Polls the `before` of each hook in order, up to one that responds. The hooks after the first
    /// one begin here.
    #[inline]
    pub(crate) fn poll_before(
        &mut self,
        cx: &mut Context<'_>,
        hooks: Option<&[BoxHook]>,
    ) -> Poll<Before> {
        loop {
            let last = self
                .last
                .as_mut()
                .expect("a request has a hook until it ends");
            let (head, response) = ready!(last.get_mut().as_mut().poll_before(cx));
            match hooks.and_then(|hooks| hooks.get(self.len())) {
                Some(next) if response.is_none() => self.push(next.clone().begin(head)),
                _ => return Poll::Ready((head, response)),
            }
        }
    }

    /// Polls each `after` in reverse order. If one panics, the others are called, and then the panic
    /// continues.
    #[inline]
    pub(crate) fn poll_after(
        &mut self,
        cx: &mut Context<'_>,
        afters: &mut Afters,
    ) -> Poll<response::Parts> {
        while let Some(index) = afters.left.checked_sub(1) {
            let panicked = self.panicked;
            if let Some(turn) = self.get(index) {
                let turn = turn.as_mut();
                if let Some(panic) = ready!(turn.poll_after(cx, &mut afters.head, panicked)) {
                    self.panicked = true;
                    afters.panic.get_or_insert(panic);
                }
            }
            afters.left = index;
        }
        if let Some(panic) = afters.panic.take() {
            panic.resume();
        }
        let head = afters.head.take();
        Poll::Ready(head.expect("each hook puts the head back"))
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        if self.panicked {
            self.finish(Outcome::new(OutcomeKind::Panicked, None));
        }
        while let Some(turn) = self.pop() {
            // Its future is user code.
            guard::discard(turn);
        }
    }
}

/// The way of a response along the hooks.
pub(crate) struct Afters {
    /// `None` while a hook has it.
    head: Option<response::Parts>,
    /// The number of hooks whose `after` is not done.
    left: usize,
    /// The first panic, while the others run.
    panic: Option<Payload>,
}

impl Afters {
    /// Returns the way of this head along the first hooks, in reverse order.
    #[inline]
    pub(crate) fn new(head: response::Parts, hooks: usize) -> Self {
        Self {
            head: Some(head),
            left: hooks,
            panic: None,
        }
    }
}
