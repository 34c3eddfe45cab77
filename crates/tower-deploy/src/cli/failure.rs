use std::{fmt, io};

use super::output::is_styled;
use crate::{BoxError, Error};

/// The reason why a command failed.
pub(super) enum Failure {
    /// The file has an error.
    File(Error),
    /// A call of the system failed.
    System(io::Error),
    /// There was no response, or it broke off.
    Response(BoxError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => f.write_str(&error.report(is_styled())),
            Self::System(error) => writeln!(f, "error: {error}"),
            Self::Response(error) => writeln!(f, "error: the response is incomplete: {error}"),
        }
    }
}
