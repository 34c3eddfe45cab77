//! A server for `just static-load`, on one thread: the files of a directory, or a body in memory.
//!
//! `static-load files DIRECTORY` is tower-static in tower-serve. `static-load memory LENGTH` is
//! hyper by itself, with the headers of a file, and `static-load served LENGTH` is the same in
//! tower-serve. The server reports where it listens, and ends at SIGTERM.

use std::{convert::Infallible, env, error::Error, future::ready};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{
        ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH, LAST_MODIFIED,
    },
};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::net::TcpListener;
use tower_serve::{Address, Bound, RequestBody, Server, Shutdown};
use tower_static::Files;

/// As fast servers have it. glibc returns large blocks to the system again and again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

async fn bind() -> Result<(Bound, Shutdown), Box<dyn Error>> {
    let shutdown = Shutdown::signals()?;
    let server = Server::new(Address::Tcp("127.0.0.1:0".to_owned()));
    let server = server.bind().await?;
    for address in server.addresses() {
        println!("listening on {address}");
    }
    Ok((server, shutdown))
}

/// Serves a directory.
async fn files(directory: String) -> Result<(), Box<dyn Error>> {
    let (server, shutdown) = bind().await?;
    Ok(server.serve(Files::new(directory), shutdown).await?)
}

/// Serves one body, without a look at the path, in tower-serve.
async fn served(length: usize) -> Result<(), Box<dyn Error>> {
    let (server, shutdown) = bind().await?;
    let body = Bytes::from(vec![b'x'; length]);
    let service = tower::service_fn(move |request: Request<RequestBody>| {
        let response = in_memory(request.headers(), body.clone());
        ready(Ok::<_, Infallible>(response))
    });
    Ok(server.serve(service, shutdown).await?)
}

/// Serves one body, without a look at the path, in hyper by itself.
async fn memory(length: usize) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let body = Bytes::from(vec![b'x'; length]);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let body = body.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let response = in_memory(request.headers(), body.clone());
            async { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(async move {
            let http = auto::Builder::new(TokioExecutor::new());
            // A client may end a connection as it likes.
            let _ = http.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

/// Returns a response with as many headers as a file has.
fn in_memory(asked: &HeaderMap, body: Bytes) -> Response<Full<Bytes>> {
    const TAG: HeaderValue = HeaderValue::from_static("\"6743a0b1.2f0a8c31-400\"");
    let mut response = Response::default();
    let headers = response.headers_mut();
    headers.insert(ETAG, TAG);
    let date = HeaderValue::from_static("Sun, 13 Sep 2020 12:26:40 GMT");
    headers.insert(LAST_MODIFIED, date);
    if asked.get(IF_NONE_MATCH) == Some(&TAG) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_LENGTH, body.len().into());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    *response.body_mut() = Full::new(body);
    response
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("files"), Some(directory)) => files(directory).await,
        (Some("memory"), Some(length)) => memory(length.parse()?).await,
        (Some("served"), Some(length)) => served(length.parse()?).await,
        _ => Err("usage: static-load files DIRECTORY, or memory LENGTH, or served LENGTH".into()),
    }
}
