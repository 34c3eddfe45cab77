//! The error page in development, for an axum application: a panic, and an error of its own with
//! its sources. With `--production` the client gets an id and nothing else.
//!
//! `cargo run -p examples --bin error-page`, then open `http://127.0.0.1:8080/`.

use std::{error::Error, fmt, io, net::SocketAddr};

use axum::{Router, body::Body, extract::ConnectInfo, response::Html, routing::get};
use bytes::Bytes;
use clap::Parser;
use futures_util::stream;
use http::{Request, Response, header::CONTENT_TYPE};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_dispatch::{Dispatch, DispatchLayer, UrlArgs};
use tower_environ::{Environ, EnvironLayer, Key};
use tower_exception::{DebugPage, ExceptionLayer, SnapshotLayer, install_panic_hook, to_stderr};

/// Fails in several ways.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
    /// Shows clients nothing but an id.
    #[arg(long)]
    production: bool,
    /// Appends the traceback to the body that was sent so far.
    #[arg(long)]
    append: bool,
}

const STAGE: Key<&'static str> = Key::new("example.stage");
const TOKEN: Key<&'static str> = Key::new("example.token");

/// The application's own error.
#[derive(Debug)]
struct OrderError {
    order: u32,
    source: io::Error,
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order {} could not be read", self.order)
    }
}

impl Error for OrderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

fn total(prices: &[u32], count: usize) -> u32 {
    prices[..count].iter().sum()
}

async fn panics(request: Request<Body>) -> Result<Response<Body>, OrderError> {
    let args = request.extensions().get::<UrlArgs>();
    let count = args
        .and_then(|args| args.name("count"))
        .and_then(|count| count.parse().ok());
    let total = total(&[3, 5, 8], count.unwrap_or(0));
    Ok(Response::new(format!("{total}\n").into()))
}

async fn fails(_: Request<Body>) -> Result<Response<Body>, OrderError> {
    let source = io::Error::new(
        io::ErrorKind::NotFound,
        "postgres://shop:hunter2@db/orders has no such row",
    );
    Err(OrderError { order: 7, source })
}

/// Repeats a text of the client in its error.
async fn echoes(request: Request<Body>) -> Result<Response<Body>, OrderError> {
    let args = request.extensions().get::<UrlArgs>();
    let text = args.and_then(|args| args.name("text")).unwrap_or_default();
    let source = io::Error::other(text.to_owned());
    Err(OrderError { order: 8, source })
}

/// Fails after a part of the body was sent.
async fn breaks_off(_: Request<Body>) -> Result<Response<Body>, OrderError> {
    let frames = [
        Ok(Bytes::from_static(b"one\n")),
        Ok(Bytes::from_static(b"two\n")),
        Err("the disk is gone"),
    ];
    let mut response = Response::new(Body::from_stream(stream::iter(frames)));
    let text = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

async fn index() -> Html<&'static str> {
    Html(
        "<!DOCTYPE html>\n<title>Break it</title>\n<ul><li><a href=\"/sum/2\">a sum</a><li><a href=\"/sum/5\">a panic</a><li><a href=\"/order\">an error</a><li><a href=\"/stream\">half a response</a></ul>\n",
    )
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    install_panic_hook();
    // axum leaves the connection's address in the request.
    let page = DebugPage::new(|head| {
        let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
        peer.map(|peer| peer.0.ip())
    });
    let exceptions: ExceptionLayer = match (args.production, args.append) {
        (true, _) => ExceptionLayer::production(to_stderr),
        (false, true) => ExceptionLayer::debug(to_stderr, page.append_traceback()),
        (false, false) => ExceptionLayer::debug(to_stderr, page),
    };
    let urls = Dispatch::builder()
        .get(
            "/sum/{count}",
            ServiceBuilder::new()
                .layer(snapshot())
                .service(service_fn(panics)),
        )
        .get(
            "/order",
            ServiceBuilder::new()
                .layer(snapshot())
                .service(service_fn(fails)),
        )
        .get(
            "/echo/{text}",
            ServiceBuilder::new()
                .layer(snapshot())
                .service(service_fn(echoes)),
        )
        .get("/stream", service_fn(breaks_off))
        .build()?;
    let app = ServiceBuilder::new()
        .layer(exceptions)
        .layer(EnvironLayer::new(STAGE, "development"))
        .layer(EnvironLayer::new(TOKEN, "s3cr3t"))
        .layer(DispatchLayer::new(urls))
        .map_err(|never: std::convert::Infallible| -> OrderError { match never {} })
        .service(Router::new().route("/", get(index)));
    let app = Router::new().fallback_service(app);

    let listener = TcpListener::bind(args.bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

/// Shows values on the page that the layers have put into the request.
fn snapshot() -> SnapshotLayer {
    SnapshotLayer::new()
        .show::<Environ>("environ")
        .show::<UrlArgs>("path parameters")
}
