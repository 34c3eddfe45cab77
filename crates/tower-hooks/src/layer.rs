use std::{fmt, ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;
use tower_layer::Layer;

use crate::{
    BoxHook, HookFn, HookList, Hooks,
    closures::{After, Before},
};

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
    /// Returns the first hook for a request that comes now, and all of them if there are more. Returns
    /// `None` if there are none.
    #[inline]
    pub(crate) fn now(&self) -> Option<(BoxHook, Option<Arc<[BoxHook]>>)> {
        match &self.list {
            None => first(&self.fixed),
            Some(list) if self.fixed.is_empty() => first(&list.now()),
            Some(list) => first(&list.now().iter().chain(&*self.fixed).cloned().collect()),
        }
    }
}

#[inline]
fn first(hooks: &Arc<[BoxHook]>) -> Option<(BoxHook, Option<Arc<[BoxHook]>>)> {
    match &**hooks {
        [] => None,
        [first] => Some((first.clone(), None)),
        [first, ..] => Some((first.clone(), Some(hooks.clone()))),
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

    /// Adds a function as a hook's [`before`](Hook::before).
    ///
    /// The type of its argument has to be written out. The function is cloned for each request, like
    /// a handler of axum, so what it captures is cheap to clone: an `Arc`, a pool or a sender.
    ///
    /// ```
    /// use std::{collections::HashSet, ops::ControlFlow, sync::Arc};
    ///
    /// use http::{Response, StatusCode, header::AUTHORIZATION, request};
    /// use tower_hooks::HooksLayer;
    ///
    /// let keys = Arc::new(HashSet::from(["s3cret"]));
    /// let layer = HooksLayer::new().before(async move |request: &mut request::Parts| {
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
    /// Without the word `async` the function returns a future, as an `async fn` does.
    #[must_use]
    pub fn before<F>(self, before: F) -> Self
    where
        F: for<'a> HookFn<'a, request::Parts, ControlFlow<Response<Full<Bytes>>>>,
        F: Clone + Send + Sync + 'static,
    {
        self.hook(Before(before))
    }

    /// Adds a function as a hook's [`after`](Hook::after).
    ///
    /// The type of its argument has to be written out. The function is cloned for each request, like
    /// a handler of axum.
    ///
    /// ```
    /// use http::{HeaderValue, response};
    /// use tower_hooks::HooksLayer;
    ///
    /// let server = HeaderValue::from_static("mine");
    /// let layer = HooksLayer::new().after(async move |response: &mut response::Parts| {
    ///     response.headers.insert("server", server);
    /// });
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn after<F>(self, after: F) -> Self
    where
        F: for<'a> HookFn<'a, response::Parts, ()>,
        F: Clone + Send + Sync + 'static,
    {
        self.hook(After(after))
    }

    /// Switches off every `after` for a request that a hook has responded to. Default: the `after` of
    /// the hooks before it is called.
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
