use std::{error::Error, fmt};

use http::StatusCode;

/// The reason of a [`Rejection`](tower_kit::Rejection) that was made of a response without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorStatus(StatusCode);

impl ErrorStatus {
    pub(crate) fn new(status: StatusCode) -> Self {
        Self(status)
    }

    /// Returns the status of the response.
    #[must_use]
    pub fn status(self) -> StatusCode {
        self.0
    }
}

impl fmt::Display for ErrorStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the inner service has responded with {}", self.0)
    }
}

impl Error for ErrorStatus {}
