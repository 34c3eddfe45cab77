//! Error documents: a request whose response passes, and a page in place of a failed response.

use std::{convert::Infallible, env, fs, hint::black_box, pin::pin, process};

use axum::{Router, response::Html, routing::get};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    runtime,
};
use tower::{BoxError, Layer, Service, service_fn};
use tower_error_document::{Document, ErrorDocumentLayer};
use tower_static::Files;

use crate::{Pair, ReqBody, Subject, answers, browser_request, stack::five_layers};

const PATH: &str = "/404.html";
static PAGE: [u8; 4096] = [b'x'; 4096];

/// Documents of both kinds that keep something of a request.
fn negotiated() -> ErrorDocumentLayer {
    ErrorDocumentLayer::new().all_errors(Document::negotiated())
}

fn pages() -> ErrorDocumentLayer {
    let document = Document::service(router(), PATH).expect("it is a path");
    ErrorDocumentLayer::new().all_errors(document)
}

fn router() -> Router {
    let page = std::str::from_utf8(&PAGE).expect("the page is text");
    Router::new().route(PATH, get(async move || Html(page)))
}

/// A directory with the page. It stays, because other processes measure with it at the same time.
fn files() -> Files {
    let directory = env::temp_dir().join("ratios-error-document");
    fs::create_dir_all(&directory).expect("the directory can be made");
    let path = directory.join(&PATH[1..]);
    if !path.exists() {
        let new = directory.join(process::id().to_string());
        fs::write(&new, PAGE).expect("the page can be written");
        fs::rename(new, path).expect("the page can be renamed");
    }
    Files::new(directory)
}

/// The same browser asks for the page itself.
fn page_request() -> Request<ReqBody> {
    let mut request = browser_request();
    *request.uri_mut() = Uri::from_static(PATH);
    request
}

/// As axum's extractors fail: a short text.
async fn fails(_: Request<ReqBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("Cannot parse `id` to a `u32`"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

/// A failed request, and one for the page instead of its body.
fn two_requests() -> Request<Request<ReqBody>> {
    browser_request().map(|_| page_request())
}

/// The failed call and that of the page, one after the other. No layer can do with less.
fn two_calls<S, B>(
    pages: S,
) -> impl Service<Request<Request<ReqBody>>, Response = Response<B>, Error = Infallible>
where
    S: Service<Request<ReqBody>, Response = Response<B>, Error = Infallible> + Clone,
{
    service_fn(move |request: Request<Request<ReqBody>>| {
        let mut pages = pages.clone();
        async move {
            let (head, page) = request.into_parts();
            let failed = fails(Request::from_parts(head, Full::default())).await;
            drop(black_box(failed));
            pages.call(page).await
        }
    })
}

/// A service that may wait for the disk, though it hardly ever does.
fn waiting<S, R, B>(request: fn() -> Request<R>, mut service: S) -> Subject
where
    S: Service<Request<R>, Response = Response<B>, Error = Infallible> + 'static,
    R: 'static,
    B: Body<Data = Bytes>,
{
    let runtime = runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without a driver");
    Subject {
        turn: 50,
        run: Box::new(move |times, meter| {
            let mut requests: Vec<_> = (0..times).map(|_| request()).collect();
            meter(&mut || {
                runtime.block_on(async {
                    for request in requests.drain(..) {
                        let Ok(response) = service.call(request).await;
                        let mut body = pin!(response.into_body());
                        while let Some(frame) = body.frame().await {
                            black_box(frame.ok());
                        }
                    }
                });
            });
        }),
    }
}

/// A router behind hyper's HTTP/1, from the bytes of a request to those of the response, without a
/// socket.
fn served<S, B>(app: S) -> Subject
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let runtime = runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without a driver");
    let (mut client, server) = duplex(1 << 16);
    let service = TowerToHyperService::new(app);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(server), service);
    runtime.spawn(connection);
    let head = include_str!("fixtures/browser-head.txt");
    let (_, fields) = head.split_once('\n').expect("the fixture has lines");
    let request = format!("GET {PATH} HTTP/1.1\n{fields}\n").replace('\n', "\r\n");
    let mut response = vec![0; 1 << 16];
    Subject::work(50, move || {
        runtime.block_on(async {
            let sent = client.write_all(request.as_bytes()).await;
            sent.expect("the server reads");
            let mut length = 0;
            // The page is the end of the response.
            while !response[..length].ends_with(&PAGE) {
                let read = client.read(&mut response[length..]).await;
                length += read.expect("the server writes");
            }
        });
    })
}

pub(crate) fn layered() -> Vec<(&'static str, Subject)> {
    vec![
        (
            "error-document-negotiated",
            Subject::new(negotiated().layer(service_fn(answers))),
        ),
        (
            "error-document-pages",
            Subject::new(pages().layer(service_fn(answers))),
        ),
    ]
}

pub(crate) fn pairs() -> Vec<Pair> {
    vec![
        Pair::new("error-document/passes/five-layers", || {
            (
                Subject::new(pages().layer(five_layers())),
                Subject::new(five_layers()),
            )
        }),
        Pair::new("error-document/passes-negotiated/five-layers", || {
            (
                Subject::new(negotiated().layer(five_layers())),
                Subject::new(five_layers()),
            )
        }),
        Pair::new("error-document/passes/axum-server", || {
            (served(pages().layer(router())), served(router()))
        }),
        Pair::new("error-document/passes-negotiated/axum-server", || {
            (served(negotiated().layer(router())), served(router()))
        }),
        Pair::new("error-document/replaced/file", || {
            (replaced_file(), waiting(page_request, files()))
        }),
        Pair::new("error-document/replaced/file-two-calls", || {
            (replaced_file(), waiting(two_requests, two_calls(files())))
        }),
        Pair::new("error-document/replaced/axum-route", || {
            (
                Subject::new(pages().layer(service_fn(fails))),
                Subject::with(page_request, router()),
            )
        }),
        Pair::new("error-document/replaced/axum-route-two-calls", || {
            (
                Subject::new(pages().layer(service_fn(fails))),
                Subject::with(two_requests, two_calls(router())),
            )
        }),
    ]
}

fn replaced_file() -> Subject {
    let document = Document::service(files(), PATH).expect("it is a path");
    let layer = ErrorDocumentLayer::new().all_errors(document);
    waiting(browser_request, layer.layer(service_fn(fails)))
}
