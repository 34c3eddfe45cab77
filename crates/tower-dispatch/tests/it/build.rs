//! What `build()` says of routes that cannot be used.

use tower_dispatch::{Boxed, Builder, Dispatch, Endpoint, Pattern, View};

use crate::probe::says;

fn error(builder: Builder<Endpoint<()>, Boxed>) -> String {
    builder.build().unwrap_err().to_string()
}

#[test]
fn an_error_names_the_route_the_pattern_and_the_column() {
    let builder = Dispatch::builder()
        .route("/a", says("a"))
        .route("/b/{", says("b"))
        .route("c", says("c"));
    assert_eq!(
        error(builder),
        "route 1: pattern \"/b/{\", column 4: a `{` that is not closed; write `{{` for a brace"
    );
}

#[test]
fn a_name_is_given_once_and_after_its_route() {
    let builder = Dispatch::builder()
        .route("/a", says("a"))
        .name("x")
        .route("/b", says("b"))
        .route("/c", says("c"))
        .name("x");
    assert_eq!(
        error(builder),
        "route 2: the name \"x\" already belongs to route 0"
    );
    assert_eq!(
        error(
            Dispatch::builder()
                .route("/a", says("a"))
                .name("x")
                .name("y")
        ),
        "route 0: it is named \"x\" and \"y\"; a route has one name"
    );
    let empty = View::<(), ()>::new(());
    assert_eq!(
        error(Dispatch::builder().get("/", says("x")).view("/a", empty)),
        "route 1: a view without methods"
    );
    assert_eq!(
        error(Dispatch::builder().name("x").route("/a", says("a"))),
        "route 0: the name \"x\" stands before the first route; a name follows the route that it is for"
    );
}

#[test]
fn routes_that_take_too_much_memory_are_refused() {
    let large = Pattern::regex(r"/(?:\w{100}){100}").unwrap();
    let builder = Dispatch::builder()
        .route("/", says("small"))
        .route(large, says("large"));
    let error = builder.build().unwrap_err();
    assert_eq!(error.route(), Some(1));
    assert_eq!(
        error.to_string(),
        "route 1: pattern \"/(?:\\\\w{100}){100}\": compiled, it exceeds the limit of 10485760 bytes"
    );
}

#[test]
fn a_template_may_come_from_configuration() {
    let template = String::from("/a");
    Dispatch::builder()
        .route(&template, says("a"))
        .route(template, says("b"))
        .build()
        .unwrap();
}

#[test]
fn debug_lists_the_routes() {
    let urls = Dispatch::builder()
        .get("/a", says("a"))
        .route("/b", says("b"))
        .build()
        .unwrap();
    assert_eq!(
        format!("{urls:?}"),
        r#"Dispatch { routes: {"GET": "/a", "*": "/b"} }"#
    );
}
