//! The futures are used where a server uses them: in spawned tasks, handlers and accept loops, with
//! any error type.

use std::{convert::Infallible, io};

use axum::{Router, body::Body, response::IntoResponse, routing::get};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::{TcpListener, TcpStream};
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_cascade::{CascadeLayer, Lookup, ReplayBody};

type Reply = Result<Response<Full<Bytes>>, BoxError>;

/// Fails before it has read anything.
async fn down<B>(_: Request<B>) -> Reply {
    Err(io::Error::from(io::ErrorKind::ConnectionRefused).into())
}

async fn echo<B>(request: Request<B>) -> Reply
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let body = request.into_body().collect().await.map_err(Into::into)?;
    Ok(Response::new(body.to_bytes().into()))
}

fn is_refused(error: &BoxError) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

async fn text<B>(response: Response<B>) -> Bytes
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn cascade_14_on_error_with_a_boxed_error_runs_in_a_task() {
    let chain = ServiceBuilder::new()
        .layer(CascadeLayer::new(service_fn(down)).on_error(is_refused))
        .layer(CascadeLayer::new(service_fn(down)).on_error(is_refused))
        .service(service_fn(echo));
    let task = tokio::spawn(async move {
        let response = chain.oneshot(Request::new(Full::from("body"))).await?;
        Ok::<_, BoxError>(text(response).await)
    });
    assert_eq!(task.await.unwrap().unwrap(), "body");
}

#[tokio::test]
async fn cascade_14_on_error_with_a_closure_runs_in_a_task() {
    let chain = CascadeLayer::new(service_fn(down))
        .on_error(|error: &BoxError| is_refused(error))
        .layer(service_fn(echo));
    let task = tokio::spawn(async move {
        let response = chain.oneshot(Request::new(Full::from("body"))).await?;
        Ok::<_, BoxError>(text(response).await)
    });
    assert_eq!(task.await.unwrap().unwrap(), "body");
}

#[tokio::test]
async fn cascade_14_on_error_of_a_list_or_a_lookup_runs_in_a_task() {
    let list = [service_fn(down), service_fn(down)];
    let list = CascadeLayer::list(list).on_error(is_refused).service();
    let task = tokio::spawn(async move {
        let error = list.oneshot(Request::new(Full::from("body"))).await;
        error.unwrap_err().to_string()
    });
    assert_eq!(task.await.unwrap(), "connection refused");

    let chain = ServiceBuilder::new()
        .layer(Lookup::new(|_| None))
        .layer(CascadeLayer::new(service_fn(down)).on_error(is_refused))
        .service(service_fn(echo));
    let task = tokio::spawn(async move {
        let response = chain.oneshot(Request::new(Full::from("body"))).await?;
        Ok::<_, BoxError>(text(response).await)
    });
    assert_eq!(task.await.unwrap().unwrap(), "body");
}

/// The cascade is boxed before it goes into a task, because a service names `BoxError` in its own
/// type.
#[tokio::test]
async fn cascade_14_on_error_of_boxed_services_runs_in_a_task() {
    type Boxed<B> = BoxCloneSyncService<Request<B>, Response<Full<Bytes>>, BoxError>;
    type App = Boxed<ReplayBody<Full<Bytes>>>;
    let list = [App::new(service_fn(down)), App::new(service_fn(echo))];
    let list = CascadeLayer::list(list).on_error(is_refused).service();
    let list = list.map_response(|response: Response<_>| response.map(|_| Full::default()));
    let list: Boxed<Full<Bytes>> = Boxed::new(list);
    let task = tokio::spawn(async move { list.oneshot(Request::new(Full::from("body"))).await });
    assert_eq!(task.await.unwrap().unwrap().status(), StatusCode::OK);
}

/// Here closures have `BoxError` in their types. The remedies are those of `on_error`'s "In a
/// task".
#[tokio::test]
async fn cascade_14_on_error_with_boxed_types_runs_in_a_task() {
    type Boxed<B> = BoxCloneSyncService<Request<B>, Response<Full<Bytes>>, BoxError>;
    type Replay = ReplayBody<Full<Bytes>>;
    fn never(error: Infallible) -> BoxError {
        match error {}
    }
    async fn page<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
        Ok(Response::new("page".into()))
    }
    let closure = |_: Request<Replay>| async { down(Request::new(())).await };
    let last = Boxed::new(service_fn(echo::<Replay>));
    let list = [
        Boxed::new(service_fn(closure)),
        Boxed::new(service_fn(down)),
    ];
    let app = CascadeLayer::list(list)
        .on_error(is_refused)
        .layer(last.map_err(|error: BoxError| error));
    let request = || Request::new(Full::from("body"));

    // Boxed as a whole.
    let as_a_whole = app.clone();
    let as_a_whole = as_a_whole.map_response(|response| response.map(|_| Full::default()));
    let boxed: Boxed<Full<Bytes>> = Boxed::new(as_a_whole);
    let task = tokio::spawn(async move { boxed.oneshot(request()).await });
    assert_eq!(task.await.unwrap().unwrap().status(), StatusCode::OK);

    // Spawned without a block.
    let task = tokio::spawn(app.oneshot(request()));
    assert_eq!(text(task.await.unwrap().unwrap()).await, "body");

    // Functions instead of closures.
    let app = CascadeLayer::new(service_fn(down))
        .on_error(is_refused)
        .layer(service_fn(page).map_err(never));
    let task = tokio::spawn(async move {
        let response = app.oneshot(request()).await?;
        Ok::<_, BoxError>(text(response).await)
    });
    assert_eq!(task.await.unwrap().unwrap(), "page");
}

#[tokio::test]
#[cfg(debug_assertions)]
async fn cascade_14_on_error_for_another_type_panics_in_debug() {
    let chain = CascadeLayer::new(service_fn(down))
        .on_error(|_: &io::Error| true)
        .layer(service_fn(echo));
    let task = tokio::spawn(chain.oneshot(Request::new(Full::from("body"))));
    assert!(task.await.unwrap_err().is_panic());
}

#[tokio::test]
async fn cascade_14_on_error_runs_in_an_axum_handler() {
    let chain = CascadeLayer::new(service_fn(down))
        .on_error(is_refused)
        .layer(service_fn(echo));
    let handler = move |request: Request<Body>| {
        let chain = chain.clone();
        async move {
            match chain.oneshot(request).await {
                Ok(response) => response.map(Body::new),
                Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
            }
        }
    };
    let app: Router = Router::new().route("/", get(handler));
    let request = Request::get("/").body(Body::from("body")).unwrap();
    assert_eq!(text(app.oneshot(request).await.unwrap()).await, "body");
}

#[tokio::test]
async fn cascade_14_on_error_runs_in_hypers_accept_loop() {
    let chain = CascadeLayer::new(service_fn(down))
        .on_error(|error: &BoxError| is_refused(error))
        .on_error_any_method()
        .layer(service_fn(echo::<ReplayBody<Incoming>>));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(chain.clone());
        let connection = tokio::spawn(async move {
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
        });
        connection.await??;
        Ok::<_, BoxError>(())
    });
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post("/")
        .body(Full::<Bytes>::from("body"))
        .unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(text(response).await, "body");
    drop(client);
    connection.await.unwrap().unwrap();
    server.await.unwrap().unwrap();
}
