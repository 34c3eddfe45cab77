//! More than one service before the last, and the rules for what falls through.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::ALLOW};
use http_body_util::{BodyExt, Full};
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_cascade::{
    Cascade, CascadeError, CascadeLayer, CascadeTrace, Final, Pass, ReplayBody, Tried,
};
use tower_kit::Rejection;
use tower_lint::probe::{Body, Error, Step};

use crate::probe::{GONE, Replayed, not_found, read, reads_then_responds, trailers, with_status};

const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;

/// Reads this many frames, and responds with 404.
async fn reads<B>(frames: usize, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
where
    B: http_body::Body<Data = Bytes, Error = BoxError>,
{
    let mut body = std::pin::pin!(request.into_body());
    for _ in 0..frames {
        let _ = body.frame().await;
    }
    let mut response = Response::default();
    *response.status_mut() = NOT_FOUND;
    Ok(response)
}

/// Reads this many frames, and responds with 404 or with the rest of the body.
fn reads_or_echoes(
    frames: usize,
    echoes: bool,
) -> impl tower::Service<Request<Replayed>, Response = Response<Replayed>, Error = Infallible> + Clone
{
    service_fn(move |request: Request<Replayed>| async move {
        let mut body = request.into_body();
        for _ in 0..frames {
            body.frame().await.unwrap().unwrap();
        }
        let mut response = Response::default();
        match echoes {
            true => *response.body_mut() = body,
            false => *response.status_mut() = NOT_FOUND,
        }
        Ok(response)
    })
}

/// A layer of any service, as a user's function takes it.
fn traced<A>(layer: CascadeLayer<A>) -> CascadeLayer<A> {
    layer.trace()
}

#[tokio::test]
async fn cascade_3_services_of_different_types_are_own_layers() {
    let router: Router = Router::new().route("/router", get(async || "router"));
    let app = ServiceBuilder::new()
        .layer(traced(CascadeLayer::new(service_fn(|request| {
            reads(1, request)
        }))))
        .layer(CascadeLayer::new(router).trace())
        .layer(traced(CascadeLayer::list([3, 2].map(|frames| {
            service_fn(move |request| reads(frames, request))
        }))))
        .service(service_fn(
            async |request: Request<ReplayBody<ReplayBody<Replayed>>>| {
                let seen = read(request.into_body()).await.unwrap();
                assert_eq!(seen, ("abcde".into(), true));
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("last")))
            },
        ));
    for (path, expected, tried) in [("/router", "router", 2), ("/", "last", 5)] {
        let body = Body::new(["ab".into(), "c".into(), "de".into(), trailers()]);
        let request = Request::get(path).body(body).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let trace = response.extensions().get::<CascadeTrace>().unwrap();
        assert_eq!(trace.tried().len(), tried);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn cascade_6_the_limit_is_for_all_services_together() {
    let body = || Body::new(["ab".into(), "cd".into(), "ef".into()]);
    for (limit, status) in [(4, StatusCode::OK), (3, StatusCode::PAYLOAD_TOO_LARGE)] {
        let app = CascadeLayer::list([not_found(1), not_found(2), not_found(1)])
            .replay_limit(limit)
            .layer(service_fn(async |request: Request<Replayed>| {
                assert_eq!(read(request.into_body()).await.unwrap().0, "abcdef");
                Ok::<_, Infallible>(with_status(StatusCode::OK))
            }));
        let response = app.oneshot(Request::new(body())).await.unwrap();
        assert_eq!(response.status(), status);
        let exceeded = Rejection::of(&response)
            .is_some_and(|rejection| rejection.reason::<CascadeError>().is_some());
        assert_eq!(exceeded, status != StatusCode::OK);
    }
}

#[tokio::test]
async fn cascade_6_a_false_content_length_does_not_pass_the_limit() {
    let app = CascadeLayer::new(not_found(9))
        .replay_limit(3)
        .layer(not_found(0));
    for (length, status) in [("1", 413), ("1000000", 413)] {
        let request = Request::put("/").header("content-length", length);
        let request = request.body(Body::new(["ab".into(), "cd".into()])).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
    }
    let request = Request::put("/").header("content-length", "1000000");
    let request = request.body(Body::new(["ab".into()])).unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status(), NOT_FOUND);
}

#[tokio::test]
async fn cascade_2_a_response_may_read_all_of_the_body_later() {
    // It reads the recorded frames, and then the rest, after its response is the final one.
    let list = [reads_or_echoes(3, false), reads_or_echoes(1, true)];
    let app = CascadeLayer::list(list).layer(not_found(0));
    let body = Body::new(["ab".into(), "c".into(), trailers()]);
    let response = app.oneshot(Request::new(body)).await.unwrap();
    assert_eq!(read(response.into_body()).await, Ok(("".into(), true)));

    let long = Bytes::from(vec![b'x'; 600]);
    let app = CascadeLayer::list([reads_or_echoes(2, false), reads_or_echoes(0, true)]);
    let app = app.layer(not_found(0));
    let steps = [long.clone(), long.clone(), "end".into()].map(Step::Data);
    let response = app.oneshot(Request::new(Body::new(steps))).await.unwrap();
    assert_eq!(read(response.into_body()).await.unwrap().0.len(), 1203);
    assert!(long.is_unique());
}

#[tokio::test]
async fn cascade_7_a_failed_body_fails_for_each_later_service() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let sees = seen.clone();
    let reads_all = service_fn(move |request: Request<Replayed>| {
        let sees = sees.clone();
        async move {
            let error = read(request.into_body()).await.unwrap_err();
            sees.lock().unwrap().push(error);
            Ok::<_, Infallible>(with_status(NOT_FOUND))
        }
    });
    let app = Cascade::new([reads_all.clone(), reads_all.clone(), reads_all]);
    let body = Body::new(["ab".into(), GONE]);
    app.oneshot(Request::new(body)).await.unwrap();
    let failed = CascadeError::BodyFailed.to_string();
    assert_eq!(
        *seen.lock().unwrap(),
        ["the client is gone", &failed, &failed]
    );
}

#[tokio::test]
async fn cascade_11_a_condition_is_for_the_services_of_its_layer() {
    fn named<B>(
        name: &'static str,
    ) -> impl tower::Service<Request<B>, Response = Response<Body>, Error = Infallible> + Clone
    {
        service_fn(move |_: Request<B>| async move {
            let mut response = with_status(if name == "last" {
                StatusCode::OK
            } else {
                NOT_FOUND
            });
            let name = HeaderValue::from_static(name);
            response.headers_mut().insert("x-app", name);
            Ok::<_, Infallible>(response)
        })
    }
    let app = ServiceBuilder::new()
        .layer(
            CascadeLayer::new(named("one"))
                .only(|head| head.method == Method::PUT)
                .trace(),
        )
        .layer(
            CascadeLayer::list([named("two"), named("three")])
                .only(|head| head.method == Method::GET)
                .trace(),
        )
        .service(named("last"));
    let skipped = Tried::Skipped;
    let (no, yes) = (Tried::Answered(NOT_FOUND), Tried::Answered(StatusCode::OK));
    for (method, tried) in [
        (Method::PUT, [no, skipped, skipped, yes]),
        (Method::GET, [skipped, no, no, yes]),
        (Method::POST, [skipped, skipped, skipped, yes]),
    ] {
        let request = Request::builder().method(method).body(Body::default());
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.headers()["x-app"], "last");
        assert_eq!(
            response.extensions().get::<CascadeTrace>().unwrap().tried(),
            tried
        );
    }
    // The last one of a list has no condition.
    let list = [named("one"), named("two")];
    let list = CascadeLayer::list(list).only(|_| false).service();
    let response = list.oneshot(Request::new(Body::default())).await.unwrap();
    assert_eq!(response.headers()["x-app"], "two");
}

#[tokio::test]
async fn cascade_13_pass_and_final_override_the_status() {
    let app = |status: u16, extension: &'static str| {
        service_fn(move |_: Request<Replayed>| async move {
            let mut response = with_status(StatusCode::from_u16(status).unwrap());
            if extension.contains("pass") {
                response.extensions_mut().insert(Pass);
            }
            if extension.contains("final") {
                response.extensions_mut().insert(Final);
            }
            if extension.contains("header") {
                let pass = HeaderValue::from_static("pass");
                response.headers_mut().insert("x-cascade", pass);
            }
            Ok::<_, Infallible>(response)
        })
    };
    // The first service's response, whether Rack's header counts, and the status of the final
    // response. The second service responds with 404 and passes too.
    let table = [
        (404, "", false, 404),
        (200, "", false, 200),
        (200, "pass", false, 404),
        (404, "final", false, 404),
        (200, "pass final", false, 200),
        (401, "pass", false, 404),
        (500, "pass", false, 404),
        (200, "header", false, 200),
        (200, "header", true, 404),
        (404, "header", true, 404),
        (404, "header final", true, 404),
    ];
    for (status, extension, rack, expected) in table {
        for method in [Method::GET, Method::POST] {
            let last = app(404, "pass header");
            let mut cascade = CascadeLayer::new(app(status, extension)).trace();
            if rack {
                cascade = cascade.x_cascade_header();
            }
            let cascade = cascade.layer(last);
            let request = Request::builder()
                .method(method)
                .body(Body::default())
                .unwrap();
            let response = cascade.oneshot(request).await.unwrap();
            assert_eq!(response.status(), expected, "{status} {extension}");
            let tried = response.extensions().get::<CascadeTrace>().unwrap().tried();
            let falls_through = !extension.contains("final")
                && (status == 404 || extension == "pass" || extension == "header" && rack);
            assert_eq!(
                tried.len(),
                1 + usize::from(falls_through),
                "{status} {extension}"
            );
            let has_header = response.headers().contains_key("x-cascade");
            assert_eq!(
                has_header,
                !rack && (falls_through || extension.contains("header"))
            );
        }
    }
}

#[tokio::test]
async fn cascade_14_an_error_is_final_or_falls_through() {
    let fails = |text: &'static str| {
        service_fn(move |_: Request<Replayed>| async move { Err::<Response<Body>, _>(Error(text)) })
    };
    let last = || {
        service_fn(async |_: Request<Replayed>| {
            Ok::<_, BoxError>(with_status(StatusCode::ACCEPTED))
        })
    };
    let request = |method| {
        Request::builder()
            .method(method)
            .body(Body::default())
            .unwrap()
    };

    let strict = CascadeLayer::new(fails("broken")).layer(last());
    let error = strict.oneshot(request(Method::GET)).await.unwrap_err();
    assert_eq!(error.to_string(), "broken");

    let lenient = |text| {
        CascadeLayer::new(fails(text))
            .on_error(|error: &BoxError| error.to_string() == "down")
            .trace()
            .layer(last())
    };
    let response = lenient("down").oneshot(request(Method::GET)).await.unwrap();
    let tried = response.extensions().get::<CascadeTrace>().unwrap().tried();
    assert_eq!(
        tried,
        [Tried::Failed, Tried::Answered(StatusCode::ACCEPTED)]
    );
    let error = lenient("broken")
        .oneshot(request(Method::GET))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "broken");

    // A request that is not idempotent does not fall through without the switch, in any order.
    for method in [Method::POST, Method::PATCH, Method::CONNECT] {
        let response = lenient("down").oneshot(request(method.clone())).await;
        assert_eq!(response.unwrap_err().to_string(), "down");
        let any = CascadeLayer::new(fails("down")).on_error_any_method();
        let app = any.on_error(|_: &BoxError| true).layer(last());
        let response = app.oneshot(request(method)).await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
    }
    for method in [Method::PUT, Method::DELETE, Method::HEAD] {
        let response = lenient("down").oneshot(request(method)).await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
    }

    // Functions add up.
    let both = CascadeLayer::new(fails("down"))
        .on_error(|error: &BoxError| error.to_string() == "down")
        .on_error(|error: &BoxError| error.to_string() == "broken");
    let response = both.layer(last()).oneshot(request(Method::GET)).await;
    assert_eq!(response.unwrap().status(), StatusCode::ACCEPTED);

    // In a list, the last one's error is final.
    let list = CascadeLayer::list([fails("one"), fails("two")])
        .on_error(|_: &Error| true)
        .service();
    assert_eq!(
        list.oneshot(request(Method::GET)).await.unwrap_err(),
        Error("two")
    );
}

#[tokio::test]
async fn cascade_3_a_list_is_tried_in_order_and_its_last_is_final() {
    let app = |status: u16| {
        service_fn(move |request: Request<Replayed>| {
            reads_then_responds(1, StatusCode::from_u16(status).unwrap(), request)
        })
    };
    let table: [(&[u16], u16); 6] = [
        (&[], 404),
        (&[500], 500),
        (&[404], 404),
        (&[404, 201, 500], 201),
        (&[404, 404, 405], 405),
        (&[404, 405, 200], 405),
    ];
    for (statuses, expected) in table {
        let list = statuses.iter().map(|status| app(*status));
        let list = CascadeLayer::list(list).trace().service();
        let request = Request::new(Body::new(["ab".into()]));
        let response = list.oneshot(request).await.unwrap();
        assert_eq!(response.status(), expected);
        let trace = response.extensions().get::<CascadeTrace>().unwrap();
        let last = Tried::Answered(expected.try_into().unwrap());
        let last = (!statuses.is_empty()).then_some(&last);
        assert_eq!(trace.tried().last(), last);
    }
    let list = CascadeLayer::list([app(403), app(503), app(200)]);
    let list = list.fall_through_if(|head| head.status != 503);
    let allowed = list.clone().allow_auth_statuses();
    let statuses = [StatusCode::FORBIDDEN, StatusCode::SERVICE_UNAVAILABLE];
    let named = allowed.clone().statuses(statuses).unwrap();
    let limited = named.clone().replay_limit(0);
    for (list, expected) in [(list, 403), (allowed, 503), (named, 200), (limited, 413)] {
        let request = Request::new(Body::new(["ab".into()]));
        let response = list.service().oneshot(request).await.unwrap();
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test]
async fn cascade_1_rules_add_up_and_statuses_replace() {
    let first = service_fn(async |request: Request<Replayed>| {
        let status = request.uri().path()[1..].parse().unwrap();
        let mut response = with_status(StatusCode::from_u16(status).unwrap());
        response
            .headers_mut()
            .insert("x-miss", request.headers()["x-miss"].clone());
        Ok::<_, Infallible>(response)
    });
    let layer = CascadeLayer::new(first);
    let misses = |head: &http::response::Parts| head.headers["x-miss"] == "1";
    let gone = [StatusCode::GONE];
    let both = layer
        .clone()
        .statuses(gone)
        .unwrap()
        .fall_through_if(misses);
    let reversed = layer
        .clone()
        .fall_through_if(misses)
        .statuses(gone)
        .unwrap();
    let twice = both.clone().fall_through_if(|head| head.status == 418);
    let again = both.clone().statuses([NOT_FOUND]).unwrap();
    for (layer, falls) in [
        (layer, [true, false, false, false, false]),
        (both, [false, true, false, true, false]),
        (reversed, [false, true, false, true, false]),
        (twice, [false, true, true, true, false]),
        (again, [true, false, false, true, false]),
    ] {
        let requests = [
            ("/404", "0"),
            ("/410", "0"),
            ("/418", "0"),
            ("/200", "1"),
            ("/204", "1"),
        ];
        for ((path, miss), falls) in requests.into_iter().zip(falls) {
            let request = Request::get(path).header("x-miss", miss);
            let request = request.body(Body::default()).unwrap();
            let last = service_fn(|request| reads_then_responds(0, StatusCode::CREATED, request));
            let response = layer.layer(last).oneshot(request).await.unwrap();
            assert_eq!(response.status() == 201, falls, "{path} {layer:?}");
        }
    }
}

#[tokio::test]
async fn cascade_9_a_final_405_after_a_list_unites_allow() {
    let app = |status: u16, allow: &'static str| {
        service_fn(move |_: Request<Replayed>| async move {
            let mut response = with_status(StatusCode::from_u16(status).unwrap());
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(allow));
            Ok::<_, Infallible>(response)
        })
    };
    let statuses = [NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
    for (last, allow) in [(405, "GET, HEAD, POST, PUT"), (404, "POST"), (200, "POST")] {
        let list = [
            app(405, "PUT,GET"),
            app(404, "DELETE"),
            app(405, "HEAD, PUT"),
        ];
        let cascade = CascadeLayer::list(list)
            .statuses(statuses)
            .unwrap()
            .layer(app(last, "POST"));
        let response = cascade
            .oneshot(Request::new(Body::default()))
            .await
            .unwrap();
        assert_eq!(response.headers()[ALLOW], allow);
    }
}

#[tokio::test]
async fn cascade_3_layers_and_routers_stack() {
    let first: Router = Router::new().route("/first", get(async || "first"));
    let second: Router = Router::new().route("/second", get(async || "second"));
    let last: Router = Router::new().route("/", get(async || "last"));
    let layer = CascadeLayer::new(second).only(|parts| parts.method == Method::GET);
    let layers = ServiceBuilder::new()
        .layer(CascadeLayer::new(first))
        .layer(layer);
    let app: Router = Router::new()
        .fallback_service(layers.service(last.clone()))
        .layer(CascadeLayer::new(last));
    for (path, expected) in [("/first", "first"), ("/second", "second"), ("/", "last")] {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn cascade_2_path_parameters_of_a_router_are_its_own() {
    use axum::extract::Path;

    // It matches and responds with 404. Its own request's extensions are dropped.
    let first = Router::new().route("/{id}/{other}", get(async || NOT_FOUND));
    let second = Router::new().route(
        "/{one}/{two}",
        get(async |Path((one, two)): Path<(String, String)>| format!("{one} {two}")),
    );
    let app = CascadeLayer::list([first.clone(), first]).layer(second);
    let request = Request::get("/a/b")
        .body(axum::body::Body::empty())
        .unwrap();
    let response = app.oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "a b");
}

#[tokio::test]
async fn cascade_1_requests_without_a_path_are_tried_too() {
    let app = CascadeLayer::list([not_found(0), not_found(0)]).layer(not_found(0));
    for (method, uri) in [("CONNECT", "example.org:443"), ("OPTIONS", "*")] {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .body(Body::default());
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), NOT_FOUND);
    }
}

#[tokio::test]
async fn cascade_1_without_statuses_every_response_is_final() {
    let app = CascadeLayer::new(not_found(0))
        .statuses([])
        .unwrap()
        .layer(service_fn(async |_: Request<Replayed>| {
            Ok::<_, Infallible>(with_status(StatusCode::OK))
        }));
    let response = app.oneshot(Request::new(Body::default())).await.unwrap();
    assert_eq!(response.status(), NOT_FOUND);
}

#[test]
fn cascade_20_lists_are_clone_send_sync_and_static() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    let layer = CascadeLayer::list([not_found(0), not_found(1)])
        .only(|_| true)
        .fall_through_if(|head| head.status == NOT_FOUND)
        .on_error(|_: &Infallible| true);
    check(&layer);
    check(&layer.layer(not_found(0)));
    check(
        &CascadeLayer::list([not_found(0)])
            .on_error(|_: &Infallible| true)
            .service(),
    );
    let shown = format!("{layer:?}");
    assert!(
        shown.contains("guards: 1") && shown.contains("predicates: 1"),
        "{shown}"
    );
}

#[tokio::test]
async fn cascade_15_a_trace_has_the_services_that_were_tried() {
    let (no, yes) = (Tried::Answered(NOT_FOUND), Tried::Answered(StatusCode::OK));
    // 413 is the response of no service.
    let app = CascadeLayer::new(not_found(2))
        .replay_limit(1)
        .trace()
        .layer(not_found(0));
    let request = || Request::new(Body::new(["ab".into(), "cd".into()]));
    let response = app.oneshot(request()).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        response.extensions().get::<CascadeTrace>().unwrap().tried(),
        [no]
    );

    // A cascade in a cascade: its services stand instead of it, whether it responds with 404 or
    // not.
    let inner = |status| {
        let last = service_fn(move |_: Request<_>| {
            std::future::ready(Ok::<_, Infallible>(with_status(status)))
        });
        let inner = CascadeLayer::new(not_found(1)).trace().layer(last);
        inner.map_request(|request: Request<Replayed>| request.map(|_| Body::default()))
    };
    for (status, tried) in [
        (StatusCode::OK, vec![no, no, yes]),
        (NOT_FOUND, vec![no, no, no, no]),
    ] {
        let middle = CascadeLayer::new(inner(status)).trace().layer(not_found(0));
        let middle =
            middle.map_request(|request: Request<Replayed>| request.map(|_| Body::default()));
        let outer = CascadeLayer::new(not_found(0)).trace().layer(middle);
        let response = outer.oneshot(request()).await.unwrap();
        assert_eq!(
            response.extensions().get::<CascadeTrace>().unwrap().tried(),
            tried
        );
    }
    let outer = CascadeLayer::new(not_found(0))
        .trace()
        .layer(inner(StatusCode::OK));
    let response = outer.oneshot(request()).await.unwrap();
    assert_eq!(
        response.extensions().get::<CascadeTrace>().unwrap().tried(),
        [no, no, yes]
    );
}

#[tokio::test]
async fn cascade_13_racks_header_reaches_an_outer_cascade() {
    let passes = service_fn(async |_: Request<_>| {
        let mut response = with_status(StatusCode::OK);
        let pass = HeaderValue::from_static("pass");
        response.headers_mut().insert("x-cascade", pass);
        Ok::<_, Infallible>(response)
    });
    let inner = CascadeLayer::list([passes]).x_cascade_header().service();
    let inner = inner.map_request(|request: Request<Replayed>| request.map(|_| Body::default()));
    let outer = CascadeLayer::new(inner)
        .x_cascade_header()
        .layer(service_fn(async |_: Request<Replayed>| {
            Ok::<_, Infallible>(with_status(StatusCode::CREATED))
        }));
    let response = outer.oneshot(Request::new(Body::default())).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn cascade_14_an_error_beyond_the_limit_is_final() {
    let app = CascadeLayer::new(service_fn(async |request: Request<Replayed>| {
        read(request.into_body()).await.unwrap();
        Err::<Response<Body>, _>(Error("down"))
    }))
    .replay_limit(1)
    .on_error(|_: &BoxError| true)
    .layer(service_fn(async |_: Request<Replayed>| {
        Ok::<_, BoxError>(with_status(StatusCode::OK))
    }));
    let error = app
        .oneshot(Request::new(Body::new(["ab".into()])))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "down");
}

#[tokio::test]
async fn cascade_14_failing_to_be_ready_counts_as_an_error() {
    #[derive(Clone)]
    struct Down;
    impl tower::Service<Request<Replayed>> for Down {
        type Response = Response<Body>;
        type Error = Error;
        type Future = std::future::Ready<Result<Response<Body>, Error>>;
        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Error>> {
            std::task::Poll::Ready(Err(Error("down")))
        }
        fn call(&mut self, _: Request<Replayed>) -> Self::Future {
            unreachable!("it is never ready")
        }
    }
    let last =
        service_fn(async |_: Request<Replayed>| Ok::<_, BoxError>(with_status(StatusCode::OK)));
    let layer = CascadeLayer::new(Down)
        .on_error(|_: &BoxError| true)
        .trace();
    let response = layer
        .layer(last)
        .oneshot(Request::new(Body::default()))
        .await
        .unwrap();
    let tried = response.extensions().get::<CascadeTrace>().unwrap().tried();
    assert_eq!(tried, [Tried::Failed, Tried::Answered(StatusCode::OK)]);
}

#[tokio::test]
async fn cascade_11_conditions_add_up() {
    let last =
        service_fn(async |_: Request<Replayed>| Ok::<_, Infallible>(with_status(StatusCode::OK)));
    let first = service_fn(|request| reads_then_responds(0, StatusCode::CREATED, request));
    let app = CascadeLayer::new(first)
        .only(|parts| parts.method == Method::GET)
        .only(|parts| parts.uri.path() == "/")
        .layer(last);
    for (method, path, status) in [("GET", "/", 201), ("POST", "/", 200), ("GET", "/a", 200)] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::default());
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
    }
}

#[tokio::test]
async fn cascade_17_each_service_is_cloned_when_its_turn_comes() {
    #[derive(Default)]
    struct Counts(Arc<std::sync::atomic::AtomicUsize>);
    impl Clone for Counts {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Self(self.0.clone())
        }
    }
    let counts: Vec<Counts> = std::iter::repeat_with(Counts::default).take(5).collect();
    let app = |index: usize| {
        let count = Counts(counts[index].0.clone());
        let status = if index < 3 { NOT_FOUND } else { StatusCode::OK };
        service_fn(move |request: Request<Replayed>| {
            let _ = &count;
            reads_then_responds(0, status, request)
        })
    };
    // The last one has no turn.
    let layer = CascadeLayer::list([app(0), app(1), app(2), app(3)]);
    let mut cascade = layer.layer(app(4)).clone();
    let before: Vec<usize> = counts
        .iter()
        .map(|count| count.0.load(std::sync::atomic::Ordering::Relaxed))
        .collect();
    tower::Service::call(&mut cascade, Request::new(Body::default()))
        .await
        .unwrap();
    for (index, (count, before)) in counts.iter().zip(before).enumerate() {
        let after = count.0.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(after, before + usize::from(index < 4));
    }
}

#[tokio::test]
async fn cascade_9_an_endless_discarded_body_is_dropped() {
    let endless = Bytes::from(vec![b'x'; 10]);
    let step = Step::Endless(endless.clone());
    let app = CascadeLayer::new(service_fn(move |_: Request<Replayed>| {
        let mut response = Response::new(Body::new([step.clone()]));
        *response.status_mut() = NOT_FOUND;
        std::future::ready(Ok::<_, Infallible>(response))
    }))
    .layer(service_fn(async |_: Request<Replayed>| {
        Ok::<_, Infallible>(with_status(StatusCode::OK))
    }));
    let head = Request::head("/").body(Body::default()).unwrap();
    let response = app.oneshot(head).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    assert!(endless.is_unique());
}

#[tokio::test]
async fn cascade_4_replayed_frames_are_dropped_once_they_are_read() {
    let frame = || Bytes::from(vec![b'x'; 4096]);
    let frames = [frame(), frame(), frame()];
    let list = [reads_or_echoes(2, false), reads_or_echoes(0, true)];
    let app = CascadeLayer::list(list).layer(not_found(0));
    let request = Request::new(Body::new(frames.clone().map(Step::Data)));
    let mut body = app.oneshot(request).await.unwrap().into_body();
    for frame in &frames {
        let read = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(read, frame);
        drop(read);
        assert!(frame.is_unique());
    }
    assert!(body.frame().await.is_none());
}

#[test]
fn cascade_4_a_body_may_drop_the_cascade_while_polled() {
    use std::{
        any::Any,
        convert::Infallible,
        pin::Pin,
        sync::mpsc,
        task::{Context, Poll, Waker},
        time::Duration,
    };

    use http_body::Frame;

    /// Drops what is in it when it is polled, as a waker may drop the task that it belongs to.
    #[derive(Clone, Default)]
    struct Drops(Arc<Mutex<Option<Box<dyn Any + Send>>>>);
    impl http_body::Body for Drops {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let dropped = self.0.lock().unwrap().take();
            drop(dropped);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        let kept: Arc<Mutex<Option<ReplayBody<Drops>>>> = Arc::default();
        let keeps = kept.clone();
        let cx = &mut Context::from_waker(Waker::noop());
        // The first one reads, so that the second one gets the body rewound. It gives the body away
        // and waits.
        let reads = |is_first: bool| {
            let keeps = keeps.clone();
            service_fn(move |request: Request<ReplayBody<Drops>>| {
                let keeps = keeps.clone();
                async move {
                    let mut body = request.into_body();
                    if is_first {
                        body.frame().await.unwrap().unwrap();
                        return Ok::<_, Infallible>(with_status(NOT_FOUND));
                    }
                    *keeps.lock().unwrap() = Some(body);
                    std::future::pending().await
                }
            })
        };
        let last = service_fn(async |_: Request<ReplayBody<Drops>>| {
            Ok::<_, Infallible>(with_status(StatusCode::OK))
        });
        let mut app = CascadeLayer::list([reads(true), reads(false)]).layer(last);
        let body = Drops::default();
        let mut future = Box::pin(tower::Service::call(&mut app, Request::new(body.clone())));
        assert!(future.as_mut().poll(cx).is_pending());
        *body.0.lock().unwrap() = Some(Box::new(future));
        let mut kept = kept.lock().unwrap().take().unwrap();
        for _ in 0..3 {
            assert!(http_body::Body::poll_frame(Pin::new(&mut kept), cx).is_ready());
        }
        done.send(()).unwrap();
    });
    finished.recv_timeout(Duration::from_secs(10)).unwrap();
}
