//! Why `static` does not serve a file.

use std::{
    error::Error,
    fmt,
    io::{self, ErrorKind},
};

use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CONTENT_RANGE},
    request,
};
use tower_kit::Rejection;

use crate::Body;

#[derive(Debug)]
pub(super) enum FileError {
    /// The path leads to no file that clients may have.
    NotServed,
    MethodNotAllowed,
    PreconditionFailed,
    /// The file has this length in bytes, and no part of the range.
    OutOfRange(u64),
    Io(io::Error),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl FileError {
    /// Returns the status. A file that was removed meanwhile is a 404, so that a cascade falls
    /// through to its next app.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotServed => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::OutOfRange(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Io(error) => match error.kind() {
                ErrorKind::NotFound
                | ErrorKind::NotADirectory
                | ErrorKind::IsADirectory
                | ErrorKind::InvalidFilename
                | ErrorKind::InvalidInput => StatusCode::NOT_FOUND,
                ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    pub(super) fn response(self, head: &request::Parts) -> Response<Body> {
        let header = match &self {
            Self::MethodNotAllowed => Some((ALLOW, HeaderValue::from_static("GET, HEAD"))),
            Self::OutOfRange(length) => {
                let range = HeaderValue::try_from(format!("bytes */{length}"));
                range.ok().map(|range| (CONTENT_RANGE, range))
            }
            _ => None,
        };
        let rejection = Rejection::new(self.status(), self);
        let rejection = match header {
            Some((name, value)) => rejection.with_header(name, value),
            None => rejection,
        };
        rejection.response_for(head).map(Body::new)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotServed => "the path leads to no file that is served",
            Self::MethodNotAllowed => "a file has the methods GET and HEAD only",
            Self::PreconditionFailed => "the file is not the one that the request names",
            Self::OutOfRange(_) => "the range is after the end of the file",
            Self::Io(_) => "the file cannot be read",
        })
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_machine_lacks_is_an_error_of_the_server() {
        for (kind, expected) in [
            (ErrorKind::NotFound, 404),
            (ErrorKind::NotADirectory, 404),
            (ErrorKind::InvalidFilename, 404),
            (ErrorKind::PermissionDenied, 403),
            (ErrorKind::OutOfMemory, 500),
            (ErrorKind::Other, 500),
        ] {
            assert_eq!(FileError::Io(kind.into()).status(), expected, "{kind}");
        }
    }
}
