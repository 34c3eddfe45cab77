//! A server for `just load`: the page of a few KB by itself, or in five layers whose first app is in memory, on one thread.
//!
//! `load bare` or `load stack`; it says where it listens, and ends at SIGTERM.

use std::{convert::Infallible, env, error::Error, future::ready};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use tower::{ServiceBuilder, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::CascadeLayer;
use tower_deploy::{Address, Body, Bound, HttpServer, Shutdown};
use tower_dispatch::{Dispatch, DispatchLayer};
use tower_environ::{EnvironLayer, Key};
use tower_exception::ExceptionLayer;

const HELLO: Key<&'static str> = Key::new("bench.hello");
static PAGE: [u8; 4096] = [b'x'; 4096];

type Answer = Result<Response<Full<Bytes>>, Infallible>;

fn page() -> Answer {
    let mut response = Response::new(Full::from(Bytes::from_static(&PAGE)));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    Ok(response)
}

/// The first app: one page, at another place.
fn first<B>(request: &Request<B>) -> Answer {
    if request.uri().path() == "/about" {
        return page();
    }
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

async fn stack(server: Bound, shutdown: Shutdown) -> Result<(), Box<dyn Error>> {
    let urls = Dispatch::builder()
        .get("/hello/{name}", service_fn(|_| ready(page())))
        .build()?;
    let app = ServiceBuilder::new()
        .layer(ExceptionLayer::production(|_| {}))
        .layer(EnvironLayer::new(HELLO, "Hello World"))
        .layer(PrefixLayer::new("yikes: "))
        .layer(CascadeLayer::new(service_fn(|request: Request<_>| {
            ready(first(&request))
        })))
        .layer(DispatchLayer::new(urls))
        .service(service_fn(|_| ready(Answer::Ok(Response::default()))));
    Ok(server.serve(app, shutdown).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let shutdown = Shutdown::signals()?;
    let server = HttpServer::new(Address::Tcp("127.0.0.1:0".to_owned()));
    let server = server.bind().await?;
    for address in server.addresses() {
        println!("listening on {address}");
    }
    match env::args().nth(1).as_deref() {
        Some("stack") => stack(server, shutdown).await,
        Some("bare") => {
            let bare = service_fn(|_: Request<Body>| ready(page()));
            Ok(server.serve(bare, shutdown).await?)
        }
        _ => Err("say `bare` or `stack`".into()),
    }
}
