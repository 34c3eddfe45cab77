//! As a part of an axum router.

use axum::{Router, body::Body, http::Request, routing::get};
use bytes::Bytes;
use http_body_util::Full;
use tower::{Service, ServiceExt};

use super::{OK, at, sockets::Listener, text};

#[tokio::test]
async fn an_upstream_is_a_route_a_nest_and_a_fallback() {
    let upstream = Listener::bind().await;
    let service = at(&upstream).allowed_methods([http::Method::GET]);
    let mut heads = upstream.answering(OK);
    let app: Router = Router::new()
        .route("/own", get(async || "own"))
        .route_service("/route", service.clone())
        .nest_service("/shop", service.clone())
        .fallback_service(service);
    for (path, sent, prefix) in [
        ("/route?a", "/route?a", None),
        ("/shop/a%2Fb", "/a%2Fb", Some("/shop")),
        ("/other", "/other", None),
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(text(response).await, "ok", "{path}");
        let head = heads.recv().await.unwrap();
        assert!(
            head.starts_with(&format!("GET {sent} HTTP/1.1\r\n")),
            "{head}"
        );
        let prefix = prefix.map(|prefix| format!("\r\nx-forwarded-prefix: {prefix}\r\n"));
        assert!(prefix.is_none_or(|line| head.contains(&line)), "{head}");
    }
    let own = Request::get("/own").body(Body::empty()).unwrap();
    let response = app.clone().oneshot(own).await.unwrap();
    assert_eq!(text(response).await, "own");
    let post = Request::post("/other").body(Body::empty()).unwrap();
    let response = app.oneshot(post).await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(text(response).await, "this method is not allowed here\n");
}

/// A body whose data is not `Bytes`.
#[tokio::test]
async fn a_body_may_have_any_data() {
    let upstream = Listener::bind().await;
    let mut service = at(&upstream);
    let data = bytes::Buf::chain(Bytes::from("one "), Bytes::from("two"));
    let request = Request::post("/").body(Full::new(data)).unwrap();
    let (head, response) = tokio::join!(
        async {
            let mut peer = upstream.accept().await;
            let head = peer.until("one two").await;
            peer.write(OK).await;
            head
        },
        service.call(request)
    );
    assert!(head.contains("\r\ncontent-length: 7\r\n"), "{head}");
    assert_eq!(response.unwrap().status(), 200);
}
