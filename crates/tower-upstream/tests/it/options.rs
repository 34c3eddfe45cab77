//! Methods and headers that the options name.

use http::{HeaderName, Method, Request, StatusCode, header};

use super::{Body, OK, ask, at, get, sockets::Listener, text, watched};

#[tokio::test]
async fn upstream_6_other_methods_are_a_405_with_allow() {
    let upstream = Listener::bind().await;
    let app = watched(at(&upstream).allowed_methods([Method::GET, Method::HEAD]));
    for method in ["POST", "get", "OPTIONS"] {
        let request = Request::builder().method(method).body(Body::default());
        let response = ask(&app, request.unwrap()).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
        assert_eq!(text(response).await, "this method is not allowed here\n");
    }
    assert!(!upstream.is_asked().await);
    let mut heads = upstream.answering(OK);
    assert_eq!(ask(&app, get("/")).await.status(), StatusCode::OK);
    assert!(heads.recv().await.is_some());
}

#[tokio::test]
async fn upstream_3_suppressed_headers_do_not_reach_the_upstream() {
    let upstream = Listener::bind().await;
    let url = upstream.to_string();
    let mut heads = upstream.answering(OK);
    let names = ["user-agent", "x-forwarded-proto", "via", "host"].map(HeaderName::from_static);
    let app = watched(at(url).suppressed_headers(names));
    let request = Request::builder()
        .method(Method::GET)
        .header("user-agent", "x")
        .header("user_agent", "x")
        .header("user.agent", "x")
        .header("accept", "*/*");
    ask(&app, request.body(Body::default()).unwrap()).await;
    let head = heads.recv().await.unwrap();
    for name in ["user-agent", "user_agent", "x-forwarded-proto", "via"] {
        assert!(!head.contains(name), "{name} {head}");
    }
    assert!(
        head.contains("accept: */*\r\n") && head.contains("\r\nhost: 127"),
        "{head}"
    );
}
