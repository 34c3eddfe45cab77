//! From a route's name and parameters to a path, and back.

use std::fmt::Display;

use http::Method;
use proptest::{prelude::*, sample::select};
use tower_dispatch::{Dispatch, Endpoint, Pattern};

use crate::probe::{ask, says};

fn urls() -> Dispatch<Endpoint<()>> {
    let regex = |regex| Pattern::regex(regex).unwrap();
    Dispatch::builder()
        .route("/users/{id:int}/files/{*path}", says("file"))
        .name("file")
        .route("/p/{x}", says("segment"))
        .name("segment")
        .get("/posts[/{page:int}[-{size:int}]]", says("posts"))
        .name("posts")
        .post("/ü {{/{a}.{b}", says("text"))
        .name("text")
        .route(
            regex("^/re/(?P<word>[a-z]+)(?:/(?P<rest>.+))?$"),
            says("regex"),
        )
        .name("regex")
        .route(regex("/re/([a-z]+)"), says("positional"))
        .name("positional")
        .route(regex("/(?:a|b)/(?P<x>.)"), says("either"))
        .name("either")
        .mount("/wiki/{lang}", says("mount"))
        .name("mount")
        .route(regex("/?(?P<x>.*)"), says("anything"))
        .name("anything")
        .route(
            Pattern::regex_search("(?P<x>[a-z:/.]*)$").unwrap(),
            says("search"),
        )
        .name("search")
        .route(regex("(?:/(?P<x>a)){2}"), says("twice"))
        .name("twice")
        .mount("/", says("root"))
        .name("root")
        .route("/{*all}", says("all"))
        .name("all")
        .build()
        .unwrap()
}

#[test]
fn dispatch_12_a_name_and_parameters_make_a_path() {
    type Args<'a> = &'a [(&'a str, &'a dyn Display)];
    let table: &[(&str, Args<'_>, &str)] = &[
        (
            "file",
            &[("id", &7), ("path", &"a/b c")],
            "/users/7/files/a/b%20c",
        ),
        (
            "file",
            &[("path", &"/"), ("id", &"007")],
            "/users/007/files//",
        ),
        ("segment", &[("x", &"a/b")], "/p/a%2Fb"),
        ("segment", &[("x", &"%2F?#ü")], "/p/%252F%3F%23%C3%BC"),
        ("segment", &[("x", &"...")], "/p/..."),
        ("posts", &[], "/posts"),
        ("posts", &[("page", &2)], "/posts/2"),
        ("posts", &[("size", &9), ("page", &2)], "/posts/2-9"),
        ("text", &[("a", &"x.y"), ("b", &"z")], "/%C3%BC%20%7B/x.y.z"),
        ("regex", &[("word", &"w")], "/re/w"),
        ("regex", &[("word", &"w"), ("rest", &"a/b")], "/re/w/a/b"),
        ("mount", &[("lang", &"de")], "/wiki/de"),
        ("root", &[], "/"),
        // Not `//example.org`, which would be a host.
        ("all", &[("all", &"/example.org")], "/%2Fexample.org"),
    ];
    for (name, args, url) in table {
        assert_eq!(urls().url_for(name, args).as_deref(), Ok(*url));
    }
}

#[test]
fn dispatch_12_an_error_has_the_reason() {
    type Args<'a> = &'a [(&'a str, &'a dyn Display)];
    let table: &[(&str, Args<'_>, &str)] = &[
        (
            "twice",
            &[("x", &"a")],
            "url_for \"twice\": \"(?:/(?P<x>a)){2}\" is more than literals, named groups and an optional end, so it cannot be filled in",
        ),
        (
            "segment",
            &[("x", &1), ("x", &2)],
            "url_for \"segment\": duplicate value for `x`",
        ),
        (
            "search",
            &[("x", &"https://example.org/a")],
            "url_for \"search\": \"https://example.org/a\" does not begin with a slash",
        ),
        (
            "anything",
            &[("x", &"javascript:x")],
            "url_for \"anything\": \"javascript:x\" does not begin with a slash",
        ),
        (
            "anything",
            &[("x", &"")],
            "url_for \"anything\": \"\" does not begin with a slash",
        ),
        ("none", &[], "url_for \"none\": no route has this name"),
        (
            "segment",
            &[],
            "url_for \"segment\": \"/p/{x}\" needs a value for `x`",
        ),
        (
            "segment",
            &[("x", &1), ("y", &1)],
            "url_for \"segment\": \"/p/{x}\" has no `y`",
        ),
        (
            "segment",
            &[("x", &"..")],
            "url_for \"segment\": \"/p/..\" has a `.` or `..` segment, which clients resolve",
        ),
        (
            "file",
            &[("id", &1), ("path", &"a/./b")],
            "url_for \"file\": \"/users/1/files/a/./b\" has a `.` or `..` segment, which clients resolve",
        ),
        (
            "file",
            &[("id", &"x"), ("path", &"a")],
            "url_for \"file\": \"/users/x/files/a\" is not read by \"/users/{id:int}/files/{*path}\" as the same values",
        ),
        (
            "segment",
            &[("x", &"")],
            "url_for \"segment\": \"/p/\" is not read by \"/p/{x}\" as the same values",
        ),
        (
            "text",
            &[("a", &"x"), ("b", &"y.z")],
            "url_for \"text\": \"/%C3%BC%20%7B/x.y.z\" is not read by \"/ü {{/{a}.{b}\" as the same values",
        ),
        (
            "posts",
            &[("size", &9)],
            "url_for \"posts\": \"/posts[/{page:int}[-{size:int}]]\" needs a value for `page`",
        ),
        (
            "positional",
            &[],
            "url_for \"positional\": \"/re/([a-z]+)\" is more than literals, named groups and an optional end, so it cannot be filled in",
        ),
        (
            "either",
            &[("x", &1)],
            "url_for \"either\": \"/(?:a|b)/(?P<x>.)\" is more than literals, named groups and an optional end, so it cannot be filled in",
        ),
    ];
    for (name, args, text) in table {
        assert_eq!(urls().url_for(name, args).unwrap_err().to_string(), *text);
    }
}

#[test]
fn dispatch_12_a_path_has_its_stripped_slash() {
    let urls = Dispatch::builder()
        .route(Pattern::regex("hello/(?P<name>.+)").unwrap(), says("hello"))
        .name("hello")
        .without_leading_slashes()
        .build()
        .unwrap();
    let url = urls.url_for("hello", &[("name", &"a b")]);
    assert_eq!(url.as_deref(), Ok("/hello/a%20b"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dispatch_12_a_path_leads_back_to_its_parameters(
        name in select(vec!["file", "segment", "text", "regex", "all", "mount"]),
        one in "[a-z0-9./%ü \u{1a}\n?#:;=]{0,6}",
        other in "[a-z0-9./%ü \u{1a}\n?#:;=]{0,6}",
        id in 0..100_u8,
    ) {
        let args: &[(&str, &dyn Display)] = match name {
            "file" => &[("id", &id), ("path", &one)],
            "segment" => &[("x", &one)],
            "text" => &[("a", &one), ("b", &other)],
            "regex" => &[("word", &"w"), ("rest", &one)],
            "mount" => &[("lang", &one)],
            _ => &[("all", &one)],
        };
        let urls = urls();
        if let Ok(url) = urls.url_for(name, args) {
            prop_assert!(url.starts_with('/') && !url.starts_with("//"));
            let method = if name == "text" { Method::POST } else { Method::GET };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (_, _, text) = runtime.block_on(ask(urls, method.clone(), &url));
            let values: Vec<String> =
                args.iter().map(|(name, value)| format!("{name}={value}")).collect();
            // An earlier route may take the path.
            if text.starts_with(name) {
                prop_assert_eq!(text, format!("{name} {method} [{}]", values.join(" ")));
            }
        }
    }
}
