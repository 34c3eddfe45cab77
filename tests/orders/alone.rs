//! Each layer by itself, watched on both sides, around services of three kinds. Their responses are
//! the same as without it.

use std::path::Path;

use axum::{Router, routing::get};
use http::Method;
use tower::service_fn;
use tower_http::services::ServeDir;

use crate::{
    requests::{Answered, Came, ask},
    stack::{Kind, Layers, MOUNTED_AT, PREFIX, Stack, UNMOUNTED, boxed, rest},
};

/// Services that respond with a page, a text and a 404, or with 405.
fn apps() -> [(&'static str, Stack); 3] {
    let router: Router = Router::new()
        .route("/page", get(async || axum::response::Html("<p>\n<p>\n")))
        .route("/text", get(async || "one\ntwo"));
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/site/files");
    [
        ("a plain app", boxed(service_fn(rest))),
        ("axum's router", boxed(router)),
        ("tower-http's files", boxed(ServeDir::new(files))),
    ]
}

async fn answered(stack: &Stack, method: &Method, path: &str) -> Answered {
    match ask(stack, method, path).await {
        Came::Response(came) if came.error.is_none() => came,
        other => panic!("{method} {path}: {other:?}"),
    }
}

#[tokio::test]
async fn a_service_in_one_layer_responds_as_without_it() {
    let layers = Layers::new();
    let paths = ["/", "/page", "/text", "/notes.txt", "/nowhere", "/%ff"];
    let methods = [Method::GET, Method::HEAD, Method::PUT, Method::OPTIONS];
    for (name, app) in apps() {
        for kind in UNMOUNTED.into_iter().chain([Kind::Mount]) {
            let stack = layers.stack_on(&[kind], app.clone());
            for (path, method) in paths
                .iter()
                .flat_map(|path| methods.iter().map(move |m| (path, m)))
            {
                let without = answered(&app, method, path).await;
                let with = match kind {
                    Kind::Mount => answered(&stack, method, &format!("{MOUNTED_AT}{path}")).await,
                    _ => answered(&stack, method, path).await,
                };
                let what = format!("{name} in {kind:?}: {method} {path}");
                let notes = layers.told.take();
                assert!(
                    notes.violations.is_empty(),
                    "{what}: {:?}",
                    notes.violations
                );
                assert!(notes.incidents.is_empty(), "{what}");
                assert_eq!(with.status, without.status, "{what}");
                for header in ["content-type", "allow"] {
                    assert_eq!(
                        with.headers.get(header),
                        without.headers.get(header),
                        "{what}"
                    );
                }
                // The app's report of its layers differs.
                if name == "a plain app" && *path == "/text" {
                    continue;
                }
                let text = without.headers.get("content-type");
                let text = text.is_some_and(|value| value.as_bytes().starts_with(b"text/plain"));
                let prefix = if kind == Kind::Prefix && text {
                    PREFIX
                } else {
                    ""
                };
                let lines = without.body.split_inclusive(|byte| *byte == b'\n');
                let expected: Vec<u8> = lines
                    .flat_map(|line| [prefix.as_bytes(), line].concat())
                    .collect();
                assert_eq!(with.body, expected, "{what}");
            }
        }
    }
}
