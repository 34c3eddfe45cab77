//! A CORS layer around endpoints sees the preflights for them, and the endpoints see none.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn, util::MapRequestLayer};
use tower_dispatch::{Dispatch, DispatchLayer, Endpoint, UrlArgs, View};
use tower_http::cors::{Any, CorsLayer};

use crate::probe::says;

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::PUT])
}

fn preflight(path: &str, method: &str) -> Request<()> {
    Request::options(path)
        .header("origin", "https://shop.example")
        .header("access-control-request-method", method)
        .body(())
        .unwrap()
}

/// The status, the methods that CORS allows, and `Allow`.
type Got = (u16, Option<String>, Option<String>);

async fn ask<S, B>(app: S, request: Request<()>) -> Got
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    let (parts, _) = app.oneshot(request).await.unwrap().into_parts();
    let text = |headers: &HeaderMap, name| {
        let mut values = headers.get_all(name).into_iter();
        let value = values
            .next()
            .map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(values.next(), None);
        value
    };
    (
        parts.status.as_u16(),
        text(&parts.headers, "access-control-allow-methods"),
        text(&parts.headers, "allow"),
    )
}

fn by_cors() -> Got {
    (200, Some("PUT".to_owned()), None)
}

fn own(allow: &str) -> Got {
    (204, None, Some(allow.to_owned()))
}

fn urls() -> Dispatch<Endpoint<()>> {
    let view = View::new(()).put(async |_: Arc<()>, request| says("view").oneshot(request).await);
    Dispatch::builder()
        .put("/a/{x}", says("put"))
        .view("/view", view)
        .layer(cors())
        .get("/a/{x}", says("get"))
        .post("/plain", says("post"))
        .build()
        .unwrap()
}

#[tokio::test]
async fn dispatch_10_a_preflight_reaches_the_cors_layer_of_its_route() {
    let without = |name| {
        let mut request = preflight("/a/1", "PUT");
        request.headers_mut().remove(name);
        request
    };
    let twice = |name, value: &'static str| {
        let mut request = preflight("/a/1", "PUT");
        request.headers_mut().append(name, value.parse().unwrap());
        request
    };
    let ours = || own("GET, HEAD, OPTIONS, PUT");
    let table = [
        (preflight("/a/1", "PUT"), by_cors(), "the route's layer"),
        (preflight("/view", "PUT"), by_cors(), "around a view"),
        (preflight("/a/1", "GET"), ours(), "a route without a layer"),
        (preflight("/a/1", "POST"), ours(), "no route"),
        (
            preflight("/plain", "POST"),
            own("OPTIONS, POST"),
            "no layer",
        ),
        (preflight("/a/1", "put"), ours(), "methods have a case"),
        (preflight("/a/1", "P U T"), ours(), "no method"),
        (without("origin"), ours(), "no preflight without it"),
        (without("access-control-request-method"), ours(), "nor this"),
        (twice("origin", "https://b.example"), ours(), "two origins"),
        (
            twice("access-control-request-method", "GET"),
            ours(),
            "two methods",
        ),
        (preflight("/none", "PUT"), (404, None, None), "no path"),
    ];
    for (request, expected, why) in table {
        assert_eq!(ask(urls(), request).await, expected, "{why}");
    }
    let got = ask(urls(), Request::put("/a/1").body(()).unwrap()).await;
    assert_eq!(got, (200, None, None));
}

#[tokio::test]
async fn dispatch_10_a_preflight_passes_the_cors_layer_of_a_service() {
    let app = DispatchLayer::new(urls()).layer(says("inner"));
    let table = [
        (preflight("/a/1", "PUT"), by_cors()),
        (preflight("/view", "PUT"), by_cors()),
        (preflight("/a/1", "GET"), (200, None, None)),
        (preflight("/plain", "POST"), (200, None, None)),
        (preflight("/none", "PUT"), (200, None, None)),
        (
            Request::options("/a/1").body(()).unwrap(),
            (200, None, None),
        ),
    ];
    for (request, expected) in table {
        let uri = request.uri().clone();
        assert_eq!(ask(app.clone(), request).await, expected, "{uri}");
    }
}

#[tokio::test]
async fn dispatch_10_an_endpoint_sees_no_preflight_with_any_layers() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counts = calls.clone();
    let endpoint = service_fn(move |_: Request<()>| {
        counts.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let keeps = MapRequestLayer::new(|request: Request<()>| {
        let args = request.extensions().get::<UrlArgs>().unwrap();
        assert_eq!((args.name("x"), args.pattern()), (Some("1"), "/a/{x}"));
        request
    });
    let clears = MapRequestLayer::new(|mut request: Request<()>| {
        request.extensions_mut().clear();
        request
    });
    let view = {
        let endpoint = endpoint.clone();
        View::new(()).delete(move |_: Arc<()>, request| endpoint.clone().oneshot(request))
    };
    let urls = Dispatch::builder()
        .delete("/a/{x}", endpoint.clone())
        .layer(keeps.clone())
        .layer(keeps)
        .put("/a/{x}", says("put"))
        .build()
        .unwrap();
    let got = ask(urls, preflight("/a/1", "DELETE")).await;
    assert_eq!(got, own("DELETE, OPTIONS, PUT"));

    let urls = Dispatch::builder()
        .delete("/a/{x}", endpoint)
        .view("/view", view)
        .layer(clears)
        .put("/a/{x}", says("put"))
        .build()
        .unwrap();
    for path in ["/a/1", "/view"] {
        let got = ask(urls.clone(), preflight(path, "DELETE")).await;
        assert_eq!(got, own("DELETE, OPTIONS"), "{path}");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    let request = Request::delete("/a/1").body(()).unwrap();
    assert_eq!(ask(urls, request).await.0, 200);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn dispatch_10_a_preflight_goes_by_the_order_of_routes() {
    let explicit = || service_fn(|request| async { says("options").oneshot(request).await });
    let first = Dispatch::builder()
        .method(Method::OPTIONS, "/a", explicit())
        .put("/a", says("put"))
        .layer(cors())
        .build()
        .unwrap();
    // The layer is around both.
    assert_eq!(ask(first, preflight("/a", "PUT")).await, by_cors());

    // It has no response to a preflight, and the earlier route has.
    let first = Dispatch::builder()
        .method(Method::OPTIONS, "/a", explicit())
        .put("/a", says("put"))
        .layer(MapRequestLayer::new(|request: Request<()>| request))
        .build()
        .unwrap();
    assert_eq!(ask(first, preflight("/a", "PUT")).await, (200, None, None));

    let earlier = Dispatch::builder()
        .put("/a", says("put"))
        .layer(cors())
        .method(Method::OPTIONS, "/a", explicit())
        .route("/{*all}", says("all"))
        .build()
        .unwrap();
    assert_eq!(
        ask(earlier.clone(), preflight("/a", "PUT")).await,
        by_cors()
    );
    let not_asked = Request::options("/a").body(()).unwrap();
    assert_eq!(ask(earlier.clone(), not_asked).await, (200, None, None));
    let got = ask(earlier, preflight("/a", "POST")).await;
    assert_eq!(got, (200, None, None));

    let later = Dispatch::builder()
        .put("/b", says("put"))
        .layer(cors())
        .build()
        .unwrap();
    let later = Dispatch::builder()
        .method(Method::OPTIONS, "/{*all}", explicit())
        .mount("/", later)
        .build()
        .unwrap();
    let got = ask(later, preflight("/b", "PUT")).await;
    assert_eq!(got, (200, None, None));
}

#[tokio::test]
async fn dispatch_10_with_typed_endpoints_the_dispatcher_responds() {
    let urls = Dispatch::typed()
        .put("/a", says("put"))
        .layer(cors())
        .build()
        .unwrap();
    let got = ask(urls.clone(), preflight("/a", "PUT")).await;
    assert_eq!(got, own("OPTIONS, PUT"));
    // Around the whole dispatcher it sees all.
    assert_eq!(
        ask(cors().layer(urls), preflight("/a", "PUT")).await,
        by_cors()
    );
}

#[tokio::test]
async fn dispatch_10_a_preflight_below_a_mount_is_for_the_service() {
    let below = Dispatch::builder()
        .put("/b", says("put"))
        .layer(cors())
        .build()
        .unwrap();
    let urls = Dispatch::builder().mount("/a", below).build().unwrap();
    assert_eq!(ask(urls, preflight("/a/b", "PUT")).await, by_cors());
}
