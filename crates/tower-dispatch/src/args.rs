use std::{
    fmt::{self, Display},
    sync::Arc,
};

use http::Request;
use tower_environ::ScriptName;

use crate::{UrlError, path::Path, pattern::Kind, spans::Spans, url_for::Named};

/// What the matched pattern's groups found in the path. It is in the request's extensions.
///
/// The values are percent-decoded, and an encoded slash is a slash in them: a value that names a file must
/// be checked before it is used as one.
#[derive(Clone)]
pub struct UrlArgs {
    pub(crate) path: Path,
    pub(crate) spans: Spans,
    pub(crate) route: Arc<RouteInfo>,
    /// Those of the mount that this is below, if there is one.
    pub(crate) outer: Option<Arc<UrlArgs>>,
}

/// What is known of a route besides its endpoint.
#[derive(Debug)]
pub(crate) struct RouteInfo {
    pub(crate) index: usize,
    pub(crate) name: Option<Box<str>>,
    pub(crate) pattern: Box<str>,
    pub(crate) groups: Vec<Option<Box<str>>>,
    pub(crate) kind: Kind,
    /// All of the same dispatcher that have names.
    pub(crate) named: Arc<Named>,
}

impl RouteInfo {
    pub(crate) fn is_mounted(&self) -> bool {
        self.kind == Kind::Mount
    }
}

impl UrlArgs {
    /// Goes into the request, from which a mount takes the start of the path off.
    pub(crate) fn enter<B>(mut self, request: &mut Request<B>, mount: Option<usize>) {
        if let Some(by) = mount {
            let grown = ScriptName::grow(request, by);
            debug_assert!(grown, "a mount ends where a segment does");
        }
        let extensions = request.extensions_mut();
        if extensions
            .get::<Self>()
            .is_some_and(|outer| outer.route.is_mounted())
        {
            self.outer = extensions.remove().map(Arc::new);
        }
        extensions.insert(self);
    }

    /// How many groups the pattern has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the pattern has no groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a group by its place, from 0. `None` for a group that took no part in the match, and
    /// beyond the last one.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&str> {
        self.path.as_str().get(self.spans.get(position)?)
    }

    /// The value of the group with this name, here or else in a mount around it. `None` for a group that took no part
    /// in the match, and for a name that no pattern has.
    #[must_use]
    pub fn name(&self, name: &str) -> Option<&str> {
        let mut groups = self.route.groups.iter();
        match groups.position(|group| group.as_deref() == Some(name)) {
            Some(position) => self.get(position),
            None => self.outer()?.name(name),
        }
    }

    /// The url args of the mount of another dispatcher that this one is below.
    #[must_use]
    pub fn outer(&self) -> Option<&UrlArgs> {
        self.outer.as_deref()
    }

    /// Names and values of all groups, in the order of the groups.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, Option<&str>)> {
        let names = self.route.groups.iter().map(Option::as_deref);
        names.zip((0..self.len()).map(|position| self.get(position)))
    }

    /// A path that leads to a route of the same dispatcher, see [`Dispatch::url_for`](crate::Dispatch::url_for).
    ///
    /// # Errors
    ///
    /// A [`UrlError`] as it says there.
    pub fn url_for(&self, name: &str, args: &[(&str, &dyn Display)]) -> Result<String, UrlError> {
        self.route.named.url_for(name, args)
    }

    /// The pattern that matched, as it was written.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.route.pattern
    }

    /// The name of the route that matched, if it has one.
    #[must_use]
    pub fn route_name(&self) -> Option<&str> {
        self.route.name.as_deref()
    }

    /// The place of the route that matched, from 0 in the order in which the routes were added.
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
