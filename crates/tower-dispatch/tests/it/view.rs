//! Class-based views.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::ALLOW};
use http_body_util::{Empty, Full};
use tower_dispatch::{Dispatch, UrlArgs, View};

use crate::probe::{ask, says};

/// Counts the requests that it sees.
#[derive(Default)]
struct Thing {
    seen: AtomicU32,
}

impl Thing {
    async fn get(
        self: Arc<Self>,
        request: Request<()>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let count = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        let args = request.extensions().get::<UrlArgs>();
        let name = args.and_then(|args| args.name("name")).unwrap_or_default();
        Ok(Response::new(format!("get {name} {count}").into()))
    }

    // Another type of body.
    async fn post(self: Arc<Self>, _: Request<()>) -> Result<Response<Empty<Bytes>>, Infallible> {
        self.seen.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::new(Empty::new());
        *response.status_mut() = StatusCode::CREATED;
        Ok(response)
    }
}

#[tokio::test]
async fn dispatch_9_a_view_is_one_object_for_its_methods() {
    let urls = Dispatch::builder()
        .view(
            "/{name}",
            View::new(Thing::default())
                .get(|_, _: Request<()>| async { Ok(Response::new(Full::from("replaced"))) })
                .get(Thing::get)
                .post(Thing::post),
        )
        .name("thing")
        .delete("/a", says("later"))
        .build()
        .unwrap();
    let (_, _, text) = ask(urls.clone(), Method::GET, "/a").await;
    assert_eq!(text, "get a 1");
    let (status, _, _) = ask(urls.clone(), Method::POST, "/a").await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, headers, text) = ask(urls.clone(), Method::HEAD, "/b").await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, ""));
    assert_eq!(headers["content-length"], "7");
    let (_, _, text) = ask(urls.clone(), Method::GET, "/c").await;
    assert_eq!(text, "get c 4");
    // If the view lacks the method, later routes are tried.
    let (_, _, text) = ask(urls.clone(), Method::DELETE, "/a").await;
    assert_eq!(text, "later DELETE []");
    let (status, headers, _) = ask(urls.clone(), Method::PUT, "/a").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(headers[ALLOW], "DELETE, GET, HEAD, OPTIONS, POST");
    assert_eq!(
        format!("{urls:?}"),
        r#"Dispatch { routes: {"GET POST": "/{name}", "DELETE": "/a"} }"#
    );
}

#[tokio::test]
async fn dispatch_9_a_layer_may_change_the_method() {
    use tower::util::MapRequestLayer;

    for (changed, status) in [("DELETE", 405), ("HEAD", 200), ("POST", 201)] {
        let change = MapRequestLayer::new(move |mut request: Request<()>| {
            *request.method_mut() = changed.parse().unwrap();
            request
        });
        let view = View::new(Thing::default())
            .get(Thing::get)
            .post(Thing::post);
        let urls = Dispatch::builder()
            .view("/", view)
            .layer(change)
            .build()
            .unwrap();
        let (seen, headers, _) = ask(urls, Method::POST, "/").await;
        assert_eq!(seen.as_u16(), status);
        let allow = headers.get(ALLOW).map(|allow| allow.to_str().unwrap());
        assert_eq!(allow, (status == 405).then_some("GET, HEAD, POST"));
    }
}

#[tokio::test]
async fn dispatch_9_a_view_may_have_head_and_options() {
    async fn method(_: Arc<()>, request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
        let mut response = Response::default();
        let method = request.method().as_str().parse().unwrap();
        response.headers_mut().insert("x-method", method);
        Ok(response)
    }
    let view = View::new(())
        .get(method)
        .put(method)
        .patch(method)
        .delete(method)
        .method(Method::HEAD, method)
        .method(Method::OPTIONS, method);
    assert_eq!(
        format!("{view:?}"),
        "[GET, PUT, PATCH, DELETE, HEAD, OPTIONS]"
    );
    let urls = Dispatch::builder().view("/", view).build().unwrap();
    for method in ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] {
        let (status, headers, _) = ask(urls.clone(), method.parse().unwrap(), "/").await;
        assert_eq!(
            (status, &headers["x-method"]),
            (StatusCode::OK, &method.parse().unwrap())
        );
    }
}
