//! A hyper program with one layer. It is shown in docs/guides/getting-started.md.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{BoxError, ServiceBuilder, service_fn};
use tower_exception::{ExceptionLayer, to_stderr};

async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
    match request.uri().path() {
        "/broken" => Err("this path always fails".into()),
        _ => Ok(Response::new(Full::from("Hello\n"))),
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let app = ServiceBuilder::new()
        .layer(ExceptionLayer::production(to_stderr))
        .service(service_fn(respond));

    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            let served = server.serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                eprintln!("a connection failed: {error}");
            }
        });
    }
}
