use std::{error::Error, fmt};

/// The reason of a [`Rejection`](tower_kit::Rejection) of [`Files`](crate::Files).
///
/// The reason for a file that cannot be opened is its [`std::io::Error`] instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FilesError {
    /// 404: the path leads to no file that is served.
    NotServed,
    /// 405: the file is there, and the method is neither GET nor HEAD.
    MethodNotAllowed,
    /// 412: the file is not the version that the request names.
    PreconditionFailed,
    /// 416: the range is after the end of the file.
    RangeNotSatisfiable,
}

impl fmt::Display for FilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotServed => "the path leads to no file that is served",
            Self::MethodNotAllowed => "a file has the methods GET and HEAD only",
            Self::PreconditionFailed => "the file is not the one that the request names",
            Self::RangeNotSatisfiable => "the range is after the end of the file",
        })
    }
}

impl Error for FilesError {}

/// The text for [`Files::charset`](crate::Files::charset) is not the name of a charset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CharsetError(pub(crate) String);

impl fmt::Display for CharsetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not the name of a charset", self.0)
    }
}

impl Error for CharsetError {}
