use std::{fmt, sync::Arc};

use tower_layer::Layer;

use crate::{After, AfterFn, Before, BeforeFn, Hook, HookList, Hooks, Links};

/// Puts hooks around a service.
#[derive(Clone)]
pub struct HooksLayer<C = ()> {
    chain: C,
    skips_after: bool,
}

impl HooksLayer {
    /// Without hooks it does nothing: the service's future, response and body go through as they are.
    #[must_use]
    pub fn new() -> Self {
        Self {
            chain: (),
            skips_after: false,
        }
    }

    /// With the hooks of a list that may change while the program runs.
    #[must_use]
    pub fn list(hooks: HookList) -> HooksLayer<HookList> {
        HooksLayer {
            chain: hooks,
            skips_after: false,
        }
    }
}

impl Default for HooksLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<L: Links> HooksLayer<L> {
    /// Puts a hook behind those that there are: its `before` is called after theirs, its `after` and `finish` before theirs.
    #[must_use]
    pub fn hook<H: Hook>(self, hook: H) -> HooksLayer<Arc<(L, H)>> {
        HooksLayer {
            chain: Arc::new((self.chain, hook)),
            skips_after: self.skips_after,
        }
    }

    /// A function as [`Hook::before`]: `async |request: &mut request::Parts| …`.
    ///
    /// The type of what it takes has to be written out, and an async closure may use nothing that it captures. What holds something, a pool or a
    /// key, is a [`Hook`].
    #[must_use]
    pub fn before<F>(self, before: F) -> HooksLayer<Arc<(L, Before<F>)>>
    where
        F: for<'a> BeforeFn<'a>,
    {
        self.hook(Before(before))
    }

    /// A function as [`Hook::after`]: `async |response: &mut response::Parts| …`.
    ///
    /// The type of what it takes has to be written out, and an async closure may use nothing that it captures. What holds something, a pool or a
    /// key, is a [`Hook`].
    #[must_use]
    pub fn after<F>(self, after: F) -> HooksLayer<Arc<(L, After<F>)>>
    where
        F: for<'a> AfterFn<'a>,
    {
        self.hook(After(after))
    }
}

impl<C> HooksLayer<C> {
    /// The way of link.wsgi: where a hook answers, no `after` is called at all. By default those of the hooks before it are.
    #[must_use]
    pub fn skip_after_on_abort(self) -> Self {
        Self {
            skips_after: true,
            ..self
        }
    }
}

impl<S, C: Clone> Layer<S> for HooksLayer<C> {
    type Service = Hooks<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Hooks {
            inner,
            chain: self.chain.clone(),
            skips_after: self.skips_after,
        }
    }
}

impl<C> fmt::Debug for HooksLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HooksLayer")
            .field("skips_after", &self.skips_after)
            .finish_non_exhaustive()
    }
}
