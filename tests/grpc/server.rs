//! An app of layers around the service, behind a server on a port of its own.

use std::{convert::Infallible, net::SocketAddr};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use tokio::net::TcpListener;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tonic_web::GrpcWebLayer;
use tower::{BoxError, Layer, Service, ServiceExt, layer::layer_fn, util::BoxCloneSyncService};
use tower_serve::{Address, RequestBody, Shutdown};

use crate::{
    client::{Client, Wire},
    echo::Echo,
};

/// Any service, whatever its type.
pub(crate) type App = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

pub(crate) fn boxed<S, B>(service: S) -> App
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let service = service.map_response(|response| response.map(Body::new));
    BoxCloneSyncService::new(service.map_err(Into::into))
}

/// The server's library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Host {
    Tonic,
    Serve,
}

impl Host {
    pub(crate) const ALL: [Self; 2] = [Self::Tonic, Self::Serve];

    /// Serves the echo in these layers until the test ends.
    pub(crate) async fn serve(
        self,
        layers: impl Fn(App) -> App + Clone + Send + 'static,
    ) -> SocketAddr {
        let routes = Routes::new(Echo);
        match self {
            Self::Tonic => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let layer = layer_fn(move |routes: Routes| {
                    let request = |request: Request<tonic::body::Body>| request.map(Body::new);
                    layers(boxed(routes)).map_request(request)
                });
                let mut server = Server::builder().accept_http1(true).layer(layer);
                let server = server.add_routes(routes);
                tokio::spawn(
                    server
                        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))),
                );
                address
            }
            Self::Serve => {
                let server = tower_serve::Server::new(Address::Tcp("127.0.0.1:0".to_owned()));
                let server = server.bind().await.unwrap();
                let address = server.addresses().next().unwrap();
                let address = address.strip_prefix("http://").unwrap().parse().unwrap();
                let app = layers(boxed(routes));
                let app = app.map_request(|request: Request<RequestBody>| request.map(Body::new));
                let app = app.map_err(|error| -> Infallible { panic!("{error}") });
                let (end, shutdown) = Shutdown::manual();
                // It runs until the test ends.
                std::mem::forget(end);
                tokio::spawn(server.serve(app, shutdown));
                address
            }
        }
    }
}

/// Translates gRPC-Web for an app that speaks gRPC.
pub(crate) fn translated(app: App) -> App {
    let app = app.map_request(|request: Request<tonic::body::Body>| request.map(Body::new));
    boxed(GrpcWebLayer::new().layer(app))
}

/// The place where gRPC-Web is translated, which decides what the layers see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Translated {
    /// The client speaks gRPC.
    Never,
    /// Inside of the layers, which see gRPC-Web.
    Inside,
    /// Outside of the layers, which see gRPC.
    Outside,
}

impl Translated {
    pub(crate) const ALL: [Self; 3] = [Self::Never, Self::Inside, Self::Outside];

    pub(crate) fn wires(self) -> &'static [Wire] {
        match self {
            Self::Never => &[Wire::Grpc],
            Self::Inside | Self::Outside => &[Wire::Web, Wire::WebText],
        }
    }

    fn with<L>(self, layers: L) -> impl Fn(App) -> App + Clone + Send
    where
        L: Fn(App) -> App + Clone + Send,
    {
        move |app| match self {
            Self::Never => layers(app),
            Self::Inside => layers(translated(app)),
            Self::Outside => translated(layers(app)),
        }
    }
}

/// Calls the function with a client of each protocol, on each server.
pub(crate) async fn each_way<L>(layers: L, mut call: impl AsyncFnMut(&Client, &Way))
where
    L: Fn(App) -> App + Clone + Send + 'static,
{
    for translated in Translated::ALL {
        for host in Host::ALL {
            let address = host.serve(translated.with(layers.clone())).await;
            for wire in translated.wires() {
                let way = Way {
                    wire: *wire,
                    translated,
                    host,
                };
                call(&Client::new(*wire, address), &way).await;
            }
        }
    }
}

/// How a call reaches the service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Way {
    pub(crate) wire: Wire,
    pub(crate) translated: Translated,
    pub(crate) host: Host,
}
