use std::sync::Arc;

use crate::{
    BoxHook,
    boxed::{AfterFn, Kind},
};

/// The hooks that a request keeps to its end.
pub(crate) enum Held {
    None,
    /// One `Hook`, which its turn has. Most requests have one, and this is a reference count less
    /// than a list: for `ratios` hooks/one-hook.
    One,
    List(Arc<[BoxHook]>),
}

/// The part of a hook in the way of a response.
pub(crate) enum Step<'a> {
    Nothing,
    Function(&'a AfterFn),
    Turn,
}

impl Held {
    #[inline]
    pub(crate) fn list(&self) -> &[BoxHook] {
        match self {
            Self::None | Self::One => &[],
            Self::List(hooks) => hooks,
        }
    }

    /// Returns the number of hooks.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One => 1,
            Self::List(hooks) => hooks.len(),
        }
    }

    #[inline]
    pub(crate) fn step(&self, index: usize) -> Step<'_> {
        match self.list().get(index).map(BoxHook::kind) {
            Some(Kind::Before(_)) => Step::Nothing,
            Some(Kind::After(after)) => Step::Function(after.as_ref()),
            Some(Kind::Hook(_)) | None => Step::Turn,
        }
    }
}
