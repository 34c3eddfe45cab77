use std::{error::Error, fmt};

/// An error of any type, as `tower` and `axum` have it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a request's body ends with an error that is not the original body's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// The body failed before, or panicked. Whoever was reading it then saw the original error, or the panic.
    FailedEarlier,
    /// The app that holds this body has answered, and the cascade took the body back for the next app.
    Taken,
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FailedEarlier => "the request's body has failed before",
            Self::Taken => "the app that held the request's body has answered, and the cascade took the body back",
        })
    }
}

impl Error for ReplayError {}

/// The reason of the cascade's 413 (Content Too Large), a [`tower_kit::Rejection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayLimitExceeded {
    pub(crate) limit: usize,
}

impl ReplayLimitExceeded {
    /// The limit, in bytes; see [`CascadeLayer::replay_limit`](crate::CascadeLayer::replay_limit).
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }
}

impl fmt::Display for ReplayLimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an app that had read more than {} bytes of the request's body had no answer, and no more is kept for the next app",
            self.limit
        )
    }
}

impl Error for ReplayLimitExceeded {}

/// The reason of the 404 of a list without services, a [`tower_kit::Rejection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoServices;

impl fmt::Display for NoServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cascade has no services")
    }
}

impl Error for NoServices {}
