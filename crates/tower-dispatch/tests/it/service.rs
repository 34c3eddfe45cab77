use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use tower::{ServiceExt, service_fn};
use tower_dispatch::{Dispatch, NotDispatched, Pattern, UrlArgs};
use tower_kit::{Rejection, status_of};

use crate::probe::{ask, says};

#[tokio::test]
async fn dispatch_1_the_first_route_that_matches_wins() {
    let urls = Dispatch::builder()
        .route("/a/{x}", says("one"))
        .route("/a/b", says("two"))
        .route(Pattern::regex("/(a)/(b)?/?(c)?").unwrap(), says("three"))
        .build()
        .unwrap();
    let table = [
        ("/a/b", "one GET [x=b]"),
        ("/a/b?c=d", "one GET [x=b]"),
        ("/a/", "three GET [a (absent) (absent)]"),
        ("/a/b/c", "three GET [a b c]"),
        ("/a/J%C3%B6rg", "one GET [x=Jörg]"),
        ("/a/b%2Fc", "one GET [x=b/c]"),
        ("/%61/%252F", "one GET [x=%2F]"),
    ];
    for (uri, expected) in table {
        assert_eq!(
            ask(urls.clone(), Method::GET, uri).await.2,
            expected,
            "{uri}"
        );
    }
}

#[tokio::test]
async fn dispatch_4_url_args_have_position_name_route_and_pattern() {
    let urls = Dispatch::builder()
        .route("/", says("root"))
        .route(
            "/{a}/{b}/{c}/{d}/{e}",
            service_fn(async |request: Request<()>| {
                let args = request.extensions().get::<UrlArgs>().unwrap();
                assert_eq!((args.len(), args.is_empty()), (5, false));
                assert_eq!((args.get(4), args.get(5)), (Some("5"), None));
                assert_eq!((args.name("b"), args.name("x")), (Some("2"), None));
                assert_eq!((args.route_name(), args.route_index()), (Some("five"), 1));
                assert_eq!(args.pattern(), "/{a}/{b}/{c}/{d}/{e}");
                says("five").oneshot(request).await
            }),
        )
        .name("five")
        .build()
        .unwrap();
    let got = ask(urls, Method::GET, "/1/2/3/4/5").await;
    assert_eq!(got.2, "five GET [a=1 b=2 c=3 d=4 e=5]");
}

#[tokio::test]
async fn dispatch_7_a_request_without_a_route_is_rejected() {
    let urls = Dispatch::builder()
        .get("/a", says("get"))
        .put("/{x}", says("put"))
        .post("/a", says("post"))
        .build()
        .unwrap();
    let table = [
        (
            Method::GET,
            "/none/at/all",
            404,
            None,
            "no route matches the path\n",
        ),
        (
            Method::OPTIONS,
            "*",
            404,
            None,
            "no route matches the path\n",
        ),
        (
            Method::CONNECT,
            "example.org:443",
            404,
            None,
            "no route matches the path\n",
        ),
        (
            Method::GET,
            "/%zz",
            400,
            None,
            "the path has a `%` without two hexadecimal digits after it, at byte 1\n",
        ),
        (
            Method::GET,
            "/%ff",
            400,
            None,
            "the path, percent-decoded, is not UTF-8 after its first 1 bytes\n",
        ),
        (
            Method::DELETE,
            "/a",
            405,
            Some("GET, HEAD, OPTIONS, POST, PUT"),
            "the path does not allow this method\n",
        ),
        (Method::HEAD, "/b", 405, Some("OPTIONS, PUT"), ""),
        (
            Method::OPTIONS,
            "/a",
            204,
            Some("GET, HEAD, OPTIONS, POST, PUT"),
            "",
        ),
    ];
    for (method, uri, status, allow, text) in table {
        let (got, headers, body) = ask(urls.clone(), method.clone(), uri).await;
        assert_eq!(
            (got.as_u16(), body.as_str()),
            (status, text),
            "{method} {uri}"
        );
        let found = headers.get("allow").map(|allow| allow.to_str().unwrap());
        assert_eq!(found, allow, "{method} {uri}");
    }
    let table = [
        (Request::delete("/b"), "MethodNotAllowed"),
        (Request::get("/none/at/all"), "NotFound"),
        (Request::get("/%ff"), "UndecodablePath"),
    ];
    for (request, expected) in table {
        let response = urls.clone().oneshot(request.body(()).unwrap());
        let response = response.await.unwrap();
        let reason = Rejection::of(&response).and_then(Rejection::reason);
        let reason: &NotDispatched = reason.unwrap();
        assert!(format!("{reason:?}").starts_with(expected), "{reason:?}");
    }
}

#[tokio::test]
async fn dispatch_7_a_rejection_speaks_the_clients_protocol() {
    let urls = Dispatch::builder().get("/a", says("get")).build().unwrap();
    for (path, status, code) in [("/b", 404, "12"), ("/a", 405, "12"), ("/%ff", 400, "3")] {
        let request = Request::post(path).header("content-type", "application/grpc");
        let response = urls.clone().oneshot(request.body(()).unwrap());
        let response = response.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["grpc-status"], code);
        assert_eq!(status_of(&response), status);
        assert_eq!(response.headers().contains_key("allow"), status == 405);
    }
}

#[tokio::test]
async fn dispatch_7_a_route_for_options_responds_to_it() {
    let urls = Dispatch::builder()
        .get("/a", says("get"))
        .method(Method::OPTIONS, "/a", says("options"))
        .patch("/a", says("patch"))
        .delete("/a", says("delete"))
        .build()
        .unwrap();
    let got = ask(urls.clone(), Method::OPTIONS, "/a").await;
    assert_eq!(got.2, "options OPTIONS []");
    let (status, headers, _) = ask(urls, Method::PUT, "/a").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(headers["allow"], "DELETE, GET, HEAD, OPTIONS, PATCH");
}

#[tokio::test]
async fn dispatch_6_head_is_taken_by_get_without_its_body() {
    let urls = Dispatch::builder()
        .get("/get", says("get"))
        .route("/any", says("any"))
        .build()
        .unwrap();
    let (status, headers, text) = ask(urls.clone(), Method::HEAD, "/get").await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, ""));
    assert_eq!(headers["content-length"], "get HEAD []".len().to_string());
    // An endpoint for every method responds to HEAD in its own way.
    assert_eq!(ask(urls, Method::HEAD, "/any").await.2, "any HEAD []");
}

#[tokio::test]
async fn dispatch_6_the_length_of_head_is_that_of_get_or_absent() {
    fn with_status(
        status: u16,
        headers: &[(&str, &str)],
        body: &'static str,
    ) -> Response<Full<Bytes>> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(body.into()).unwrap()
    }
    let table = [
        (
            with_status(200, &[], "four"),
            Some("4"),
            "known from the body",
        ),
        (
            with_status(200, &[("content-length", "9")], ""),
            Some("9"),
            "the endpoint has set it",
        ),
        (
            with_status(200, &[], ""),
            None,
            "the endpoint has removed the body",
        ),
        (
            with_status(200, &[("transfer-encoding", "chunked")], "four"),
            None,
            "it has none",
        ),
        (with_status(204, &[], ""), None, "nor has this"),
        (with_status(205, &[], "four"), None, "none, whatever it is"),
        (with_status(304, &[], "four"), None, "another response's"),
    ];
    for (response, length, why) in table {
        let urls = Dispatch::builder()
            .get(
                "/",
                service_fn(move |_: Request<()>| {
                    let response = response.clone();
                    async { Ok::<_, Infallible>(response) }
                }),
            )
            .build()
            .unwrap();
        let (_, headers, text) = ask(urls, Method::HEAD, "/").await;
        let found = headers
            .get("content-length")
            .map(|length| length.to_str().unwrap());
        assert_eq!((found, text.as_str()), (length, ""), "{why}");
    }
}

#[tokio::test]
async fn dispatch_4_an_inner_dispatcher_has_its_own_parameters() {
    let inner = Dispatch::builder()
        .route("/{a}/{b}", says("inner"))
        .build()
        .unwrap();
    let outer = Dispatch::builder().route("/{*all}", inner).build().unwrap();
    assert_eq!(
        ask(outer, Method::GET, "/x/y").await.2,
        "inner GET [a=x b=y]"
    );
}

/// Only a mount's parameters are the outer ones of the dispatcher below it.
#[tokio::test]
async fn dispatch_11_an_inner_dispatcher_sees_no_args_of_a_route() {
    let says_all = service_fn(async |request: Request<()>| {
        let args = request.extensions().get::<UrlArgs>().unwrap();
        let outer = args.outer().map(UrlArgs::pattern);
        let text = format!("{outer:?} {:?} {:?}", args.name("tenant"), args.name("a"));
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
    });
    let inner = Dispatch::builder()
        .route("/{x}/{a}", says_all)
        .route("/{a}", says_all)
        .build()
        .unwrap();
    let urls = Dispatch::builder()
        .get("/{tenant}/{rest}", inner.clone())
        .mount("/mount/{tenant}/x", inner)
        .build()
        .unwrap();
    let table = [
        ("/acme/1", "None None Some(\"1\")"),
        (
            "/mount/acme/x/1",
            "Some(\"/mount/{tenant}/x\") Some(\"acme\") Some(\"1\")",
        ),
    ];
    for (path, expected) in table {
        let got = ask(urls.clone(), Method::GET, path).await;
        assert_eq!(got.2, expected, "{path}");
    }
}

#[tokio::test]
async fn dispatch_18_the_size_hint_of_a_body_passes() {
    let urls = Dispatch::builder()
        .route("/", says("root"))
        .build()
        .unwrap();
    let response = urls.oneshot(Request::new(())).await.unwrap();
    assert_eq!(
        response.body().size_hint().exact(),
        Some("root GET []".len() as u64)
    );
}

#[tokio::test]
async fn dispatch_18_an_endpoints_error_passes_unchanged() {
    #[derive(Debug, PartialEq)]
    struct Broken;
    let urls = Dispatch::builder()
        .route(
            "/",
            service_fn(async |_: Request<()>| {
                Err::<http::Response<http_body_util::Full<bytes::Bytes>>, _>(Broken)
            }),
        )
        .build()
        .unwrap();
    assert_eq!(urls.oneshot(Request::new(())).await.unwrap_err(), Broken);
}
