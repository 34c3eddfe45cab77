//! A plain hyper server for any tower service, which all examples in this directory use.

use std::{env, error::Error};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{BoxError, Layer, Service, util::MapRequestLayer};
use tower_origin::PeerAddr;

/// Listens on the address in the first argument.
pub(crate) async fn serve<S, B>(service: S) -> Result<(), Box<dyn Error>>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        // The address of the client, for the services that need it.
        let with_peer = MapRequestLayer::new(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(PeerAddr(peer));
            request
        });
        let service = TowerToHyperService::new(with_peer.layer(service.clone()));
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            let served = server.serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                eprintln!("a connection broke off: {error}");
            }
        });
    }
}
