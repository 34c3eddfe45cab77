use std::{fmt, sync::Arc};

use http::request;

use crate::{
    Hook,
    turn::{self, Turn},
};

/// A hook of any type. Its clones are the same hook.
///
/// It is for hooks that are chosen while the program runs, and for a [`HookList`](crate::HookList).
#[derive(Clone)]
pub struct BoxHook(Arc<dyn Erased>);

impl BoxHook {
    /// Returns the hook as one of any type.
    pub fn new(hook: impl Hook) -> Self {
        Self(Arc::new(hook))
    }

    /// Begins the hook's turn in a request.
    #[inline]
    pub(crate) fn begin(self, head: request::Parts) -> Turn {
        self.0.begin(head)
    }
}

impl<H: Hook> From<H> for BoxHook {
    fn from(hook: H) -> Self {
        Self::new(hook)
    }
}

/// A hook behind a pointer.
trait Erased: Send + Sync {
    fn begin(self: Arc<Self>, head: request::Parts) -> Turn;
}

impl<H: Hook> Erased for H {
    fn begin(self: Arc<Self>, head: request::Parts) -> Turn {
        turn::begin(self, head)
    }
}

impl fmt::Debug for BoxHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxHook").finish_non_exhaustive()
    }
}
