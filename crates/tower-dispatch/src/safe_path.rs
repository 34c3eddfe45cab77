//! A path parameter as the path of a file below a directory.

use std::{
    fmt,
    path::{Component, Path},
};

use crate::UrlArgs;

impl UrlArgs {
    /// Returns the value of the group with this name as a relative path that stays below any
    /// directory that it is joined to.
    ///
    /// It may be that directory itself: `.`, or an empty path if the group may be empty. Symbolic
    /// links are not checked.
    ///
    /// # Errors
    ///
    /// Returns an [`UnsafePath`] if there is no such value, or if it has a `..`, a NUL or a
    /// backslash, begins with a slash, or has a colon on Windows.
    ///
    /// ```
    /// use axum::{body::Body, extract::Request, routing::get};
    /// use tower::ServiceExt;
    /// use tower_dispatch::{Dispatch, UrlArgs};
    ///
    /// async fn file(request: Request) -> String {
    ///     let args = request.extensions().get::<UrlArgs>().unwrap();
    ///     match args.safe_path("path") {
    ///         // Below the directory, whatever the client has sent.
    ///         Ok(path) => std::path::Path::new("files").join(path).display().to_string(),
    ///         Err(error) => error.to_string(),
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let urls = Dispatch::builder().get("/files/{*path}", get(file)).build()?;
    /// for (path, safe) in [
    ///     ("/files/a/b.txt", true),
    ///     ("/files/a%2Fb.txt", true),
    ///     ("/files/%2E%2E/b.txt", false),
    /// ] {
    ///     let response = urls.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
    ///     let text = axum::body::to_bytes(Body::new(response.into_body()), 99).await?;
    ///     assert_eq!(text == "files/a/b.txt", safe, "{path}: {text:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn safe_path(&self, name: &str) -> Result<&Path, UnsafePath> {
        let text = self.name(name).ok_or(UnsafePath::Absent)?;
        if text.contains('\0') {
            return Err(UnsafePath::Nul);
        }
        // Some systems take it for a slash, and so do programs that serve the file later.
        if text.contains('\\') {
            return Err(UnsafePath::Backslash);
        }
        let path = Path::new(text);
        for component in path.components() {
            match component {
                Component::Normal(name)
                    if !(cfg!(windows) && name.to_string_lossy().contains(':')) => {}
                Component::CurDir => {}
                Component::ParentDir => return Err(UnsafePath::Parent),
                _ => return Err(UnsafePath::Absolute),
            }
        }
        Ok(path)
    }
}

/// An error of a path parameter that is not a path below a directory.
///
/// ```
/// use http::StatusCode;
/// use tower_dispatch::{UnsafePath, UrlArgs};
///
/// fn status(args: &UrlArgs) -> StatusCode {
///     match args.safe_path("path") {
///         Ok(_) => StatusCode::OK,
///         Err(UnsafePath::Absent) => StatusCode::NOT_FOUND,
///         Err(_) => StatusCode::BAD_REQUEST,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnsafePath {
    /// No group has that name, or it took no part in the match.
    Absent,
    /// The path begins at the root of the file system, or with a drive.
    Absolute,
    /// The path has a `..` segment.
    Parent,
    /// The path has a NUL, at which some systems end it.
    Nul,
    /// The path has a backslash, which some systems take for a slash.
    Backslash,
}

impl fmt::Display for UnsafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "there is no such path parameter",
            Self::Absolute => "the path is not relative",
            Self::Parent => "the path has a `..` segment",
            Self::Nul => "the path has a NUL in it",
            Self::Backslash => "the path has a backslash in it",
        })
    }
}

impl std::error::Error for UnsafePath {}
