//! The servers of `just idle`, each with the same response: `idle bare` is hyper by itself, and
//! `idle served` is tower-serve. The server reports where it listens, and ends at SIGTERM.

use std::{convert::Infallible, env, error::Error, future::ready};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::net::TcpListener;
use tower_serve::{Server, Shutdown};

type BoxError = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    match env::args().nth(1).as_deref() {
        Some("bare") => bare().await,
        Some("served") => served().await,
        _ => Err("usage: idle bare | idle served".into()),
    }
}

fn response() -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from_static(b"hello\n")))
}

async fn bare() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(async move {
            let http = auto::Builder::new(TokioExecutor::new());
            let service = service_fn(|_| ready(Ok::<_, Infallible>(response())));
            let connection = http.serve_connection_with_upgrades(TokioIo::new(socket), service);
            // A client may end a connection as it likes.
            let _ = connection.await;
        });
    }
}

async fn served() -> Result<(), BoxError> {
    let bound = Server::new("127.0.0.1:0".parse()?).bind().await?;
    for address in bound.addresses() {
        println!("listening on {address}");
    }
    let service = tower::service_fn(|_| ready(Ok::<_, Infallible>(response())));
    Ok(bound.serve(service, Shutdown::signals()?).await?)
}
