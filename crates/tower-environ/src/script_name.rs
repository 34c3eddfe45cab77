//! SCRIPT_NAME and PATH_INFO: which part of the path led here, and which part is left
//! ([PEP 3333](https://peps.python.org/pep-3333/#environ-variables)).
//!
//! The raw path is kept once, as the first mount saw it, and both names are slices of it: put together they are
//! always that path again. Where the one ends and the other begins is told by the request's URI, which every mount
//! shortens, whoever made it: a `MountLayer`, a dispatcher, axum's `nest`.

use std::fmt;

use http::{Extensions, Request, Uri, request::Parts, uri::PathAndQuery};

/// The part of the raw path that mounts have taken, such as `/wiki`; empty outside of mounts.
///
/// As an extension it is what the innermost mount has left; [`MountExt::script_name`] also sees what others have
/// stripped since.
#[derive(Clone)]
pub struct ScriptName {
    /// As the first mount saw it. `None` for a URI without a path.
    path: Option<PathAndQuery>,
    len: usize,
}

impl ScriptName {
    /// Of a request with this URI and these extensions.
    #[must_use]
    pub fn of(uri: &Uri, extensions: &Extensions) -> Self {
        let (path, len) = split(uri, extensions);
        Self {
            path: path.cloned(),
            len,
        }
    }

    /// The raw text: not decoded, since nothing decoded can be put together with the rest again.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.raw().get(..self.len).unwrap_or_default()
    }

    /// Moves the first `by` bytes of a request's path over to its SCRIPT_NAME. That is what a mount does.
    ///
    /// The URI keeps the rest of its path, and `/` where nothing is left. `false`, and no change, where those bytes
    /// do not end at the end of a segment.
    pub fn grow<B>(request: &mut Request<B>, by: usize) -> bool {
        let path = request.uri().path();
        let Some(rest) = path.get(by..) else {
            return false;
        };
        let mut grown = Self::of(request.uri(), request.extensions());
        let nothing_left = grown.path_info().is_empty() && path == "/";
        if by > 0 && (nothing_left || !(rest.is_empty() || rest.starts_with('/'))) {
            return false;
        }
        if !nothing_left && grown.path_info() != path {
            // Somebody has rewritten the URI since the last mount: from here on, that is the path.
            let rewritten = format!("{}{path}", grown.as_str());
            grown.path = PathAndQuery::try_from(rewritten).ok();
        }
        grown.len += by;
        if by > 0 {
            let stripped = match (rest, request.uri().query()) {
                ("", None) => Ok(PathAndQuery::from_static("/")),
                ("", Some(query)) => PathAndQuery::try_from(format!("/?{query}")),
                (rest, None) => PathAndQuery::try_from(rest),
                (rest, Some(query)) => PathAndQuery::try_from(format!("{rest}?{query}")),
            };
            let mut parts = std::mem::take(request.uri_mut()).into_parts();
            parts.path_and_query = Some(stripped.expect("the end of a path is a path"));
            *request.uri_mut() = Uri::from_parts(parts).expect("a path took a path's place");
        }
        request.extensions_mut().insert(grown);
        true
    }

    fn raw(&self) -> &str {
        self.path.as_ref().map_or("", PathAndQuery::path)
    }

    fn path_info(&self) -> &str {
        self.raw().get(self.len..).unwrap_or_default()
    }
}

/// The part of the raw path that is left to whoever has the request: empty at a mount itself, where the URI has `/`.
#[derive(Clone)]
pub struct PathInfo {
    script_name: ScriptName,
}

impl PathInfo {
    /// Of a request with this URI and these extensions.
    #[must_use]
    pub fn of(uri: &Uri, extensions: &Extensions) -> Self {
        Self {
            script_name: ScriptName::of(uri, extensions),
        }
    }

    /// The raw text: not decoded.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.script_name.path_info()
    }
}

/// `request.script_name()` and `request.path_info()`, on a request and on its parts.
///
/// Both are raw, slices of the path as the first mount saw it, and together they are that path. A layer below that mount
/// that rewrites the path, and does not just shorten it, changes neither until the next mount, whose path is then the
/// rewritten one. But for a path that becomes `/`: that is what a mount leaves that takes the whole.
pub trait MountExt {
    /// The part of the path that mounts have taken; empty outside of mounts.
    fn script_name(&self) -> &str;

    /// The part of the path that is left; empty at a mount itself.
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

/// SCRIPT_NAME and PATH_INFO.
pub(crate) fn names<'a>(uri: &'a Uri, extensions: &'a Extensions) -> (&'a str, &'a str) {
    let (path, at) = split(uri, extensions);
    let raw = path.map_or("", PathAndQuery::path);
    raw.split_at_checked(at).unwrap_or((raw, ""))
}

/// The raw path, and how much of it is SCRIPT_NAME.
fn split<'a>(uri: &'a Uri, extensions: &'a Extensions) -> (Option<&'a PathAndQuery>, usize) {
    let (path, taken) = match extensions.get::<ScriptName>() {
        Some(mounted) => (mounted.path.as_ref(), mounted.len),
        None => (original(extensions).unwrap_or(uri).path_and_query(), 0),
    };
    let raw = path.map_or("", PathAndQuery::path);
    // All that mounts do to a path is to take something off its start.
    let left = match raw.strip_suffix(uri.path()) {
        Some(script_name) => Some(script_name.len()),
        // Where they leave nothing, the URI has `/`.
        None => (uri.path() == "/").then_some(raw.len()),
    };
    (path, left.filter(|left| *left >= taken).unwrap_or(taken))
}

/// The URI before axum's `nest` has stripped it.
#[cfg(feature = "axum")]
fn original(extensions: &Extensions) -> Option<&Uri> {
    let original = extensions.get::<axum::extract::OriginalUri>();
    original.map(|original| &original.0)
}

#[cfg(not(feature = "axum"))]
fn original(_: &Extensions) -> Option<&Uri> {
    None
}

/// Of the text; whatever else the paths have does not count.
impl PartialEq for ScriptName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ScriptName {}

/// Of the text; whatever else the paths have does not count.
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
