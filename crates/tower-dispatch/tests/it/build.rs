//! The errors of `build()`, for routes that cannot be used.

use std::{convert::Infallible, error::Error, io};

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};

use tower_dispatch::{
    BoxError, Boxed, BuildDispatchError, BuildDispatchErrorKind as Kind, Builder, Dispatch,
    DispatchLayer, Endpoint, Pattern, PatternError, TableError, View,
};
use tower_http::cors::CorsLayer;

use crate::probe::says;

fn error(builder: Builder<Endpoint<()>, Boxed>) -> String {
    builder.build().unwrap_err().to_string()
}

fn source<E: Error + 'static>(error: &BuildDispatchError) -> &E {
    error
        .source()
        .and_then(|source| source.downcast_ref())
        .unwrap()
}

#[test]
fn dispatch_17_an_error_has_route_pattern_and_column() {
    let builder = Dispatch::builder()
        .route("/a", says("a"))
        .route("/b/{", says("b"))
        .route("c", says("c"));
    let error = builder.build().unwrap_err();
    assert_eq!((error.kind(), error.route()), (Kind::Pattern, Some(1)));
    assert_eq!(error.to_string(), "route 1: the pattern is not valid");
    let source: &PatternError = source(&error);
    assert_eq!((source.pattern(), source.column()), ("/b/{", 4));
    assert_eq!(
        source.to_string(),
        "pattern \"/b/{\", column 4: a `{` that is not closed; write `{{` for a brace"
    );
}

#[test]
fn dispatch_17_a_name_is_set_once_and_after_its_route() {
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
        "route 0: the name \"x\" is before the first route; a name follows its route"
    );
}

#[test]
fn dispatch_19_routes_of_too_much_memory_are_rejected() {
    let large = Pattern::regex(r"/(?:\w{100}){100}").unwrap();
    let builder = Dispatch::builder()
        .route("/", says("small"))
        .route(large, says("large"));
    let error = builder.build().unwrap_err();
    assert_eq!((error.kind(), error.route()), (Kind::Table, Some(1)));
    assert_eq!(error.to_string(), "route 1: the pattern cannot be compiled");
    let source: &TableError = source(&error);
    assert_eq!((source.index(), source.limit()), (Some(1), Some(10 << 20)));
    assert_eq!(
        source.to_string(),
        "pattern \"/(?:\\\\w{100}){100}\": compiled, it exceeds the limit of 10485760 bytes"
    );
}

#[test]
fn dispatch_3_a_template_may_be_a_string() {
    let template = String::from("/a");
    Dispatch::builder()
        .route(&template, says("a"))
        .route(template, says("b"))
        .build()
        .unwrap();
}

#[test]
fn dispatch_15_debug_lists_the_routes() {
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

#[test]
fn dispatch_15_builder_needs_no_annotation() -> Result<(), BuildDispatchError> {
    async fn hello(_: Request<()>) -> Result<Response<String>, Infallible> {
        Ok(Response::new("hello".to_owned()))
    }
    let urls = Dispatch::builder()
        .get("/hello", service_fn(hello))
        .build()?;
    assert!(urls.audit().is_empty());
    Ok(())
}

#[tokio::test]
async fn dispatch_15_endpoints_may_all_have_one_error() -> Result<(), BoxError> {
    async fn fails(_: Request<()>) -> Result<Response<String>, io::Error> {
        Err(io::Error::other("no disk"))
    }
    let urls = Dispatch::builder()
        .get("/a", service_fn(fails))
        .post("/a", service_fn(fails))
        .build()?;
    let error = urls
        .oneshot(Request::get("/a").body(())?)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "no disk");
    Ok(())
}

#[tokio::test]
async fn dispatch_15_fallible_takes_endpoints_of_any_error() -> Result<(), BoxError> {
    async fn fails(_: Request<()>) -> Result<Response<String>, BoxError> {
        Err("no disk".into())
    }
    let mounted = Dispatch::builder().get("/x", says("mounted")).build()?;
    let urls = Dispatch::fallible()
        .get("/a", says("a"))
        .get("/b", service_fn(fails))
        .layer(CorsLayer::permissive())
        .get(
            "/c",
            service_fn(async |_: Request<()>| Err::<Response<String>, _>(io::Error::other("io"))),
        )
        .mount("/m", mounted)
        .build()?;
    for (path, expected) in [
        ("/a", Ok(200)),
        ("/b", Err("no disk")),
        ("/c", Err("io")),
        ("/m/x", Ok(200)),
        ("/d", Ok(404)),
    ] {
        let response = urls.clone().oneshot(Request::get(path).body(())?).await;
        let got = response.map(|response| response.status().as_u16());
        let got = got.map_err(|error| error.to_string());
        assert_eq!(got, expected.map_err(str::to_owned), "{path}");
    }
    // In front of a service with an error of its own, and in a task.
    let rest = service_fn(async |_: Request<()>| Err::<Response<String>, BoxError>("rest".into()));
    let app = DispatchLayer::new(urls).layer(rest);
    let task = tokio::spawn(app.oneshot(Request::get("/d").body(())?));
    assert_eq!(task.await?.unwrap_err().to_string(), "rest");
    Ok(())
}
