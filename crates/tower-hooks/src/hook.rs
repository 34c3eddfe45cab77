use std::{future::Future, ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;

use crate::Outcome;

/// A hook: code that runs before and after a service, and when a request is over.
///
/// Every method has a default that does nothing. Implementors write `async fn`. One hook is used
/// for all requests at the same time. The data of one request is in its [`State`](Self::State).
///
/// ```
/// use std::ops::ControlFlow;
///
/// use bytes::Bytes;
/// use http::{Response, StatusCode, header::WWW_AUTHENTICATE, HeaderValue, request};
/// use http_body_util::Full;
/// use tower_hooks::Hook;
///
/// struct Auth;
///
/// impl Hook for Auth {
///     type State = ();
///
///     async fn before(&self, _: &mut (), request: &mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> {
///         if request.headers.contains_key("authorization") {
///             return ControlFlow::Continue(());
///         }
///         let mut response = Response::new(Full::from("Who are you?\n"));
///         *response.status_mut() = StatusCode::UNAUTHORIZED;
///         response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
///         ControlFlow::Break(response)
///     }
/// }
/// ```
pub trait Hook: Send + Sync + 'static {
    /// The data of one request. It is made with `Default` before [`before`](Self::before), and
    /// given to [`finish`](Self::finish).
    type State: Default + Send;

    /// Runs before the inner service, and may change the request's head, or respond. Then neither
    /// the hooks after this one nor the inner service see the request, and its body is dropped
    /// unread.
    ///
    /// A response may have any status and headers. Its body is all in memory. It is dropped where a
    /// response has none: to HEAD, with a 2xx to CONNECT, with 1xx, 204, 205 and 304. For a client
    /// of gRPC, an error in plain text becomes a [`Rejection`](tower_kit::Rejection) for the
    /// reason [`HookResponse`](crate::HookResponse).
    ///
    /// A hook may also respond with a rejection for a reason of its own. Then the client gets the
    /// protocol and the format that it prefers:
    ///
    /// ```
    /// use std::{error::Error, fmt, ops::ControlFlow};
    ///
    /// use bytes::Bytes;
    /// use http::{Response, StatusCode, header::RETRY_AFTER, request};
    /// use http_body_util::Full;
    /// use tower_hooks::HooksLayer;
    /// use tower_kit::Rejection;
    ///
    /// #[derive(Debug)]
    /// struct Maintenance;
    ///
    /// impl fmt::Display for Maintenance {
    ///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    ///         f.write_str("the site is switched off")
    ///     }
    /// }
    ///
    /// impl Error for Maintenance {}
    ///
    /// async fn closed(head: &mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> {
    ///     let rejection = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, Maintenance)
    ///         .with_detail("back in an hour")
    ///         .with_header(RETRY_AFTER, 3600.into());
    ///     ControlFlow::Break(rejection.response_for(&*head))
    /// }
    ///
    /// let _layer = HooksLayer::new().before(closed);
    /// ```
    fn before(
        &self,
        state: &mut Self::State,
        request: &mut request::Parts,
    ) -> impl Future<Output = ControlFlow<Response<Full<Bytes>>>> + Send {
        let _ = (state, request);
        async { ControlFlow::Continue(()) }
    }

    /// Runs after the inner service, or after a later hook that responded instead, and may change
    /// the response's head. It is not called for the hook that responded, nor if there is no
    /// response.
    ///
    /// To read the status, ask [`Rejection::of_head`](tower_kit::Rejection::of_head) first: a
    /// rejection for a client of gRPC has the status 200 in its head.
    fn after(
        &self,
        state: &mut Self::State,
        response: &mut response::Parts,
    ) -> impl Future<Output = ()> + Send {
        let _ = (state, response);
        async {}
    }

    /// Runs when the request is over. It is called exactly once if `before` was, whatever happens,
    /// on the thread where it happens, and must not block. A panic in it goes no further.
    fn finish(&self, state: Self::State, outcome: Outcome) {
        let _ = (state, outcome);
    }
}

impl<H: Hook> Hook for Arc<H> {
    type State = H::State;

    fn before(
        &self,
        state: &mut Self::State,
        request: &mut request::Parts,
    ) -> impl Future<Output = ControlFlow<Response<Full<Bytes>>>> + Send {
        H::before(self, state, request)
    }

    fn after(
        &self,
        state: &mut Self::State,
        response: &mut response::Parts,
    ) -> impl Future<Output = ()> + Send {
        H::after(self, state, response)
    }

    fn finish(&self, state: Self::State, outcome: Outcome) {
        H::finish(self, state, outcome);
    }
}
