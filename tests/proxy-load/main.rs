//! The programs of `just proxy-load` and `just kept`: proxies, an upstream, and a client. Each runs
//! on one thread, and ends at SIGTERM.
//!
//! - `proxy URL…` is tower-upstream in tower-serve.
//! - `forwarder URL` is the smallest forwarder of hyper and hyper-util.
//! - `upstream PORT MILLISECONDS` closes its idle connections after each such time, and counts the
//!   requests by their number.
//! - `client URL METHOD COUNT CONNECTIONS` sends numbered requests, and counts what fails.
//! - `turns SECONDS NAME=ADDRESS:PORT…` measures proxies side by side.

mod client;
mod turns;
mod upstream;

use std::{convert::Infallible, env, error::Error};

use http::{Request, Response, StatusCode, Uri};
use http_body_util::{Either, Empty};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::net::TcpListener;
use tower_serve::{Address, Server, Shutdown};
use tower_upstream::Upstream;

/// As fast servers have it. glibc returns large blocks to the system again and again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type BoxError = Box<dyn Error + Send + Sync>;

async fn proxy(urls: &[String]) -> Result<(), BoxError> {
    let shutdown = Shutdown::signals()?;
    let server = Server::new(Address::Tcp("127.0.0.1:0".to_owned()));
    let server = server.bind().await?;
    for address in server.addresses() {
        println!("listening on {address}");
    }
    let (first, others) = urls.split_first().ok_or("no upstream")?;
    let mut upstream = Upstream::new(first.as_str())?;
    for other in others {
        upstream = upstream.also(other.as_str())?;
    }
    Ok(server.serve(upstream, shutdown).await?)
}

async fn forwarder(url: &str) -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build::<_, Incoming>(connector);
    let authority = url.parse::<Uri>()?.into_parts().authority;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let (client, authority) = (client.clone(), authority.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let mut parts = std::mem::take(request.uri_mut()).into_parts();
            parts.scheme = Some(http::uri::Scheme::HTTP);
            parts.authority = authority.clone();
            *request.uri_mut() = Uri::from_parts(parts).expect("the parts are those of a URL");
            *request.version_mut() = http::Version::HTTP_11;
            let response = client.request(request);
            async move {
                let response = response.await.map(|response| response.map(Either::Left));
                Ok::<_, Infallible>(response.unwrap_or_else(|_| {
                    let mut response = Response::new(Either::Right(Empty::<bytes::Bytes>::new()));
                    *response.status_mut() = StatusCode::BAD_GATEWAY;
                    response
                }))
            }
        });
        tokio::spawn(async move {
            let http = auto::Builder::new(TokioExecutor::new());
            // A client may end a connection as it likes.
            let _ = http.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &*words {
        ["proxy", ..] => proxy(&arguments[1..]).await,
        ["forwarder", url] => forwarder(url).await,
        ["upstream", port, period] => upstream::run(port.parse()?, period.parse()?).await,
        ["client", url, method, count, connections] => {
            client::run(url, method, count.parse()?, connections.parse()?).await
        }
        ["turns", seconds, ..] => turns::run(seconds.parse()?, &arguments[2..]),
        _ => Err("usage: proxy URL…, forwarder URL, upstream PORT MILLISECONDS, client URL METHOD COUNT CONNECTIONS, or turns SECONDS NAME=ADDRESS:PORT…".into()),
    }
}
