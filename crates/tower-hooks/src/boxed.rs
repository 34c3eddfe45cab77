use std::{fmt, ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;
use tower_kit::guard;

use crate::{
    Hook,
    turn::{self, Turn},
};

/// A hook of any type. Its clones are the same hook.
///
/// It is for hooks that are chosen while the program runs, and for a [`HookList`](crate::HookList).
#[derive(Clone)]
pub struct BoxHook(Option<Kind>);

#[derive(Clone)]
pub(crate) enum Kind {
    Hook(Arc<dyn Begin>),
    /// A function that does not wait, and so needs no future.
    Before(Arc<BeforeFn>),
    After(Arc<AfterFn>),
}

pub(crate) type BeforeFn =
    dyn Fn(&mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> + Send + Sync;

pub(crate) type AfterFn = dyn Fn(&mut response::Parts) + Send + Sync;

impl BoxHook {
    /// Returns the hook as one of any type.
    pub fn new(hook: impl Hook) -> Self {
        Self::of(Kind::Hook(Arc::new(hook)))
    }

    pub(crate) fn of(kind: Kind) -> Self {
        Self(Some(kind))
    }

    #[inline]
    pub(crate) fn kind(&self) -> &Kind {
        self.0
            .as_ref()
            .expect("it has its hook until it is dropped")
    }
}

/// A hook is user code, and may panic when it is dropped. Each hook of a list is guarded by itself,
/// because a second panic in the drop of one list aborts the process.
impl Drop for BoxHook {
    fn drop(&mut self) {
        guard::discard(self.0.take());
    }
}

impl<H: Hook> From<H> for BoxHook {
    fn from(hook: H) -> Self {
        Self::new(hook)
    }
}

/// A hook behind a pointer.
pub(crate) trait Begin: Send + Sync {
    /// Begins the hook's turn in a request.
    fn begin(self: Arc<Self>, head: request::Parts, outer: Option<Turn>) -> Turn;
}

impl<H: Hook> Begin for H {
    fn begin(self: Arc<Self>, head: request::Parts, outer: Option<Turn>) -> Turn {
        turn::begin(self, head, outer)
    }
}

impl fmt::Debug for BoxHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxHook").finish_non_exhaustive()
    }
}
