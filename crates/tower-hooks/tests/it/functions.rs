//! Functions as hooks.

use std::ops::ControlFlow;

use axum::{Router, body::Body, extract::MatchedPath, routing::get};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode, header::WWW_AUTHENTICATE, request, response,
};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_hooks::HooksLayer;
use tower_lint::probe::{self, Step, block_on};

fn app() -> probe::App {
    probe::App::new(|seen| {
        let step = if seen.parts.headers.contains_key("x-before") {
            "marked"
        } else {
            "plain"
        };
        Response::new(probe::Body::new([Step::from(step)]))
    })
}

async fn denies(request: &mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> {
    if request.uri.path() != "/secret" {
        return ControlFlow::Continue(());
    }
    let mut response = Response::new(Full::from("no"));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let challenge = HeaderValue::from_static("Basic realm=\"x\", Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    ControlFlow::Break(response)
}

#[test]
fn functions_and_closures_are_hooks() {
    let service = HooksLayer::new()
        .after(async |response: &mut response::Parts| {
            response
                .headers
                .insert("x-after", HeaderValue::from_static("1"));
        })
        .before(denies)
        .before(async |request: &mut request::Parts| {
            request
                .headers
                .insert("x-before", HeaderValue::from_static("1"));
            ControlFlow::Continue(())
        })
        .layer(app());
    let call = |path| {
        let request = Request::get(path).body(probe::Body::default()).unwrap();
        let response = block_on(service.clone().oneshot(request)).unwrap().unwrap();
        let (head, body) = response.into_parts();
        (head, block_on(body.collect()).unwrap().unwrap().to_bytes())
    };

    let (head, body) = call("/");
    assert_eq!((head.status, &*body), (StatusCode::OK, &b"marked"[..]));
    assert_eq!(head.headers["x-after"], "1");

    // What a hook answers goes out as it is, but for what the hooks before it do.
    let (head, body) = call("/secret");
    assert_eq!(
        (head.status, &*body),
        (StatusCode::UNAUTHORIZED, &b"no"[..])
    );
    assert_eq!(head.headers[WWW_AUTHENTICATE], "Basic realm=\"x\", Bearer");
    assert_eq!(head.headers["x-after"], "1");
    assert_eq!(head.headers.len(), 2);
}

#[tokio::test]
async fn axum_takes_sixteen_hooks_and_shows_them_the_route() {
    let hooks = || {
        HooksLayer::new()
            .before(pass)
            .before(pass)
            .before(pass)
            .before(pass)
            .before(pass)
            .before(pass)
            .before(pass)
    };
    let hooks = hooks()
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(async |request: &mut request::Parts| {
            let path = request.extensions.get::<MatchedPath>();
            assert_eq!(path.map(MatchedPath::as_str), Some("/hello/{name}"));
            ControlFlow::Continue(())
        });
    let app = Router::new()
        .route("/hello/{name}", get(async || "hello"))
        .route_layer(hooks);
    let request = Request::get("/hello/John").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

async fn pass(_: &mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> {
    ControlFlow::Continue(())
}
