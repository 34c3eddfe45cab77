//! Whole stacks in three orders on real sockets: by themselves, around axum's router, and inside of
//! its routing.

use std::convert::Infallible;

use axum::{Router, body::Body};
use http::Request;
use tower::{Service, ServiceExt, layer::layer_fn, service_fn};

use crate::{
    requests::{Answered, Came, Order, REQUESTS, UPLOAD, What},
    stack::{Kind, Layers, Stack, boxed, rest},
    support::{Server, VERSIONS},
};

/// The order of ARCHITECTURE.md; one in which the layers that respond are outside of the layers
/// that change responses; and one with the exception layer in the middle. Without an exception
/// layer around the routes a server would break off the connection.
const ORDERS: [[Kind; 7]; 3] = [
    [
        Kind::Exception,
        Kind::Hooks,
        Kind::Origin,
        Kind::Environ,
        Kind::Prefix,
        Kind::Cascade,
        Kind::Dispatch,
    ],
    [
        Kind::Exception,
        Kind::Dispatch,
        Kind::Cascade,
        Kind::Prefix,
        Kind::Environ,
        Kind::Origin,
        Kind::Hooks,
    ],
    [
        Kind::Hooks,
        Kind::Prefix,
        Kind::Origin,
        Kind::Exception,
        Kind::Cascade,
        Kind::Environ,
        Kind::Dispatch,
    ],
];

#[derive(Clone, Copy, Debug)]
enum Axum {
    Not,
    Inside,
    Outside,
}

/// For a server, which cannot pass an error on. These orders have no error.
fn infallible<B>(
    stack: Stack,
) -> impl Service<Request<B>, Response = http::Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
where
    B: http_body::Body<Data = bytes::Bytes, Error: Into<tower::BoxError>> + Send + 'static,
{
    stack
        .map_request(|request: Request<B>| request.map(Body::new))
        .map_err(|error| -> Infallible { panic!("{error}") })
}

fn router() -> Router {
    let rest = || infallible(boxed(service_fn(rest)));
    Router::new()
        .route_service("/page", rest())
        .route_service("/text", rest())
        .fallback_service(rest())
}

async fn serve(layers: &'static Layers, order: &'static [Kind], axum: Axum) -> Server {
    match axum {
        Axum::Not => Server::start(infallible(layers.stack(order))).await,
        Axum::Inside => Server::start(infallible(layers.stack_on(order, boxed(router())))).await,
        Axum::Outside => {
            let around = layer_fn(move |route: axum::routing::Route| {
                infallible(layers.stack_on(order, boxed(route)))
            });
            Server::start(router().layer(around)).await
        }
    }
}

async fn all_requests(axum: Axum) {
    for order in &ORDERS {
        let layers: &Layers = Box::leak(Box::new(Layers::new()));
        let server = serve(layers, order, axum).await;
        let authority = server.uri("").split_off("http://".len());
        for version in VERSIONS {
            for (method, path, who, what) in REQUESTS {
                let body = if what == What::Upload { UPLOAD } else { b"" };
                eprintln!("{axum:?} {version:?} {method} {path} in {order:?}");
                let got = server.send(version, method, path, body).await;
                let notes = layers.told.take();
                if let What::BreaksOff | What::Upload = what {
                    assert_eq!(got.status, 200);
                    assert!(notes.violations.is_empty(), "{:?}", notes.violations);
                    match got.body {
                        Ok(body) => assert_eq!((what, &body[..]), (What::Upload, UPLOAD)),
                        Err(_) => assert_eq!(what, What::BreaksOff),
                    }
                    Order(order).check_notes(who, what, &notes);
                    continue;
                }
                let came = Came::Response(Answered {
                    status: got.status,
                    headers: got.headers,
                    body: got.body.unwrap(),
                    error: None,
                });
                Order(order).check(&authority, path, (who, what), &came, &notes);
            }
            // The last response was broken off; the server still works.
            let got = server.get(version, "/page").await;
            assert_eq!(got.text(), "<p>\n<p>\n");
            assert_eq!(got.header("content-type"), Some("text/html"));
            layers.told.take();
        }
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_stack_on_a_socket_responds_as_without_one() {
    all_requests(Axum::Not).await;
}

#[tokio::test]
async fn a_stack_around_axums_router_responds_as_around_any_service() {
    all_requests(Axum::Inside).await;
}

#[tokio::test]
async fn a_stack_inside_of_axums_routing_responds_as_around_it() {
    all_requests(Axum::Outside).await;
}
