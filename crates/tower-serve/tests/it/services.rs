//! Services of every kind, their readiness and their failures.

use std::task::{Context, Poll};

use axum::{Router, routing};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::service::Routes;
use tower::{ServiceBuilder, util::MapResponseLayer};

use super::{
    protocols::{connections, get, http2},
    *,
};

#[tokio::test]
async fn serve_14_an_axum_router_fits() {
    let router = Router::new().route("/hello/{name}", routing::get(hello));
    let server = run(server(), router).await;
    assert!(server.get("/hello/you").await.ends_with("hello you"));
    let none = server.get("/none").await;
    assert!(none.starts_with("HTTP/1.1 404 "), "{none}");
}

async fn hello(axum::extract::Path(name): axum::extract::Path<String>) -> String {
    format!("hello {name}")
}

#[tokio::test]
async fn serve_14_the_routes_of_tonic_fit() {
    let server = run(server(), Routes::default()).await;
    let uri = format!("http://{}/shop.Shop/Buy", server.address);
    let request = Request::post(uri).header("content-type", "application/grpc");
    let request = http2().0.request(request.body(Full::default()).unwrap());
    let response = timeout(PATIENCE, request).await.unwrap().unwrap();
    // Unimplemented.
    assert_eq!(response.headers()["grpc-status"], "12");
}

#[tokio::test]
async fn serve_14_a_stack_of_layers_fits() {
    let stack = ServiceBuilder::new()
        .layer(MapResponseLayer::new(|mut response: Response<Body>| {
            *response.status_mut() = StatusCode::ACCEPTED;
            response
        }))
        .concurrency_limit(1)
        .timeout(PATIENCE)
        .service(echo_path());
    let server = run(server(), stack).await;
    let response = server.get("/stack").await;
    assert!(response.starts_with("HTTP/1.1 202 "), "{response}");
    assert!(response.ends_with("/stack"), "{response}");
}

/// A service that is ready at the second poll. An instance that is called before that panics.
#[derive(Default)]
struct Shy {
    polls: usize,
}

impl Clone for Shy {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<RequestBody>> for Shy {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.polls += 1;
        if self.polls == 1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<RequestBody>) -> Self::Future {
        assert_eq!(std::mem::take(&mut self.polls), 2, "this one was not ready");
        std::future::ready(Ok(Response::new(Full::from("ready"))))
    }
}

#[tokio::test]
async fn serve_14_the_instance_that_was_ready_is_called() {
    let server = run(server(), Shy::default()).await;
    let mut client = server.connect().await;
    assert!(client.get("/").await.ends_with("ready"));
    assert!(client.get("/").await.ends_with("ready"));
    let client = http2();
    assert_eq!(get(&client, server.address, "/").await, "ready");
    assert_eq!(get(&client, server.address, "/").await, "ready");
}

/// A service that is ready with the only permit. A rejection does not use the permit, as in a layer
/// that responds without its inner service.
struct OneAtATime {
    permits: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Clone for OneAtATime {
    fn clone(&self) -> Self {
        Self {
            permits: self.permits.clone(),
            permit: None,
        }
    }
}

impl Service<Request<RequestBody>> for OneAtATime {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.permit.is_none() {
            self.permit = self.permits.clone().try_acquire_owned().ok();
        }
        if self.permit.is_none() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let text = match request.uri().path() {
            "/rejected" => "rejected",
            _ => {
                self.permit = None;
                "served"
            }
        };
        std::future::ready(Ok(Response::new(Full::from(text))))
    }
}

#[tokio::test]
async fn serve_14_an_idle_connection_holds_no_readiness() {
    let service = OneAtATime {
        permits: Arc::new(Semaphore::new(1)),
        permit: None,
    };
    let server = run(server(), service).await;
    let mut idle = server.connect().await;
    assert!(idle.get("/rejected").await.ends_with("rejected"));
    assert!(server.get("/").await.ends_with("served"));
    assert!(idle.get("/").await.ends_with("served"));
}

/// A service that cannot be made ready.
#[derive(Clone)]
struct Down;

impl Service<Request<RequestBody>> for Down {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = std::future::Pending<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Err("down".into()))
    }

    fn call(&mut self, _: Request<RequestBody>) -> Self::Future {
        unreachable!("it is never ready")
    }
}

#[tokio::test]
async fn serve_15_an_error_of_readiness_ends_the_connection() {
    let server = run(server(), Down).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.rest().await.0, b"");
    let uri = format!("http://{}/", server.address).parse().unwrap();
    let response = timeout(PATIENCE, http2().0.get(uri)).await.unwrap();
    assert!(response.is_err());
}

#[tokio::test]
async fn serve_15_an_error_ends_the_connection() {
    let failing =
        tower::service_fn(
            async |request: Request<RequestBody>| match request.uri().path() {
                "/" => Ok(Response::new(Body::from("fine"))),
                _ => Err::<_, BoxError>("broken".into()),
            },
        );
    let server = run(server(), failing).await;
    let mut client = server.connect().await;
    client.send("GET /fail HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.rest().await.0, b"");
    assert!(server.get("/").await.ends_with("fine"));
}

#[tokio::test]
async fn serve_15_a_panic_ends_one_connection_and_nothing_else() {
    let panicking = service(async |request: Request<RequestBody>| {
        assert_ne!(request.uri().path(), "/panic", "as it was asked to");
        Body::from("fine")
    });
    let server = run(server(), panicking).await;
    let mut other = server.connect().await;
    assert!(other.get("/").await.ends_with("fine"));
    let mut client = server.connect().await;
    client.send("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.rest().await.0, b"");
    assert!(other.get("/").await.ends_with("fine"));
    assert!(server.get("/").await.ends_with("fine"));

    // In HTTP/2 it ends one request.
    let client = http2();
    assert_eq!(get(&client, server.address, "/").await, "fine");
    let uri = format!("http://{}/panic", server.address).parse().unwrap();
    assert!(timeout(PATIENCE, client.0.get(uri)).await.unwrap().is_err());
    assert_eq!(get(&client, server.address, "/").await, "fine");
    assert_eq!(connections(&client), 1);

    server.trigger.signal();
    drop((client, other));
    server.ended().await.unwrap();
}
