//! The dispatcher finds the route that the plain loop finds, "for each pattern: does it match? if
//! not, the next", with the same path parameters.

use std::{cell::Cell, convert::Infallible};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use percent_encoding::percent_decode_str;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use regex::Regex;
use tower::{ServiceExt, service_fn};
use tower_dispatch::{Audit, Dispatch, Endpoint, Pattern, Unreachable, UrlArgs};

/// The number of tables, and of paths for each.
const TABLES: u32 = 1_000;
const PATHS: usize = 100;

/// A part of a pattern: its form in a template (`#` becomes a name), if there is one, and its
/// regex.
type Piece = (Option<&'static str>, &'static str);

const PIECES: [Piece; 22] = [
    (Some("a"), "a"),
    (Some("b"), "b"),
    (Some("ab"), "ab"),
    (Some("ü"), "ü"),
    (Some("."), r"\."),
    (Some("{#}"), "([^/]+)"),
    (Some("{#}"), "([^/]+)"),
    (Some("{#}.{#}"), r"([^/]+)\.([^/]+)"),
    (Some("{#:int}"), "([0-9]+)"),
    (Some("{#:any(a,ab)}"), "(a|ab)"),
    (Some("{*#}"), "((?s:.)+)"),
    (Some("{#:[a|b?]}"), "(a|b?)"),
    (Some("{#:[.*]}"), "(.*)"),
    (None, "(a)?"),
    (None, "(?:b(a))?b"),
    (None, "((a)|b)"),
    (None, r"(\w+)"),
    (None, "(?:a|(b))*"),
    (None, "([a-zü]{2,3})"),
    (None, "(?i:AB)"),
    (None, r"a\b"),
    (None, "."),
];

/// A pattern's kind, segments of pieces, and an optional tail.
type Spec = (u8, Vec<Vec<usize>>, Option<usize>);

fn spec() -> impl Strategy<Value = Spec> {
    let segment = vec(0..PIECES.len(), 1..3);
    (
        0..8_u8,
        vec(segment, 1..3),
        proptest::option::of(0..PIECES.len()),
    )
}

/// Returns the pattern, and the equal regex for the plain loop.
fn pattern((kind, segments, tail): &Spec) -> (Pattern, Regex) {
    let pieces = || segments.iter().flatten().chain(tail);
    let is_template = *kind < 4 && pieces().all(|piece| PIECES[*piece].0.is_some());
    let mut regex = String::new();
    let mut template = String::new();
    for segment in segments {
        regex.push('/');
        template.push('/');
        for piece in segment {
            regex += PIECES[*piece].1;
            template += PIECES[*piece].0.unwrap_or_default();
        }
    }
    if let Some(tail) = tail {
        regex += &format!("(?:/{})?", PIECES[*tail].1);
        template += &format!("[/{}]", PIECES[*tail].0.unwrap_or_default());
    }
    let names = template.matches('#').count();
    for name in 0..names {
        template = template.replacen('#', &format!("n{name}"), 1);
    }
    let (pattern, alone) = match kind {
        _ if is_template => (Pattern::template(&template), format!(r"\A(?:{regex})\z")),
        0..6 => (Pattern::regex(&regex), format!(r"\A(?:{regex})\z")),
        6 => (Pattern::regex_prefix(&regex), format!(r"\A(?:{regex})")),
        _ => (Pattern::regex_search(&regex), regex),
    };
    (pattern.unwrap(), Regex::new(&alone).unwrap())
}

/// Returns raw paths. Their segments are of a few texts, some of them encoded.
fn path() -> impl Strategy<Value = String> {
    let text = proptest::sample::select(vec![
        "a", "a", "b", "b", "ab", "ab", "1", "20", ".", "a.b", "b.a.ab", "aba", "%61", "%C3%BC",
        "%2F", "%2fb", "%0A", "%3a", "~", "",
    ]);
    let segment = vec(text, 1..3).prop_map(|texts| texts.concat());
    vec(segment, 1..3).prop_map(|segments| format!("/{}", segments.join("/")))
}

type Reply = Option<(usize, Vec<Option<String>>)>;

/// Returns the match that the dispatcher's endpoint has seen.
fn dispatched(urls: &Dispatch<Endpoint<()>>, path: &str) -> Reply {
    let request = Request::get(path).body(()).unwrap();
    let response = urls
        .clone()
        .oneshot(request)
        .now_or_never()
        .unwrap()
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().now_or_never().unwrap().unwrap().to_bytes();
    (parts.status == 200).then(|| {
        let text = String::from_utf8(body.to_vec()).unwrap();
        let mut lines = text.split('\t');
        let index = lines.next().unwrap().parse().unwrap();
        let args = lines.map(|line| line.strip_prefix('=').map(str::to_owned));
        (index, args.collect())
    })
}

async fn seen(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let args = request.extensions().get::<UrlArgs>().unwrap();
    let values = (0..args.len()).map(|position| match args.get(position) {
        Some(value) => format!("\t={value}"),
        None => "\t-".into(),
    });
    let text = format!("{}{}", args.route_index(), values.collect::<String>());
    Ok(Response::new(text.into()))
}

#[test]
fn dispatch_1_the_dispatcher_finds_what_the_plain_loop_finds() {
    let config = Config {
        cases: TABLES,
        failure_persistence: None,
        ..Config::default()
    };
    let (cases, several, absent, decoded) =
        (Cell::new(0), Cell::new(0), Cell::new(0), Cell::new(0));
    let count = |counter: &Cell<u32>, yes: bool| counter.set(counter.get() + u32::from(yes));
    let strategy = (vec(spec(), 3..10), vec(path(), PATHS));
    let outcome = TestRunner::new(config).run(&strategy, |(specs, paths)| {
        let (patterns, regexes): (Vec<_>, Vec<_>) = specs.iter().map(pattern).unzip();
        let builder = patterns
            .iter()
            .fold(Dispatch::builder(), |builder, pattern| {
                builder.route(pattern.clone(), service_fn(seen))
            });
        let urls = builder.build().unwrap();
        // The audit takes longer than all the rest.
        let is_audited = cases.get() % (10 * PATHS as u32) == 0;
        let audit = if is_audited {
            urls.audit()
        } else {
            Audit::default()
        };
        let unreachable = audit.unreachable().iter();
        let unreachable: Vec<usize> = unreachable.map(Unreachable::route).collect();
        for path in paths {
            // Decoded once. An encoded slash is another character until the parameters are read.
            let stands_in = path.replace("%2F", "\u{1a}").replace("%2f", "\u{1a}");
            let text = percent_decode_str(&stands_in).decode_utf8().unwrap();
            let matching = |regex: &&Regex| regex.is_match(&text);
            let first = regexes.iter().position(|regex| regex.is_match(&text));
            let expected: Reply = first.map(|index| {
                let groups = regexes[index].captures(&text).unwrap();
                let value = |group: regex::Match<'_>| group.as_str().replace('\u{1a}', "/");
                (
                    index,
                    groups
                        .iter()
                        .skip(1)
                        .map(|group| group.map(value))
                        .collect(),
                )
            });
            count(&cases, true);
            count(&several, regexes.iter().filter(matching).nth(1).is_some());
            count(&decoded, *text != *path);
            let is_absent = |(_, args): &(_, Vec<Option<String>>)| args.contains(&None);
            count(&absent, expected.as_ref().is_some_and(is_absent));
            if let Some(index) = first {
                prop_assert!(!unreachable.contains(&index), "{path}\n{audit}");
            }
            prop_assert_eq!(dispatched(&urls, &path), expected, "{}", path);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let share = |counter: Cell<u32>| 100 * counter.get() / cases.get();
    let shares = [share(several), share(absent), share(decoded)];
    println!(
        "{} cases; two or more patterns match in {} %, a group is absent in {} %, a character is decoded in {} %",
        cases.get(),
        shares[0],
        shares[1],
        shares[2]
    );
    assert!(shares.iter().all(|share| *share >= 5));
}
