//! Lookups: the route that a path leads to, and its path parameters. Nothing around them is
//! measured.

use std::hint::black_box;

use actix_router::ResourceDef;
use axum::extract::Path;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use regex::Regex;
use tower::service_fn;
use tower_dispatch::{Dispatch, Pattern, Table, UrlArgs};

use crate::{Build, Pair, ReqBody, Subject};

/// `{name}` is one segment.
const GITHUB: &str = include_str!("fixtures/github-routes.txt");
/// A regex, a tab, and a path that it is the first to match.
const NOT_LOWERABLE: &str = include_str!("fixtures/not-lowerable.tsv");

pub(crate) fn github() -> Vec<&'static str> {
    GITHUB.lines().collect()
}

/// Paths that have each template's parameters named as what they are for.
pub(crate) fn paths(templates: &[impl AsRef<str>]) -> Vec<String> {
    templates
        .iter()
        .map(|template| template.as_ref().replace(['{', '}'], ""))
        .collect()
}

fn regexes(templates: &[&str]) -> Vec<String> {
    let open = Regex::new(r"\{\w+\}").expect("a regex");
    templates
        .iter()
        .map(|template| format!("^{}$", open.replace_all(template, "([^/]+)")))
        .collect()
}

/// A fixed order that looks random (Fisher and Yates, with the generator of Knuth's MMIX).
pub(crate) fn shuffled(mut paths: Vec<String>) -> Vec<String> {
    let mut state: u64 = 42;
    for at in (1..paths.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        paths.swap(at, (state >> 33) as usize % (at + 1));
    }
    paths
}

fn table<P: AsRef<str>>(
    patterns: &[P],
    read: fn(&str) -> Result<Pattern, tower_dispatch::PatternError>,
) -> Table {
    let patterns = patterns.iter().map(|pattern| read(pattern.as_ref()));
    let patterns: Vec<_> = patterns
        .collect::<Result<_, _>>()
        .expect("well-formed patterns");
    Table::new(&patterns).expect("a table within the limits")
}

fn ours(table: Table, paths: Vec<String>) -> Subject {
    for path in &paths {
        assert!(table.find(path).is_some(), "{path}");
    }
    Subject::lookups(&shuffled(paths), move |path| {
        let found = table.find(path).expect("every path has a route");
        black_box(found.index());
        for span in found.spans() {
            black_box(span.and_then(|span| path.get(span)));
        }
    })
}

fn matchit_of(templates: &[impl AsRef<str>]) -> matchit::Router<usize> {
    let mut router = matchit::Router::new();
    for (index, template) in templates.iter().enumerate() {
        router
            .insert(template.as_ref(), index)
            .expect("a table that matchit takes");
    }
    router
}

fn matchit() -> Subject {
    let router = matchit_of(&github());
    Subject::lookups(&shuffled(paths(&github())), move |path| {
        let found = router.at(path).expect("every path has a route");
        black_box(found.value);
        for (_, value) in found.params.iter() {
            black_box(value);
        }
    })
}

fn github_regexes() -> Vec<Regex> {
    let regexes = regexes(&github());
    let regexes = regexes
        .iter()
        .map(|regex| Regex::new(regex).expect("a regex"));
    regexes.collect()
}

/// "For each pattern: match, otherwise next", as in link.wsgi and the article.
fn plain_loop() -> Subject {
    let regexes = github_regexes();
    Subject::lookups(&shuffled(paths(&github())), move |path| {
        let mut patterns = regexes.iter().enumerate();
        let found = patterns.find_map(|(index, regex)| Some((index, regex.captures(path)?)));
        let (index, groups) = found.expect("every path has a route");
        black_box(index);
        for group in groups.iter().skip(1) {
            black_box(group.map(|group| group.as_str()));
        }
    })
}

/// The same by an author who knows that a search for groups takes longer.
fn is_match_loop() -> Subject {
    let regexes = github_regexes();
    Subject::lookups(&shuffled(paths(&github())), move |path| {
        let found = regexes.iter().position(|regex| regex.is_match(path));
        let index = black_box(found).expect("every path has a route");
        let groups = regexes[index].captures(path);
        for group in groups.iter().flat_map(|groups| groups.iter().skip(1)) {
            black_box(group.map(|group| group.as_str()));
        }
    })
}

fn actix() -> Subject {
    let mut router = actix_router::Router::<usize>::build();
    for (index, template) in github().into_iter().enumerate() {
        router.push(ResourceDef::new(template), index, ());
    }
    let router = router.finish();
    Subject::lookups(&shuffled(paths(&github())), move |path| {
        let mut path = actix_router::Path::new(path);
        black_box(router.recognize(&mut path).expect("every path has a route"));
        for (_, value) in path.iter() {
            black_box(value);
        }
    })
}

/// The routes of a large site: services, versions and resources, each with the same few actions.
fn site(routes: usize) -> Vec<String> {
    const ACTIONS: [&str; 10] = [
        "",
        "/{id}",
        "/{id}/edit",
        "/{id}/history",
        "/{id}/items",
        "/{id}/items/{item}",
        "/{id}/items/{item}/notes",
        "/search",
        "/{id}/owner",
        "/{id}/tags/{tag}",
    ];
    const RESOURCES: [&str; 10] = [
        "accounts",
        "bookings",
        "carriers",
        "documents",
        "events",
        "invoices",
        "orders",
        "parcels",
        "reports",
        "users",
    ];
    (0..routes)
        .map(|route| {
            let (action, resource) = (ACTIONS[route % 10], RESOURCES[route / 10 % 10]);
            let (version, service) = (route / 100 % 4, route / 400);
            format!("/service-{service}/v{version}/{resource}{action}")
        })
        .collect()
}

fn grown(routes: usize) -> Subject {
    let templates = site(routes);
    ours(table(&templates, Pattern::template), paths(&templates))
}

fn templates() -> Subject {
    ours(table(&github(), Pattern::template), paths(&github()))
}

fn not_lowerable() -> Subject {
    let lines = NOT_LOWERABLE
        .lines()
        .filter_map(|line| line.split_once('\t'));
    let (regexes, paths): (Vec<_>, Vec<_>) =
        lines.map(|(regex, path)| (regex, path.to_owned())).unzip();
    ours(table(&regexes, Pattern::regex), paths)
}

pub(crate) fn pairs() -> Vec<Pair> {
    let regexes = || ours(table(&regexes(&github()), Pattern::regex), paths(&github()));
    vec![
        Pair::new("dispatch/github-templates/matchit", || {
            (templates(), matchit())
        }),
        Pair::new("dispatch/github-regexes/matchit", move || {
            (regexes(), matchit())
        }),
        Pair::new("dispatch/not-lowerable/matchit", || {
            (not_lowerable(), matchit())
        }),
        Pair::new("dispatch/github-templates/plain-loop", || {
            (templates(), plain_loop())
        }),
        Pair::new("dispatch/github-templates/is-match-loop", || {
            (templates(), is_match_loop())
        }),
        Pair::new("dispatch/github-templates/actix-router", || {
            (templates(), actix())
        }),
        Pair::new("dispatch/four-args/axum-path", four_args),
        Pair::new("dispatch/10000-routes/10-routes", || {
            (grown(10_000), grown(10))
        }),
        Pair::new("dispatch/build-10000/matchit", || {
            let templates = site(10_000);
            let peer = templates.clone();
            (
                Subject::work(1, move || {
                    black_box(table(&templates, Pattern::template));
                }),
                Subject::work(1, move || {
                    black_box(matchit_of(&peer));
                }),
            )
        }),
    ]
}

/// Half of them begin with a literal of their own, half with the same parameter.
fn thousand_regexes() -> Vec<String> {
    (0..500)
        .flat_map(|i| {
            [
                format!(r"/files-{i}/(.+)/tags/(\w+)"),
                format!(r"/(.+)/tags-{i}/(\w+)"),
            ]
        })
        .collect()
}

/// A request whose path has four args, to a service that reads them.
fn four_args() -> (Subject, Subject) {
    let request = || {
        let mut request = Request::<ReqBody>::default();
        *request.uri_mut() = http::Uri::from_static("/one/two/three/four");
        request
    };
    let read = async |request: Request<ReqBody>| {
        let args = request
            .extensions()
            .get::<UrlArgs>()
            .expect("a route has matched");
        for position in 0..4 {
            black_box(args.get(position));
        }
        Ok(Response::new(Full::<Bytes>::default()))
    };
    let urls = Dispatch::typed()
        .get("/{a}/{b}/{c}/{d}", service_fn(read))
        .build();
    type Four = (String, String, String, String);
    let read = async |Path(args): Path<Four>| {
        black_box(args);
    };
    let router = axum::Router::new().route("/{a}/{b}/{c}/{d}", axum::routing::get(read));
    (
        Subject::with(request, urls.expect("a template")),
        Subject::with(request, router),
    )
}

pub(crate) fn builds() -> Vec<Build> {
    vec![
        Build::new("dispatch/10000-routes", || {
            table(&site(10_000), Pattern::template)
        }),
        Build::new("dispatch/10000-routes/matchit", || {
            matchit_of(&site(10_000))
        }),
        Build::new("dispatch/1000-regexes", || {
            table(&thousand_regexes(), Pattern::regex)
        }),
    ]
}

/// A path that none of a thousand regexes matches, and that all of them search to its end.
pub(crate) fn long_paths() -> Vec<(&'static str, fn() -> Subject)> {
    fn subject(length: usize) -> Subject {
        let table = table(&thousand_regexes(), Pattern::regex);
        let path = "/tags-a".repeat(length / 7);
        let mut subject = Subject::lookups(&[path], move |path| {
            black_box(table.find(path));
        });
        subject.turn = 1;
        subject
    }
    vec![
        ("dispatch/1000-regexes/path-of-1-KiB", || subject(1 << 10)),
        ("dispatch/1000-regexes/path-of-8-KiB", || subject(8 << 10)),
        ("dispatch/1000-regexes/path-of-64-KiB", || subject(64 << 10)),
    ]
}
