//! The status of an error.

use std::{error::Error, fmt, sync::Arc};

use http::StatusCode;
use http_body_util::LengthLimitError;

use crate::{BoxError, guard::catch, incident};

/// A function that returns the status of an error.
pub(crate) type StatusOf = Arc<dyn Fn(&(dyn Error + 'static)) -> Option<StatusCode> + Send + Sync>;

/// Returns the status of an error. The functions decide, with the error and its sources; then some
/// known types do. Otherwise it is 500.
pub(crate) fn of(error: &(dyn Error + 'static), functions: &[StatusOf]) -> StatusCode {
    let find = || {
        let chain = || incident::chain(error);
        let of_an_error =
            |status: &StatusCode| status.is_client_error() || status.is_server_error();
        chain()
            .find_map(|error| {
                let mut statuses = functions.iter().filter_map(|function| function(error));
                statuses.find(of_an_error)
            })
            .or_else(|| {
                chain()
                    .any(|error| error.is::<LengthLimitError>())
                    .then_some(StatusCode::PAYLOAD_TOO_LARGE)
            })
            .or_else(|| {
                chain()
                    .any(|error| error.is::<UploadError>())
                    .then_some(StatusCode::BAD_REQUEST)
            })
    };
    // The functions and the sources are user code.
    catch(find)
        .ok()
        .flatten()
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Returns the status of tower's own errors, for
/// [`ExceptionLayer::status_of`](crate::ExceptionLayer::status_of): 503 for the `Overloaded` of
/// `load_shed`, 504 for the `Elapsed` of `timeout`. Other errors get `None`.
///
/// ```
/// use tower_exception::{ExceptionLayer, to_stderr, tower_status};
///
/// let layer = ExceptionLayer::production(to_stderr).status_of(tower_status);
/// # let _ = layer;
/// ```
#[cfg(feature = "tower")]
pub fn tower_status(error: &(dyn Error + 'static)) -> Option<StatusCode> {
    if error.is::<tower::load_shed::error::Overloaded>() {
        return Some(StatusCode::SERVICE_UNAVAILABLE);
    }
    error
        .is::<tower::timeout::error::Elapsed>()
        .then_some(StatusCode::GATEWAY_TIMEOUT)
}

/// The error of a request's body, marked as the client's, not the server's.
///
/// A client that leaves in the middle of an upload makes the request's body fail. A service that
/// passes that error on looks as if it had failed itself: the errors of a client that the service
/// uses have the same types. So [`mark`](UploadError::mark) the errors of the request's body,
/// inside the [`ExceptionLayer`](crate::ExceptionLayer). The incident is reported like any other.
/// Its status is then 400, and [`to_stderr`](crate::to_stderr) leaves it out.
///
/// A handler that unwraps the error of an upload panics, which is a 500. A response whose head was
/// sent cannot become a 400. An upload that fails after that ends the response.
///
/// ```
/// use axum::{Router, body::Body, extract::Request};
/// use http_body_util::BodyExt;
/// use tower::ServiceBuilder;
/// use tower_exception::{ExceptionLayer, UploadError, to_stderr};
///
/// let marked = |request: Request| {
///     request.map(|body| Body::new(body.map_err(|error| UploadError::mark(error.into_inner()))))
/// };
/// let layers = ServiceBuilder::new()
///     .layer(ExceptionLayer::production(to_stderr))
///     .map_request(marked);
/// let app: Router = Router::new().layer(layers);
/// # let _ = app;
/// ```
#[derive(Debug)]
pub struct UploadError {
    source: BoxError,
}

impl UploadError {
    /// Marks an error of a request's body: returns an `UploadError` whose source it is.
    ///
    /// An error that is or has a `LengthLimitError` is returned as it is. It comes from a body
    /// limit in an outer layer, and is a 413. So it is for axum's extractors too, if the error was
    /// taken out of an `axum::Error` first, as above: they look for it at a certain depth.
    pub fn mark(error: impl Into<BoxError>) -> BoxError {
        let source = error.into();
        if incident::chain(&*source).any(|error| error.is::<LengthLimitError>()) {
            return source;
        }
        Box::new(Self { source })
    }
}

impl fmt::Display for UploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request's body could not be read")
    }
}

impl Error for UploadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
