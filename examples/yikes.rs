//! The filter of Armin Ronacher's WSGI introduction, on a bare hyper server: "yikes:" before every
//! line of a response, or with `--chunks`, as in the article, before every item that the
//! application yields.
//!
//! `cargo run -p examples --bin yikes`, then `curl -i http://127.0.0.1:8080/`.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use clap::Parser;
use futures_util::stream;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_http::map_request_body::MapRequestBodyLayer;

/// Prepends a word to every line.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
    /// Prepend it to every chunk, not every line.
    #[arg(long)]
    chunks: bool,
}

/// Yields its response in items that are not its lines, as a WSGI application may.
async fn application<B>(
    _: Request<B>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let items = ["This is a line\nand ", "so is this\n", "and this\n"];
    let items = items.map(|item| Ok(Frame::data(Bytes::from_static(item.as_bytes()))));
    let mut response = Response::new(StreamBody::new(stream::iter(items)));
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let yikes = match args.chunks {
        true => PrefixLayer::chunks("yikes: "),
        false => PrefixLayer::new("yikes: "),
    };
    let service = ServiceBuilder::new()
        // The service may be called twice, the second time with an empty body. Hyper's own body
        // cannot be made empty, and a box of it can.
        .layer(MapRequestBodyLayer::new(|body: Incoming| body.boxed()))
        .layer(yikes)
        .service(service_fn(application));

    let listener = TcpListener::bind(args.bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
                eprintln!("a connection broke off: {error}");
            }
        });
    }
}
