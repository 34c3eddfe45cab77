//! Five layers around a page of a few KB, and the page by itself.

use std::{convert::Infallible, future::ready};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE, request::Parts};
use http_body::Body;
use http_body_util::Full;
use tower::{BoxError, Layer, Service, ServiceBuilder, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::{CascadeLayer, Lookup};
use tower_dispatch::{Dispatch, DispatchLayer};
use tower_environ::{EnvironLayer, Key};
use tower_exception::ExceptionLayer;
use tower_kit::EitherBody;

use super::{ReqBody, Subject, answers, not_found};

const HELLO: Key<&'static str> = Key::new("bench.hello");
/// A text of lines.
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

fn typed(content_type: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(Bytes::from_static(&PAGE)));
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Pages in memory, one for each of these paths.
fn looks<B>(
    paths: &'static [&str],
) -> Lookup<impl Fn(&Parts) -> Option<Response<EitherBody<B>>> + Clone> {
    let page = || page().map(EitherBody::own);
    Lookup::new(move |head: &Parts| paths.contains(&head.uri.path()).then(page))
}

/// The same as a service, which takes a request.
async fn serves<B>(
    paths: &[&str],
    request: Request<B>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if paths.contains(&request.uri().path()) {
        return Ok(page());
    }
    not_found(request).await
}

const OTHERS: &[&str] = &["/", "/about"];
const THIS: &[&str] = &["/", "/hello/John"];

/// Two routes, and a fallback for all other paths.
fn routes<B: Send + 'static>(
    route: Answer,
) -> impl Service<
    Request<B>,
    Response = Response<EitherBody<impl Body<Data = Bytes, Error = BoxError>>>,
    Error = Infallible,
> + Clone {
    let urls = Dispatch::builder()
        .get("/other/{name}", service_fn(answers))
        .get(
            "/hello/{name}",
            service_fn(move |_| ready(Ok::<_, Infallible>(route()))),
        )
        .build();
    let urls = urls.expect("the templates are well-formed");
    DispatchLayer::new(urls).layer(service_fn(not_found))
}

/// The stack of the README, around the cascade.
fn layers<S, B>(
    cascade: S,
) -> impl Service<
    Request<ReqBody>,
    Response = Response<impl Body<Data = Bytes, Error: Into<BoxError>>>,
    Error = Infallible,
> + Clone
where
    S: Service<Request<ReqBody>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + 'static,
{
    ServiceBuilder::new()
        .layer(ExceptionLayer::production(|_| {}))
        .layer(EnvironLayer::new(HELLO, "Hello World"))
        .layer(PrefixLayer::new("> "))
        .service(cascade)
}

fn around<S, B>(cascade: S) -> Subject
where
    S: Service<Request<ReqBody>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + 'static,
{
    Subject::new(layers(cascade))
}

/// The five layers around a page, for a layer around them.
pub(crate) fn five_layers() -> impl Service<
    Request<ReqBody>,
    Response = Response<impl Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static>,
    Error = Infallible,
> + Clone {
    layers(looks(OTHERS).layer(routes(page)))
}

fn bare(answer: Answer) -> Subject {
    Subject::new(service_fn(move |_| ready(Ok::<_, Infallible>(answer()))))
}

/// A stack, and the same page without it.
pub(crate) fn stacks() -> Vec<(&'static str, Subject, Subject)> {
    let service = CascadeLayer::new(service_fn(|request| serves(OTHERS, request)));
    vec![
        (
            "stack/five-layers",
            around(looks(OTHERS).layer(routes(page))),
            bare(page),
        ),
        (
            "stack/first-app-answers",
            around(looks(THIS).layer(routes(page))),
            bare(page),
        ),
        (
            "stack/first-app-takes-a-request",
            around(service.layer(routes(page))),
            bare(page),
        ),
        (
            "stack/text-of-64-lines",
            around(looks(OTHERS).layer(routes(text))),
            bare(text),
        ),
    ]
}
