//! The path parameters of a request, as the endpoint and its layers see them.

use std::{
    fmt::{self, Display},
    sync::Arc,
};

use http::Request;
use tower_environ::ScriptName;

use crate::{Pattern, UrlForError, path::Path, spans::Spans, url_for::Named};

/// The path parameters of a request: the parts of the path that the groups of the matched pattern
/// found. The dispatcher adds them to the request's extensions.
///
/// The values are percent-decoded, and an encoded slash is a slash in them. So a value that names a
/// file must be checked before it is used as one, see [`safe_path`](Self::safe_path).
///
/// ```
/// use axum::{Extension, body::Body, http::Request, routing::get};
/// use tower::ServiceExt;
/// use tower_dispatch::{Dispatch, UrlArgs};
///
/// async fn tags(Extension(args): Extension<UrlArgs>) -> String {
///     assert_eq!((args.get(0), args.name("name")), (Some("a/b"), Some("a/b")));
///     assert_eq!(args.pattern(), "/v2/{*name}/tags");
///     args.parse().unwrap_or_default()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let urls = Dispatch::builder().get("/v2/{*name}/tags", get(tags)).build()?;
/// let response = urls.oneshot(Request::get("/v2/a/b/tags").body(Body::empty())?).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UrlArgs {
    pub(crate) path: Path,
    pub(crate) spans: Spans,
    pub(crate) route: Arc<RouteInfo>,
    /// The parameters of the mount around, if there is one.
    pub(crate) outer: Option<Arc<UrlArgs>>,
}

/// A route, except its endpoint.
#[derive(Debug)]
pub(crate) struct RouteInfo {
    pub(crate) index: usize,
    pub(crate) name: Option<Box<str>>,
    pub(crate) pattern: Pattern,
    /// The same as in the pattern, at hand for each request (`overhead/dispatch-matched`).
    pub(crate) is_mounted: bool,
    pub(crate) groups: Vec<Option<Box<str>>>,
    /// All routes of the same dispatcher that have names.
    pub(crate) named: Arc<Named>,
}

impl UrlArgs {
    /// Adds the parameters to the request. A mount moves the start of the path to SCRIPT_NAME.
    // `dispatch/github-app/axum-router`
    #[inline]
    pub(crate) fn enter<B>(mut self, request: &mut Request<B>, mount: Option<usize>) {
        if let Some(by) = mount {
            let grown = ScriptName::grow(request, by);
            debug_assert!(grown, "a mount ends where a segment does");
        }
        let extensions = request.extensions_mut();
        if let Some(outer) = extensions.get::<Self>()
            && outer.route.is_mounted
        {
            self.outer = extensions.remove().map(Arc::new);
        }
        extensions.insert(self);
    }

    /// Returns the number of groups of the pattern.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Returns whether the pattern has no groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the value of a group by its position, from 0. It is `None` for a group that took no
    /// part in the match, and beyond the last one.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&str> {
        self.path.as_str().get(self.spans.get(position)?)
    }

    /// Returns the value of the group with this name, of this pattern or otherwise of a mount
    /// around it. It is `None` for a group that took no part in the match, and for a name that no
    /// pattern has.
    #[must_use]
    pub fn name(&self, name: &str) -> Option<&str> {
        let mut groups = self.route.groups.iter();
        match groups.position(|group| group.as_deref() == Some(name)) {
            Some(position) => self.get(position),
            None => self.outer()?.name(name),
        }
    }

    /// Returns the path parameters of the mount around, if this dispatcher is mounted in another
    /// one.
    #[must_use]
    pub fn outer(&self) -> Option<&UrlArgs> {
        self.outer.as_deref()
    }

    /// Returns the names and values of all groups, in the order of the groups.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, Option<&str>)> {
        let names = self.route.groups.iter().map(Option::as_deref);
        names.zip((0..self.len()).map(|position| self.get(position)))
    }

    /// Returns a path that leads to a route of the same dispatcher, see
    /// [`Dispatch::url_for`](crate::Dispatch::url_for).
    ///
    /// # Errors
    ///
    /// Returns a [`UrlForError`] in the cases that are listed there.
    pub fn url_for(
        &self,
        name: &str,
        args: &[(&str, &dyn Display)],
    ) -> Result<String, UrlForError> {
        self.route.named.url_for(name, args)
    }

    /// Returns the text of the pattern that matched.
    #[must_use]
    pub fn pattern(&self) -> &str {
        self.route.pattern.as_str()
    }

    /// Returns the name of the route that matched, if it has one.
    #[must_use]
    pub fn route_name(&self) -> Option<&str> {
        self.route.name.as_deref()
    }

    /// Returns the index of the route that matched, from 0 in the order in which the routes were
    /// added.
    #[must_use]
    pub fn route_index(&self) -> usize {
        self.route.index
    }
}

impl fmt::Debug for UrlArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<_> = self.iter().collect();
        f.debug_struct("UrlArgs")
            .field("pattern", &self.pattern())
            .field("route", &self.route_name())
            .field("args", &args)
            .finish()
    }
}
