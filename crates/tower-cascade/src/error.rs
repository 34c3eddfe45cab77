use std::{error::Error, fmt};

/// An error of a cascade: the reason of its own rejections, or the error of a request's body that
/// it has recorded.
///
/// A rejection's reason is reached by `Rejection::of(&response)` and `reason::<CascadeError>()` of
/// [`tower_kit::Rejection`]. A body's error is a `Box<dyn Error + Send + Sync>`, which
/// `downcast_ref::<CascadeError>()` looks into.
///
/// ```
/// use axum::{Router, body::Body, extract::Request};
/// use tower::ServiceExt;
/// use tower_cascade::{Cascade, CascadeError};
/// use tower_kit::Rejection;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), std::convert::Infallible> {
/// let empty: [Router; 0] = [];
/// let response = Cascade::new(empty).oneshot(Request::new(Body::empty())).await?;
/// let reason = Rejection::of(&response).and_then(Rejection::reason);
/// assert_eq!(reason, Some(&CascadeError::NoServices));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CascadeError {
    /// The list has no services. It is the reason of a 404.
    NoServices,
    /// Services that fell through had read more of the body than the limit, so that the next one
    /// would get only a part. It is the reason of a 413 (Content Too Large).
    ReplayLimitExceeded {
        /// The limit in bytes, see
        /// [`CascadeLayer::replay_limit`](crate::CascadeLayer::replay_limit).
        limit: usize,
    },
    /// The body failed for an earlier reader, or panicked. That reader got the original error, or
    /// the panic.
    BodyFailed,
    /// The service that holds this body has responded, and the body was taken back for the next
    /// one.
    BodyTaken,
}

impl fmt::Display for CascadeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoServices => "the cascade has no services",
            Self::ReplayLimitExceeded { limit } => {
                return write!(
                    f,
                    "services whose responses fell through had read more than {limit} bytes of the \
                     request's body, and no more is kept for the next service"
                );
            }
            Self::BodyFailed => "the request's body has failed before",
            Self::BodyTaken => {
                "the service that held the request's body has responded, and the cascade took the \
                 body back"
            }
        })
    }
}

impl Error for CascadeError {}
