use std::{
    fmt,
    future::Future,
    iter, mem,
    ops::ControlFlow,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;
use tower_kit::guard::Payload;

use crate::{
    BoxHook, Chain, Hook, Links, Outcome,
    chain::{Place, sealed::Sealed},
};

/// A list of hooks that is made, and may be changed, while the program runs. Its clones are the same list.
///
/// A request goes through the hooks that were in the list when it came, to its end.
#[derive(Clone)]
pub struct HookList {
    hooks: Arc<RwLock<Arc<[BoxHook]>>>,
}

impl HookList {
    /// An empty list. A request through it costs no allocation.
    #[must_use]
    pub fn new() -> Self {
        Self::from_iter([])
    }

    /// Puts other hooks in the place of those that there are, for requests that come from now on.
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
        // Not under the lock: it may be the last to hold them, and they are somebody else's.
        drop(old);
    }

    /// Puts one behind those that there are.
    pub fn push(&self, hook: BoxHook) {
        let old = {
            let mut hooks = self.hooks.write().unwrap_or_else(PoisonError::into_inner);
            let new = hooks.iter().cloned().chain([hook]).collect();
            mem::replace(&mut *hooks, new)
        };
        drop(old);
    }

    /// The hooks that there are now.
    #[must_use]
    pub fn hooks(&self) -> Vec<BoxHook> {
        self.now().to_vec()
    }

    /// How many hooks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.now().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.now().is_empty()
    }

    fn now(&self) -> Arc<[BoxHook]> {
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

impl Sealed for HookList {}

impl Chain for HookList {
    type Links = Arc<[BoxHook]>;
    type Bare<F: Future> = F;

    fn links(&self) -> Option<Arc<[BoxHook]>> {
        Some(self.now()).filter(|hooks| !hooks.is_empty())
    }

    fn bare<F: Future>(future: F) -> F {
        future
    }
}

impl Sealed for Arc<[BoxHook]> {}

impl Links for Arc<[BoxHook]> {
    type States = Vec<Place<<BoxHook as Hook>::State>>;

    async fn before(
        &self,
        states: &mut Self::States,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        states.extend(iter::repeat_with(Place::default).take(self.len()));
        for (hook, place) in self.iter().zip(states) {
            place.before(hook, request).await?;
        }
        ControlFlow::Continue(())
    }

    async fn after(
        &self,
        states: &mut Self::States,
        response: &mut response::Parts,
        panic: &mut Option<Payload>,
    ) {
        for (hook, place) in self.iter().zip(states).rev() {
            place.after(hook, response, panic).await;
        }
    }

    fn finish(&self, states: Self::States, outcome: Outcome) {
        for (hook, place) in self.iter().zip(states).rev() {
            place.finish(hook, outcome);
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
