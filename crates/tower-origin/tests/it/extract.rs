use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, connect_info::MockConnectInfo},
    routing::get,
};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_kit::Rejection;
use tower_origin::{NoOrigin, Origin, PeerAddr};

use crate::probe::{PROXY, STRANGER, behind_proxies};

fn router() -> Router {
    let client = |origin: Option<Origin>| match origin.map(|origin| origin.client()) {
        Some(Some(client)) => client.to_string(),
        Some(None) => "unknown".to_owned(),
        None => "no layer".to_owned(),
    };
    Router::new()
        .route("/", get(async move |origin: Origin| client(Some(origin))))
        .route(
            "/maybe",
            get(async move |origin: Option<Origin>| client(origin)),
        )
}

async fn text(app: Router, request: Request<Body>) -> (StatusCode, String) {
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    assert_eq!(
        Rejection::of(&response).and_then(Rejection::reason) == Some(&NoOrigin),
        status == StatusCode::INTERNAL_SERVER_ERROR
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

fn request(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn origin_12_the_origin_is_extracted() {
    let app = router().layer(behind_proxies());
    let (status, client) = text(app.clone(), request("/")).await;
    assert_eq!((status, &*client), (StatusCode::OK, "unknown"));

    let from_proxy = || {
        let mut request = request("/maybe");
        let client = "192.0.2.1".parse().unwrap();
        request.headers_mut().insert("x-forwarded-for", client);
        let peer: SocketAddr = PROXY.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    };
    assert_eq!(text(app.clone(), from_proxy()).await.1, "192.0.2.1");
    // A `PeerAddr` counts before axum's `ConnectInfo`.
    let mut from_stranger = from_proxy();
    let peer = PeerAddr(STRANGER.parse().unwrap());
    from_stranger.extensions_mut().insert(peer);
    assert_eq!(text(app, from_stranger).await.1, "203.0.113.7");
}

#[tokio::test]
async fn origin_13_in_axums_tests_the_mocked_address_counts() {
    let mocked = |peer: &str| MockConnectInfo(peer.parse::<SocketAddr>().unwrap());
    let from = |app: Router, connected: Option<&str>| {
        let mut request = request("/maybe");
        let client = "192.0.2.1".parse().unwrap();
        request.headers_mut().insert("x-forwarded-for", client);
        if let Some(peer) = connected {
            let peer: SocketAddr = peer.parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        text(app, request)
    };
    let app = router().layer(behind_proxies());
    let proxy = app.clone().layer(mocked(PROXY));
    assert_eq!(from(proxy, None).await.1, "192.0.2.1");
    let stranger = app.layer(mocked(STRANGER));
    assert_eq!(from(stranger.clone(), None).await.1, "203.0.113.7");
    // As with axum's own extractor, a real connection counts before it.
    assert_eq!(from(stranger, Some(PROXY)).await.1, "192.0.2.1");
}

#[tokio::test]
async fn origin_12_without_the_layer_there_is_a_500_or_none() {
    let (status, body) = text(router(), request("/")).await;
    assert_eq!(
        (status, &*body),
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            "500 Internal Server Error\n"
        )
    );
    let mut json = request("/");
    json.headers_mut()
        .insert("accept", "application/json".parse().unwrap());
    let response = router().oneshot(json).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(text(router(), request("/maybe")).await.1, "no layer");
    let message = "the request has no Origin: put an OriginLayer around the router";
    assert_eq!(NoOrigin.to_string(), message);
}
