//! The routing rule: the route for a method and a path, or the methods that the path has.

#[cfg(feature = "regex")]
mod reach;

use std::{fmt, sync::Arc};

use http::{Method, Request, Uri};
use tower_kit::Allow;

use crate::{
    DecodePathError, Pattern, TableError, UrlArgs,
    alternatives::Compiled,
    args::RouteInfo,
    ids::PatternIndex,
    matchers::SuffixMatchers,
    path::{self, Path},
    pattern::Kind,
    preflight::{self, Preflight},
    spans::Spans,
    table::{self, Search, TABLE_LIMIT},
    url_for::Named,
};

/// A pattern, its methods and its endpoint.
pub(crate) struct Route<E> {
    pub(crate) methods: Methods,
    pub(crate) pattern: Pattern,
    pub(crate) name: Option<Box<str>>,
    /// Whether layers around the endpoint may respond to a preflight.
    pub(crate) takes_preflights: bool,
    pub(crate) endpoint: E,
}

impl<E> Route<E> {
    /// Returns whether the last group is the rest of the path, and not a parameter.
    fn is_mounted(&self) -> bool {
        self.pattern.kind() == Kind::Mount
    }
}

/// The methods of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Methods {
    All,
    Some(Vec<Method>),
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Some(own) = self else {
            return f.write_str("*");
        };
        let own: Vec<&str> = own.iter().map(Method::as_str).collect();
        f.write_str(&own.join(" "))
    }
}

impl Methods {
    /// Returns whether a method is among them. HEAD is, if GET is.
    pub(crate) fn take(&self, method: &Method) -> bool {
        match self {
            Self::All => true,
            Self::Some(own) => {
                own.contains(method) || *method == Method::HEAD && own.contains(&Method::GET)
            }
        }
    }

    pub(crate) fn named(&self) -> &[Method] {
        match self {
            Self::All => &[],
            Self::Some(own) => own,
        }
    }
}

/// The rules of its origins that a dispatcher may follow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    /// Patterns match the path after its leading slashes.
    pub(crate) without_leading_slashes: bool,
    /// Later routes are ignored, except those with the same pattern.
    pub(crate) first_path_match_decides: bool,
}

/// All routes, compiled.
pub(crate) struct Routes<E> {
    endpoints: Vec<(Methods, E)>,
    /// For each route whether it takes the preflights for its methods.
    takes_preflights: Vec<bool>,
    named: Arc<Named>,
    infos: Vec<Arc<RouteInfo>>,
    matchers: SuffixMatchers,
    /// For each method that a route names, a search of the routes for it.
    by_method: Vec<(Method, Arc<Search>)>,
    /// The routes for any other method.
    any_method: Arc<Search>,
    /// The routes for all methods together.
    all: Arc<Search>,
    /// The mounts among them, if there are any.
    mounts: Option<Arc<Search>>,
    /// For each route those with the same pattern, if the first path match decides.
    same: Vec<Vec<usize>>,
}

/// A route that matches a path.
struct Match {
    index: usize,
    args: Spans,
    /// The number of slashes up to the end of a mount.
    slashes: Option<usize>,
}

/// The result for a request.
#[derive(Debug)]
pub(crate) enum Outcome<'a, E> {
    Found {
        endpoint: &'a E,
        args: UrlArgs,
        /// The number of bytes of the raw path that a mount removes for the endpoint.
        mount: Option<usize>,
        /// Whether the endpoint is for GET, so that the body of its response to HEAD is dropped.
        head_by_get: bool,
    },
    /// Routes match the path, but not the method.
    OtherMethods(Allow),
    NotFound,
    Undecodable(DecodePathError),
}

impl<E> Routes<E> {
    pub(crate) fn new(routes: Vec<Route<E>>, named: Named) -> Result<Self, TableError> {
        let rules = named.rules;
        let named = Arc::new(named);
        let patterns: Vec<Pattern> = routes.iter().map(|route| route.pattern.clone()).collect();
        let compiled = Compiled::all(&patterns);
        // One pattern at a time first: those errors name the pattern.
        let matchers = SuffixMatchers::new(&compiled, TABLE_LIMIT)?;

        let mut methods: Vec<Method> = Vec::new();
        for method in routes.iter().flat_map(|route| route.methods.named()) {
            if !methods.contains(method) {
                methods.push(method.clone());
            }
        }
        if methods.contains(&Method::GET) && !methods.contains(&Method::HEAD) {
            methods.push(Method::HEAD);
        }
        let mut searches: Vec<Arc<Search>> = Vec::new();
        let mut search = |takes: &dyn Fn(usize) -> bool| {
            let routes = (0..patterns.len()).filter(|index| takes(*index));
            let routes: Vec<PatternIndex> = routes.map(PatternIndex::new).collect();
            if let Some(same) = searches.iter().find(|search| search.patterns() == routes) {
                return Ok(same.clone());
            }
            let search = Arc::new(Search::new(&compiled, routes, TABLE_LIMIT)?);
            searches.push(search.clone());
            Ok::<_, TableError>(search)
        };
        let mut by_method = Vec::new();
        for method in methods {
            let search = search(&|index| routes[index].methods.take(&method))?;
            by_method.push((method, search));
        }

        Ok(Self {
            by_method,
            any_method: search(&|index| routes[index].methods == Methods::All)?,
            all: search(&|_| true)?,
            mounts: match routes.iter().any(Route::is_mounted) {
                true => Some(search(&|index| routes[index].is_mounted())?),
                false => None,
            },
            same: match rules.first_path_match_decides {
                true => patterns
                    .iter()
                    .map(|pattern| same(pattern, &patterns))
                    .collect(),
                false => Vec::new(),
            },
            infos: (routes.iter().enumerate())
                .map(|(index, route)| {
                    let mut groups = route.pattern.group_names().into_vec();
                    if route.is_mounted() {
                        groups.pop();
                    }
                    Arc::new(RouteInfo {
                        index,
                        name: route.name.clone(),
                        is_mounted: route.is_mounted(),
                        pattern: route.pattern.clone(),
                        groups,
                        named: named.clone(),
                    })
                })
                .collect(),
            named,
            matchers,
            takes_preflights: routes.iter().map(|route| route.takes_preflights).collect(),
            endpoints: routes
                .into_iter()
                .map(|route| (route.methods, route.endpoint))
                .collect(),
        })
    }

    pub(crate) fn named(&self) -> &Named {
        &self.named
    }

    /// Finds the outcome of a request.
    // `overhead/dispatch-not-matched`
    #[inline]
    pub(crate) fn find_for<B>(&self, request: &mut Request<B>) -> Outcome<'_, E> {
        match *request.method() {
            Method::OPTIONS => self.find_for_options(request),
            _ => self.find(request.method(), request.uri()),
        }
    }

    /// Finds the outcome of an OPTIONS. A preflight has the outcome of the request that it asks
    /// about, if that route is layered and no earlier one takes OPTIONS.
    // Apart, so that an outcome is not copied for it (`overhead/dispatch-not-matched`).
    #[cold]
    #[inline(never)]
    fn find_for_options<B>(&self, request: &mut Request<B>) -> Outcome<'_, E> {
        let outcome = self.find(request.method(), request.uri());
        let Some(asked) = preflight::asked(request.headers()) else {
            return outcome;
        };
        let Outcome::Found {
            endpoint,
            args,
            mount,
            ..
        } = self.find(&asked, request.uri())
        else {
            return outcome;
        };
        let index = args.route_index();
        let is_earlier = match &outcome {
            Outcome::Found { args, .. } => index < args.route_index(),
            _ => true,
        };
        if !is_earlier || !self.takes_preflights[index] {
            return outcome;
        }
        if let Outcome::OtherMethods(mut allow) = outcome {
            allow.add(&Method::OPTIONS);
            request.extensions_mut().insert(Preflight(allow));
        }
        Outcome::Found {
            endpoint,
            args,
            mount,
            head_by_get: false,
        }
    }

    pub(crate) fn find(&self, method: &Method, uri: &Uri) -> Outcome<'_, E> {
        let path = uri.path();
        if self.named.rules.first_path_match_decides || path::is_encoded(path) {
            return self.find_decoded(method, uri);
        }
        // Apart, since most paths are not encoded (`dispatch/github-app/axum-router`).
        match self.first(self.search(method), path) {
            Some(found) => {
                let found = self.matched(found, path);
                self.lead_to(found, Path::raw(uri), method, uri)
            }
            None => match self.other_methods(method, path) {
                Some(allow) => Outcome::OtherMethods(allow),
                None => Outcome::NotFound,
            },
        }
    }

    /// The same for all paths and rules.
    // `dispatch/github-app`
    #[cold]
    #[inline(never)]
    fn find_decoded(&self, method: &Method, uri: &Uri) -> Outcome<'_, E> {
        enum Found {
            Route(Match),
            OtherMethods(Allow),
        }
        let found = path::decode(uri, |path| {
            if self.named.rules.first_path_match_decides {
                let mut found = self.first(&self.all, path)?;
                let same = &self.same[found.pattern.index()];
                let methods = |index: &usize| &self.endpoints[*index].0;
                return Some(
                    match same.iter().find(|index| methods(index).take(method)) {
                        Some(index) => {
                            found.pattern = PatternIndex::new(*index);
                            Found::Route(self.matched(found, path))
                        }
                        None => Found::OtherMethods(
                            same.iter().flat_map(|i| methods(i).named()).collect(),
                        ),
                    },
                );
            }
            match self.first(self.search(method), path) {
                Some(found) => Some(Found::Route(self.matched(found, path))),
                None => self.other_methods(method, path).map(Found::OtherMethods),
            }
        });
        match found {
            Ok(Some((Found::Route(found), path))) => self.lead_to(found, path, method, uri),
            Ok(Some((Found::OtherMethods(allow), _))) => Outcome::OtherMethods(allow),
            Ok(None) => Outcome::NotFound,
            Err(error) => match self.mount_above(uri) {
                Some((found, path)) => self.lead_to(found, path, method, uri),
                None => Outcome::Undecodable(error),
            },
        }
    }

    /// Returns the mount for a path of which only the start can be decoded. The mounted service is
    /// responsible for the rest, and no other route can match it.
    fn mount_above(&self, uri: &Uri) -> Option<(Match, Path)> {
        let mounts = self.mounts.as_ref()?;
        let found = path::decode_text(path::decodable(uri.path()), |path| {
            let found = mounts.find(&self.matchers, path)?;
            Some(self.matched(found, path))
        });
        found.ok().flatten()
    }

    /// Returns the first of some routes that matches the path, by the rules.
    fn first(&self, search: &Search, path: &str) -> Option<table::Match> {
        if !self.named.rules.without_leading_slashes {
            return search.find(&self.matchers, path);
        }
        let stripped = path.trim_start_matches('/');
        let mut found = search.find(&self.matchers, stripped)?;
        found.groups.shift(path.len() - stripped.len());
        Some(found)
    }

    /// Converts a match of the table. For a mount, the last group is the path below it.
    // `dispatch/github-app/axum-router`
    #[inline]
    fn matched(&self, found: table::Match, path: &str) -> Match {
        let index = found.index();
        let mut args = found.groups;
        let slashes = match self.infos[index].is_mounted {
            true => Some(slashes_above(&mut args, path)),
            false => None,
        };
        Match {
            index,
            args,
            slashes,
        }
    }

    // `dispatch/github-app/axum-router`
    #[inline(always)]
    fn lead_to(&self, found: Match, path: Path, method: &Method, uri: &Uri) -> Outcome<'_, E> {
        let (methods, endpoint) = &self.endpoints[found.index];
        let mount = (found.slashes).map(|slashes| end_of_mount(slashes, uri.path()));
        Outcome::Found {
            endpoint,
            args: UrlArgs {
                path,
                spans: found.args,
                route: self.infos[found.index].clone(),
                outer: None,
            },
            mount,
            head_by_get: method == Method::HEAD
                && *methods != Methods::All
                && !methods.named().contains(method),
        }
    }

    fn search(&self, method: &Method) -> &Search {
        self.by_method
            .iter()
            .find(|(named, _)| named == method)
            .map_or(&self.any_method, |(_, search)| search)
    }

    /// Returns the methods that have a route for the path, for a method that has none.
    // DIFFERENCE: link.wsgi tries no later route when a path has matched, and sends no `Allow`.
    fn other_methods(&self, method: &Method, path: &str) -> Option<Allow> {
        // Most paths without a route have none with another method either, and end here.
        if std::ptr::eq(self.search(method), &*self.all) {
            return None;
        }
        self.first(&self.all, path)?;
        let mut allow = Allow::default();
        for (other, search) in &self.by_method {
            if other != method && self.first(search, path).is_some() {
                allow.add(other);
            }
        }
        Some(allow)
    }
}

/// Removes the path below a mount from the groups, and returns the number of slashes above it.
// This one and the next are apart, since few routes are mounts (`dispatch/github-app/axum-router`).
#[cold]
#[inline(never)]
fn slashes_above(args: &mut Spans, path: &str) -> usize {
    let above = args.pop().map_or(path, |rest| &path[..rest.start]);
    above.matches('/').count()
}

/// Returns the number of bytes of the raw path up to the end of a mount. Slashes are counted, since
/// the raw path has other offsets. An encoded one is not among them.
#[cold]
#[inline(never)]
fn end_of_mount(slashes: usize, raw: &str) -> usize {
    let mut ends = raw.match_indices('/').skip(slashes);
    match (slashes, ends.next()) {
        (0, _) => 0,
        (_, Some((end, _))) => end,
        (_, None) => raw.len(),
    }
}

/// Returns the indexes of the patterns that are equal to one of them.
fn same(pattern: &Pattern, all: &[Pattern]) -> Vec<usize> {
    let is_same =
        |other: &Pattern| (other.as_str(), other.kind()) == (pattern.as_str(), pattern.kind());
    (0..all.len())
        .filter(|index| is_same(&all[*index]))
        .collect()
}

/// Shows the routes in their order.
impl<E> fmt::Debug for Routes<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self
            .endpoints
            .iter()
            .map(|(methods, _)| methods.to_string());
        let patterns = self.infos.iter().map(|info| info.pattern.as_str());
        f.debug_map().entries(methods.zip(patterns)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(routes: &[(Option<Method>, &str)]) -> Routes<usize> {
        let routes = routes
            .iter()
            .enumerate()
            .map(|(endpoint, (method, template))| Route {
                methods: (method.clone())
                    .map_or(Methods::All, |method| Methods::Some(vec![method])),
                pattern: Pattern::template(template).unwrap(),
                name: None,
                takes_preflights: false,
                endpoint,
            });
        Routes::new(routes.collect(), Named::new(Rules::default())).unwrap()
    }

    /// Returns the endpoint's number, or `Allow`, or nothing.
    fn find(routes: &Routes<usize>, method: &Method, path: &str) -> Option<Result<usize, String>> {
        match routes.find(method, &path.parse().unwrap()) {
            Outcome::Found { endpoint, .. } => Some(Ok(*endpoint)),
            Outcome::OtherMethods(allow) => {
                Some(Err(allow.to_header().to_str().unwrap().to_owned()))
            }
            Outcome::NotFound => None,
            Outcome::Undecodable(error) => panic!("{error}"),
        }
    }

    #[test]
    fn dispatch_6_another_method_lets_later_routes_try() {
        let routes = routes(&[
            (Some(Method::GET), "/a"),
            (Some(Method::PUT), "/{x}"),
            (None, "/any"),
            (Some(Method::DELETE), "/a"),
            (Some(Method::PUT), "/a"),
        ]);
        let foo = Method::from_bytes(b"FOO").unwrap();
        let table = [
            (Method::GET, "/a", Some(Ok(0))),
            (Method::HEAD, "/a", Some(Ok(0))),
            (Method::PUT, "/a", Some(Ok(1))),
            (Method::DELETE, "/a", Some(Ok(3))),
            (
                Method::POST,
                "/a",
                Some(Err("DELETE, GET, HEAD, PUT".to_owned())),
            ),
            (foo.clone(), "/b", Some(Err("PUT".to_owned()))),
            (foo, "/any", Some(Ok(2))),
            (Method::PUT, "/any", Some(Ok(1))),
            (Method::OPTIONS, "/a/b", None),
        ];
        for (method, path, expected) in table {
            assert_eq!(find(&routes, &method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn dispatch_6_routes_for_head_and_get_go_by_order() {
        for (first, second) in [(Method::HEAD, Method::GET), (Method::GET, Method::HEAD)] {
            let routes = routes(&[(Some(first), "/a"), (Some(second), "/a")]);
            assert_eq!(find(&routes, &Method::HEAD, "/a"), Some(Ok(0)));
        }
    }

    #[test]
    fn dispatch_6_only_a_route_for_get_drops_the_body_of_head() {
        let table = [
            (None, Method::HEAD, false),
            (Some(Method::HEAD), Method::HEAD, false),
            (Some(Method::GET), Method::HEAD, true),
            (Some(Method::GET), Method::GET, false),
        ];
        for (route, method, expected) in table {
            let routes = routes(&[(route, "/a")]);
            match routes.find(&method, &Uri::from_static("/a")) {
                Outcome::Found { head_by_get, .. } => assert_eq!(head_by_get, expected),
                other => panic!("{other:?}"),
            }
        }
    }
}
