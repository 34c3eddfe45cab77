//! Five layers around a page of a few KB, and the page by itself.

use std::{convert::Infallible, future::ready};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use tower::{ServiceBuilder, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::CascadeLayer;
use tower_dispatch::{Dispatch, DispatchLayer};
use tower_environ::{EnvironLayer, Key};
use tower_exception::ExceptionLayer;

use super::{Subject, answers, not_found};

const HELLO: Key<&'static str> = Key::new("bench.hello");
/// In lines, as a text is.
static PAGE: [u8; 4096] = {
    let mut page = [b'x'; 4096];
    let mut at = 63;
    while at < page.len() {
        page[at] = b'\n';
        at += 64;
    }
    page
};

type Answer = fn() -> Response<Full<Bytes>>;

fn page() -> Response<Full<Bytes>> {
    typed("text/html; charset=utf-8")
}

fn text() -> Response<Full<Bytes>> {
    typed("text/plain; charset=utf-8")
}

fn none() -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn typed(content_type: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(Bytes::from_static(&PAGE)));
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// The stack of the README: the first app is asked before the routes, of which one is the other one.
fn five(first: Answer, route: Answer) -> Subject {
    let urls = Dispatch::builder()
        .get("/other/{name}", service_fn(answers))
        .get(
            "/hello/{name}",
            service_fn(move |_| ready(Ok::<_, Infallible>(route()))),
        )
        .build();
    let layers = ServiceBuilder::new()
        .layer(ExceptionLayer::production(|_| {}))
        .layer(EnvironLayer::new(HELLO, "Hello World"))
        .layer(PrefixLayer::new("> "))
        .layer(CascadeLayer::new(service_fn(move |_| {
            ready(Ok::<_, Infallible>(first()))
        })))
        .layer(DispatchLayer::new(
            urls.expect("the templates are well-formed"),
        ));
    Subject::new(layers.service(service_fn(not_found)))
}

fn bare(answer: Answer) -> Subject {
    Subject::new(service_fn(move |_| ready(Ok::<_, Infallible>(answer()))))
}

/// A stack, and the same page without it.
pub(crate) fn stacks() -> Vec<(&'static str, Subject, Subject)> {
    vec![
        ("stack/five-layers", five(none, page), bare(page)),
        ("stack/first-app-answers", five(page, page), bare(page)),
        ("stack/text-of-64-lines", five(none, text), bare(text)),
    ]
}
