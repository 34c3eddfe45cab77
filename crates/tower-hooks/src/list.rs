use std::{
    fmt, mem,
    sync::{Arc, PoisonError, RwLock},
};

use crate::BoxHook;

/// A list of hooks that may change while the program runs. Its clones are the same list.
///
/// A request keeps the hooks that were in the list when it came, to its end.
#[derive(Clone)]
pub struct HookList {
    hooks: Arc<RwLock<Arc<[BoxHook]>>>,
}

impl HookList {
    /// Returns an empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::from_iter([])
    }

    /// Replaces the hooks, for requests that come after this.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use axum::{Router, body::Body, http::{Request, Response, StatusCode, request}, routing::get};
    /// use bytes::Bytes;
    /// use http_body_util::Full;
    /// use tower::ServiceExt;
    /// use tower_hooks::{BoxHook, Hook, HookList, HooksLayer};
    ///
    /// struct Closed;
    ///
    /// impl Hook for Closed {
    ///     type State = ();
    ///
    ///     async fn before(&self, (): &mut (), _: &mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> {
    ///         let mut response = Response::new(Full::from("come back tomorrow"));
    ///         *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    ///         ControlFlow::Break(response)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let list = HookList::new();
    /// let app = Router::new().route("/", get(async || "open")).layer(HooksLayer::list(list.clone()));
    /// let ask = async || app.clone().oneshot(Request::new(Body::empty())).await.map(|response| response.status());
    ///
    /// assert_eq!(ask().await?, StatusCode::OK);
    /// list.set([BoxHook::new(Closed)]);
    /// assert_eq!(ask().await?, StatusCode::SERVICE_UNAVAILABLE);
    /// list.set([]);
    /// assert_eq!(ask().await?, StatusCode::OK);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set(&self, hooks: impl IntoIterator<Item = BoxHook>) {
        let new = hooks.into_iter().collect();
        let old = {
            let mut hooks = self.hooks.write().unwrap_or_else(PoisonError::into_inner);
            mem::replace(&mut *hooks, new)
        };
        // Not under the lock: it may be the last to hold them, and they are user code.
        drop(old);
    }

    /// Adds a hook after the others, for requests that come after this.
    pub fn push(&self, hook: BoxHook) {
        let old = {
            let mut hooks = self.hooks.write().unwrap_or_else(PoisonError::into_inner);
            let new = hooks.iter().cloned().chain([hook]).collect();
            mem::replace(&mut *hooks, new)
        };
        drop(old);
    }

    /// Returns the hooks that are in the list.
    #[must_use]
    pub fn hooks(&self) -> Vec<BoxHook> {
        self.now().to_vec()
    }

    /// Returns the number of hooks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.now().len()
    }

    /// Returns whether the list has no hooks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.now().is_empty()
    }

    pub(crate) fn now(&self) -> Arc<[BoxHook]> {
        let hooks = self.hooks.read().unwrap_or_else(PoisonError::into_inner);
        hooks.clone()
    }
}

impl Default for HookList {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<BoxHook> for HookList {
    fn from_iter<I: IntoIterator<Item = BoxHook>>(hooks: I) -> Self {
        let hooks = hooks.into_iter().collect();
        Self {
            hooks: Arc::new(RwLock::new(hooks)),
        }
    }
}

impl fmt::Debug for HookList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookList")
            .field("len", &self.len())
            .finish()
    }
}
