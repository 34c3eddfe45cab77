use std::{borrow::Cow, fmt, sync::Arc};

use http::{request, response};
use tower_layer::Layer;

use crate::{BoxHook, HookFn, HookList, Hooks, closures::sealed};

/// A layer that runs hooks around a service.
#[derive(Clone, Default)]
pub struct HooksLayer {
    pub(crate) hooks: Source,
    skips_after: bool,
}

/// The hooks of a request.
#[derive(Clone, Default)]
pub(crate) struct Source {
    /// They come first.
    list: Option<HookList>,
    fixed: Arc<[BoxHook]>,
}

impl Source {
    /// Returns the hooks for a request that comes now, and `None` if there are none.
    #[inline]
    pub(crate) fn now(&self) -> Option<Cow<'_, Arc<[BoxHook]>>> {
        let hooks = match &self.list {
            None => Cow::Borrowed(&self.fixed),
            Some(list) => Cow::Owned(self.with(list)),
        };
        (!hooks.is_empty()).then_some(hooks)
    }

    #[cold]
    fn with(&self, list: &HookList) -> Arc<[BoxHook]> {
        match self.fixed.is_empty() {
            true => list.now(),
            false => list.now().iter().chain(&*self.fixed).cloned().collect(),
        }
    }
}

impl HooksLayer {
    /// Returns a layer without hooks, which passes requests and responses through and allocates
    /// nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a layer with the hooks of a list, which may change while the program runs.
    #[must_use]
    pub fn list(hooks: HookList) -> Self {
        Self {
            hooks: Source {
                list: Some(hooks),
                fixed: Arc::default(),
            },
            skips_after: false,
        }
    }

    /// Adds a hook after the others: its `before` is called after theirs, its `after` and `finish`
    /// before theirs.
    #[must_use]
    pub fn hook(mut self, hook: impl Into<BoxHook>) -> Self {
        let new = [hook.into()];
        self.hooks.fixed = self.hooks.fixed.iter().cloned().chain(new).collect();
        self
    }

    /// Adds a function as a hook's [`before`](crate::Hook::before). The function may be async.
    ///
    /// The type of its argument has to be written out.
    ///
    /// ```
    /// use std::{collections::HashSet, ops::ControlFlow};
    ///
    /// use http::{Response, StatusCode, header::AUTHORIZATION, request};
    /// use tower_hooks::HooksLayer;
    ///
    /// let keys = HashSet::from(["s3cret"]);
    /// let layer = HooksLayer::new().before(move |request: &mut request::Parts| {
    ///     let key = request.headers.get(AUTHORIZATION);
    ///     let key = key.and_then(|key| key.to_str().ok());
    ///     if key.is_some_and(|key| keys.contains(key)) {
    ///         return ControlFlow::Continue(());
    ///     }
    ///     let mut response = Response::new("Who are you?\n".into());
    ///     *response.status_mut() = StatusCode::UNAUTHORIZED;
    ///     ControlFlow::Break(response)
    /// });
    /// # drop(layer);
    /// ```
    ///
    /// A function that is not async costs no future and no allocation. It may run in `call`, before
    /// the response future is polled.
    ///
    /// An async closure is cloned for each request, like a handler of axum, so what it captures is
    /// cheap to clone: an `Arc`, a pool or a sender.
    ///
    /// ```
    /// use std::{ops::ControlFlow, sync::Arc};
    ///
    /// use http::request;
    /// use tokio::sync::Semaphore;
    /// use tower_hooks::HooksLayer;
    ///
    /// let permits = Arc::new(Semaphore::new(10));
    /// let layer = HooksLayer::new().before(async move |request: &mut request::Parts| {
    ///     if let Ok(permit) = permits.acquire_owned().await {
    ///         // It is given back when the inner service drops the request.
    ///         request.extensions.insert(Arc::new(permit));
    ///     }
    ///     ControlFlow::Continue(())
    /// });
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn before<Kind: sealed::Kind>(self, before: impl HookFn<request::Parts, Kind>) -> Self {
        self.hook(before.into_hook())
    }

    /// Adds a function as a hook's [`after`](crate::Hook::after). The function may be async.
    ///
    /// The type of its argument has to be written out.
    ///
    /// ```
    /// use http::{HeaderValue, response};
    /// use tower_hooks::HooksLayer;
    ///
    /// let server = HeaderValue::from_static("mine");
    /// let layer = HooksLayer::new().after(move |response: &mut response::Parts| {
    ///     response.headers.insert("server", server.clone());
    /// });
    /// # drop(layer);
    /// ```
    ///
    /// A function that is not async costs no future and no allocation. An async closure is cloned
    /// for each request.
    #[must_use]
    pub fn after<Kind: sealed::Kind>(self, after: impl HookFn<response::Parts, Kind>) -> Self {
        self.hook(after.into_hook())
    }

    /// Switches off every `after` for a request that a hook has responded to. Default: the `after`
    /// of the hooks before it is called.
    #[must_use]
    pub fn skip_after_on_abort(mut self) -> Self {
        self.skips_after = true;
        self
    }
}

impl<S> Layer<S> for HooksLayer {
    type Service = Hooks<S>;

    fn layer(&self, inner: S) -> Hooks<S> {
        Hooks {
            inner,
            hooks: self.hooks.clone(),
            skips_after: self.skips_after,
        }
    }
}

impl fmt::Debug for HooksLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HooksLayer")
            .field("hooks", &self.hooks.fixed.len())
            .field("list", &self.hooks.list)
            .field("skip_after_on_abort", &self.skips_after)
            .finish()
    }
}
