//! SCRIPT_NAME and PATH_INFO: the part of the path that mounts have stripped, and the rest
//! ([PEP 3333](https://peps.python.org/pep-3333/#environ-variables)).
//!
//! The raw path is kept once, as the first mount saw it. Both names are slices of it, so together
//! they are always that path. The boundary follows from the request's URI, because every mount
//! shortens its path: a `MountLayer`, a dispatcher, axum's `nest`.

use std::fmt;

use http::{Extensions, Request, Uri, request::Parts, uri::PathAndQuery};

/// The part of the raw path that mounts have stripped, such as `/wiki`. It is empty outside of
/// mounts.
///
/// The one in a request's extensions is that of the innermost mount of this workspace.
/// [`MountExt::script_name`] also includes what other code has stripped after it.
///
/// # Examples
///
/// ```
/// use http::Request;
/// use tower_environ::{PathInfo, ScriptName};
///
/// let mut request = Request::get("/wiki/Start").body(())?;
/// // As a mount at `/wiki` does:
/// assert!(ScriptName::grow(&mut request, "/wiki".len()));
///
/// let (uri, extensions) = (request.uri(), request.extensions());
/// assert_eq!(ScriptName::of(uri, extensions).as_str(), "/wiki");
/// assert_eq!(PathInfo::of(uri, extensions).as_str(), "/Start");
/// assert_eq!(uri, "/Start");
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone)]
pub struct ScriptName {
    /// The raw path, as the first mount saw it. It is `None` for a URI without a path.
    path: Option<PathAndQuery>,
    len: usize,
}

impl ScriptName {
    /// Returns the SCRIPT_NAME of a request with this URI and these extensions.
    #[must_use]
    pub fn of(uri: &Uri, extensions: &Extensions) -> Self {
        let (path, len) = split(uri, extensions);
        Self {
            path: path.cloned(),
            len,
        }
    }

    /// Returns the raw text. It is not decoded, because decoded parts cannot be joined to the raw
    /// path again.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.raw().get(..self.len).unwrap_or_default()
    }

    /// Moves the first `by` bytes of a request's path to its SCRIPT_NAME, as a mount does.
    ///
    /// The URI keeps the rest of its path, or `/` if nothing is left. If the first `by` bytes do
    /// not end at the end of a segment, this returns `false` and changes nothing.
    pub fn grow<B>(request: &mut Request<B>, by: usize) -> bool {
        let grown = Self::of(request.uri(), request.extensions());
        let Some(grown) = grown.grown(request.uri_mut(), by) else {
            return false;
        };
        request.extensions_mut().insert(grown);
        true
    }

    /// Returns the SCRIPT_NAME that has grown, and shortens the URI's path.
    // Apart, so that a program has it once for all bodies (`just cost`).
    fn grown(mut self, uri: &mut Uri, by: usize) -> Option<Self> {
        let path = uri.path();
        let rest = path.get(by..)?;
        let nothing_left = self.path_info().is_empty() && path == "/";
        if by > 0 && (nothing_left || !(rest.is_empty() || rest.starts_with('/'))) {
            return None;
        }
        if !nothing_left && self.path_info() != path {
            // Other code has rewritten the URI after the last mount. From here on, that is the
            // path.
            let rewritten = format!("{}{path}", self.as_str());
            self.path = PathAndQuery::try_from(rewritten).ok();
        }
        self.len += by;
        if by > 0 {
            let stripped = match (rest, uri.query()) {
                ("", None) => Ok(PathAndQuery::from_static("/")),
                ("", Some(query)) => PathAndQuery::try_from(format!("/?{query}")),
                (rest, None) => PathAndQuery::try_from(rest),
                (rest, Some(query)) => PathAndQuery::try_from(format!("{rest}?{query}")),
            };
            let mut parts = std::mem::take(uri).into_parts();
            parts.path_and_query = Some(stripped.expect("the end of a path is a path"));
            *uri = Uri::from_parts(parts).expect("a path took a path's place");
        }
        Some(self)
    }

    fn raw(&self) -> &str {
        self.path.as_ref().map_or("", PathAndQuery::path)
    }

    fn path_info(&self) -> &str {
        self.raw().get(self.len..).unwrap_or_default()
    }
}

/// The part of the raw path that is left after all mounts. It is empty at a mount itself, where the
/// URI has `/`. [`ScriptName`] has an example.
#[derive(Clone)]
pub struct PathInfo {
    script_name: ScriptName,
}

impl PathInfo {
    /// Returns the PATH_INFO of a request with this URI and these extensions.
    #[must_use]
    pub fn of(uri: &Uri, extensions: &Extensions) -> Self {
        Self {
            script_name: ScriptName::of(uri, extensions),
        }
    }

    /// Returns the raw text. It is not decoded.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.script_name.path_info()
    }
}

/// A trait that adds `script_name()` and `path_info()` to a request and to its parts.
///
/// Both are raw slices of the path as the first mount saw it. Together they are that path.
///
/// A layer below a mount may rewrite the path instead of shortening it. Then neither name changes
/// until the next mount, for which the rewritten path is the path. A path rewritten to `/` is the
/// exception: it looks as if a mount had stripped the whole path.
///
/// # Examples
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::{BoxError, Layer, ServiceExt, service_fn};
/// use tower_environ::{MountExt, MountLayer};
///
/// async fn wiki(request: Request<()>) -> Result<Response<Full<bytes::Bytes>>, BoxError> {
///     assert_eq!(request.script_name(), "/wiki");
///     assert_eq!(request.path_info(), "/Start");
///     Ok(Response::default())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let app = MountLayer::new("/wiki")?.layer(service_fn(wiki));
/// let response = app.oneshot(Request::get("/wiki/Start").body(())?).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// ```
pub trait MountExt {
    /// Returns the part of the path that mounts have stripped. It is empty outside of mounts.
    fn script_name(&self) -> &str;

    /// Returns the part of the path that is left. It is empty at a mount itself.
    fn path_info(&self) -> &str;
}

impl<B> MountExt for Request<B> {
    fn script_name(&self) -> &str {
        names(self.uri(), self.extensions()).0
    }

    fn path_info(&self) -> &str {
        names(self.uri(), self.extensions()).1
    }
}

impl MountExt for Parts {
    fn script_name(&self) -> &str {
        names(&self.uri, &self.extensions).0
    }

    fn path_info(&self) -> &str {
        names(&self.uri, &self.extensions).1
    }
}

/// Returns SCRIPT_NAME and PATH_INFO.
pub(crate) fn names<'a>(uri: &'a Uri, extensions: &'a Extensions) -> (&'a str, &'a str) {
    let (path, at) = split(uri, extensions);
    let raw = path.map_or("", PathAndQuery::path);
    raw.split_at_checked(at).unwrap_or((raw, ""))
}

/// Returns the raw path, and the length of SCRIPT_NAME in it.
fn split<'a>(uri: &'a Uri, extensions: &'a Extensions) -> (Option<&'a PathAndQuery>, usize) {
    let (path, taken) = match extensions.get::<ScriptName>() {
        Some(mounted) => (mounted.path.as_ref(), mounted.len),
        None => (original(extensions).unwrap_or(uri).path_and_query(), 0),
    };
    let raw = path.map_or("", PathAndQuery::path);
    // A mount only strips the start of a path.
    let left = match raw.strip_suffix(uri.path()) {
        Some(script_name) => Some(script_name.len()),
        // If nothing is left, the URI has `/`.
        None => (uri.path() == "/").then_some(raw.len()),
    };
    (path, left.filter(|left| *left >= taken).unwrap_or(taken))
}

/// Returns the URI as it was before axum's `nest` stripped it.
#[cfg(feature = "axum")]
fn original(extensions: &Extensions) -> Option<&Uri> {
    let original = extensions.get::<axum::extract::OriginalUri>();
    original.map(|original| &original.0)
}

#[cfg(not(feature = "axum"))]
fn original(_: &Extensions) -> Option<&Uri> {
    None
}

/// Compares the texts. The rest of the two paths does not count.
impl PartialEq for ScriptName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ScriptName {}

/// Compares the texts. The rest of the two paths does not count.
impl PartialEq for PathInfo {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for PathInfo {}

impl fmt::Display for ScriptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ScriptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScriptName").field(&self.as_str()).finish()
    }
}

impl fmt::Display for PathInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PathInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PathInfo").field(&self.as_str()).finish()
    }
}
