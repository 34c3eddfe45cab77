//! A server for `just load`, on one thread: the page of a few KB by itself, or in five layers whose
//! first service is in memory.
//!
//! `load bare`, `load stack`, or `load service`, where the first service is not looked up but takes
//! a request of its own. It prints its address, and ends at SIGTERM.

use std::{convert::Infallible, env, error::Error, future::ready};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use http_body_util::Full;
use tower::{BoxError, Layer, Service, ServiceBuilder, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::{CascadeLayer, Lookup};
use tower_dispatch::{BuildDispatchError, Dispatch, DispatchLayer, Endpoint};
use tower_environ::{EnvironLayer, Key};
use tower_exception::ExceptionLayer;
use tower_kit::EitherBody;
use tower_serve::{Address, Bound, RequestBody, Server, Shutdown};

/// Without it, glibc allocates blocks of more than a KB, such as the headers of a browser's
/// request, on a slow path, whose time depends on all other blocks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HELLO: Key<&'static str> = Key::new("bench.hello");
static PAGE: [u8; 4096] = [b'x'; 4096];

type Answer = Result<Response<Full<Bytes>>, Infallible>;

fn page() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(Bytes::from_static(&PAGE)));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}

/// The first service: one page, at another path.
fn look(head: &Parts) -> Option<Response<Full<Bytes>>> {
    (head.uri.path() == "/about").then(page)
}

async fn first<B>(request: Request<B>) -> Answer {
    let (head, _) = request.into_parts();
    Ok(look(&head).unwrap_or_else(|| {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    }))
}

/// The services after the first one.
fn routes<B: Send + 'static>() -> Result<
    impl Service<
        Request<B>,
        Response = Response<
            EitherBody<impl http_body::Body<Data = Bytes, Error = BoxError> + Send>,
        >,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static,
    BuildDispatchError,
> {
    let urls: Dispatch<Endpoint<B>> = Dispatch::builder()
        .get("/hello/{name}", service_fn(|_| ready(Ok(page()))))
        .build()?;
    Ok(DispatchLayer::new(urls).layer(service_fn(|_| ready(Answer::Ok(Response::default())))))
}

/// The layers around the cascade.
async fn serve<S, B>(server: Bound, shutdown: Shutdown, cascade: S) -> Result<(), Box<dyn Error>>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    let app = ServiceBuilder::new()
        .layer(ExceptionLayer::production(|_| {}))
        .layer(EnvironLayer::new(HELLO, "Hello World"))
        .layer(PrefixLayer::new("yikes: "))
        .service(cascade);
    Ok(server.serve(app, shutdown).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let shutdown = Shutdown::signals()?;
    let server = Server::new(Address::Tcp("127.0.0.1:0".to_owned()));
    let server = server.bind().await?;
    for address in server.addresses() {
        println!("listening on {address}");
    }
    match env::args().nth(1).as_deref() {
        Some("stack") => {
            let first = Lookup::new(|head| Some(look(head)?.map(EitherBody::own)));
            let first = first.layer(routes()?);
            serve(server, shutdown, first).await
        }
        Some("service") => {
            let first = CascadeLayer::new(service_fn(first));
            serve(server, shutdown, first.layer(routes()?)).await
        }
        Some("bare") => {
            let bare = service_fn(|_: Request<RequestBody>| ready(Answer::Ok(page())));
            Ok(server.serve(bare, shutdown).await?)
        }
        _ => Err("say `bare`, `stack` or `service`".into()),
    }
}
