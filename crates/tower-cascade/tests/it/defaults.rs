//! The defaults of a cascade, in figures. No request leaves anything to the next.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::ALLOW};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_cascade::{Cascade, CascadeError, CascadeLayer, CascadeTrace, Pass};
use tower_kit::Rejection;
use tower_lint::probe::{Body, Step};

use crate::probe::{Replayed, read, reads_then_responds, trailers, with_status};

const README: &str = include_str!("../../README.md");

/// Returns the whole body, or the limit that it was too long for.
async fn replayed(length: usize) -> Result<usize, usize> {
    let first =
        service_fn(|request| reads_then_responds(usize::MAX, StatusCode::NOT_FOUND, request));
    let app = CascadeLayer::new(first).layer(service_fn(async |request: Request<Replayed>| {
        let length = read(request.into_body()).await.unwrap().0.len();
        let mut response = with_status(StatusCode::OK);
        response.extensions_mut().insert(length);
        Ok::<_, Infallible>(response)
    }));
    let body = Body::new([Step::Data(Bytes::from(vec![b'x'; length]))]);
    let response = app.oneshot(Request::new(body)).await.unwrap();
    let exceeded = Rejection::of(&response).and_then(Rejection::reason);
    match exceeded {
        Some(CascadeError::ReplayLimitExceeded { limit }) => Err(*limit),
        _ => Ok(*response.extensions().get().unwrap()),
    }
}

#[tokio::test]
async fn cascade_6_the_replay_limit_is_64_kib() {
    assert!(
        README.contains("| `.replay_limit(bytes)` | sets how much of a body is kept | 64 KiB |")
    );
    for (length, expected) in [
        (65_535, Ok(65_535)),
        (65_536, Ok(65_536)),
        (65_537, Err(65_536)),
    ] {
        assert_eq!(replayed(length).await, expected);
    }
}

#[tokio::test]
async fn cascade_1_by_default_404_alone_falls_through() {
    // The status of the first service, with a header, whether it falls through, and whether it does
    // with a predicate that is always true.
    let table = [
        (404, "", true, true),
        (405, "", false, true),
        (410, "", false, true),
        (503, "", false, true),
        (307, "", false, true),
        (200, "", false, true),
        (401, "", false, false),
        (403, "", false, false),
        (204, "", false, false),
        (304, "", false, false),
        (200, "pass", false, true),
    ];
    for (status, header, by_default, by_predicate) in table {
        let first = service_fn(move |_: Request<Replayed>| {
            let mut response = with_status(StatusCode::from_u16(status).unwrap());
            response
                .headers_mut()
                .insert("x-cascade", HeaderValue::from_static(header));
            async { Ok::<_, Infallible>(response) }
        });
        let last = service_fn(|request| reads_then_responds(0, StatusCode::IM_A_TEAPOT, request));
        let layer = CascadeLayer::new(first);
        let all = layer.clone().fall_through_if(|_| true);
        for (layer, falls_through) in [(layer, by_default), (all, by_predicate)] {
            let request = Request::new(Body::default());
            let response = layer.layer(last).oneshot(request).await.unwrap();
            let expected = if falls_through { 418 } else { status };
            assert_eq!(response.status().as_u16(), expected, "{status} {header}");
            // There is neither a trace nor a change of the header.
            assert_eq!(response.extensions().get::<CascadeTrace>(), None);
            let headers = response.headers();
            assert_eq!(headers.contains_key("x-cascade"), !falls_through);
        }
    }
}

/// Responds with 405 to requests with `x-refuse`, and with 404 to all others.
async fn refuses<B>(
    allow: &'static [&'static str],
    request: Request<B>,
) -> Result<Response<Body>, Infallible> {
    let refuse = request.headers().contains_key("x-refuse");
    let mut response = with_status(match refuse {
        true => StatusCode::METHOD_NOT_ALLOWED,
        false => StatusCode::NOT_FOUND,
    });
    for line in allow.iter().filter(|_| refuse) {
        let line = HeaderValue::from_static(line);
        response.headers_mut().append(ALLOW, line);
    }
    Ok(response)
}

/// Responds with 405.
async fn last<B>(_: Request<B>) -> Result<Response<Body>, Infallible> {
    let mut response = with_status(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, "PUT".parse().unwrap());
    response
        .headers_mut()
        .append(ALLOW, "LINK".parse().unwrap());
    Ok(response)
}

async fn allowed<S, B>(app: &mut S, refuse: bool) -> (Vec<String>, usize)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    let mut request = Request::new(Body::default());
    if refuse {
        request
            .headers_mut()
            .insert("x-refuse", "1".parse().unwrap());
    }
    let response = app.ready().await.unwrap().call(request).await.unwrap();
    let allow = response.headers().get_all(ALLOW).iter();
    let allow = allow.map(|value| value.to_str().unwrap().to_owned());
    let trace = response.extensions().get::<CascadeTrace>().unwrap();
    (allow.collect(), trace.tried().len())
}

#[tokio::test]
async fn cascade_9_a_request_leaves_nothing_to_the_next() {
    let on = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
    let refuse = |allow| service_fn(move |request: Request<Replayed>| refuses(allow, request));
    let list: [&[_]; 2] = [&["GET"], &["GET", "DELETE,GET"]];
    let mut app = CascadeLayer::list(list.map(refuse))
        .statuses(on)
        .unwrap()
        .trace()
        .layer(service_fn(last));
    for _ in 0..2 {
        let united = vec!["DELETE, GET, LINK, PUT".to_owned()];
        assert_eq!(allowed(&mut app, true).await, (united, 3));
        let own = vec!["PUT".to_owned(), "LINK".to_owned()];
        assert_eq!(allowed(&mut app, false).await, (own, 3));
    }
}

#[tokio::test]
async fn cascade_2_each_service_reads_joined_frames_from_the_start() {
    // Short frames are recorded as one. The part that one service left unread is not lost or
    // doubled.
    let reads = |frames| {
        service_fn(move |request| reads_then_responds(frames, StatusCode::NOT_FOUND, request))
    };
    let last = service_fn(async |request: Request<Replayed>| {
        assert_eq!(
            read(request.into_body()).await,
            Ok(("abcdefgh".into(), true))
        );
        Ok::<_, Infallible>(with_status(StatusCode::OK))
    });
    for counts in [[1, 2, 3], [3, 2, 1], [0, 9, 1], [9, 0, 9], [2, 2, 2]] {
        let mut app = CascadeLayer::list(counts.map(reads)).layer(last);
        for _ in 0..2 {
            let body = Body::new([
                "ab".into(),
                "cd".into(),
                "ef".into(),
                "gh".into(),
                trailers(),
            ]);
            let response = app.ready().await.unwrap().call(Request::new(body)).await;
            assert_eq!(response.unwrap().status(), StatusCode::OK, "{counts:?}");
        }
    }
}

#[tokio::test]
async fn cascade_13_racks_header_counts_in_any_of_its_lines() {
    let lines = |lines: &'static [&'static str]| {
        let first = service_fn(move |_: Request<Replayed>| {
            let mut response = with_status(StatusCode::OK);
            for line in lines {
                let value = HeaderValue::from_static(line);
                response.headers_mut().append("x-cascade", value);
            }
            async { Ok::<_, Infallible>(response) }
        });
        let last = service_fn(|request| reads_then_responds(0, StatusCode::CREATED, request));
        CascadeLayer::new(first).x_cascade_header().layer(last)
    };
    for (values, status) in [
        (&[] as &[_], 200),
        (&["pass"], 201),
        (&["other", "pass"], 201),
        (&["pass", "other"], 201),
        (&["other", ""], 200),
        (&["PASS"], 200),
    ] {
        let response = lines(values).oneshot(Request::new(Body::default())).await;
        let response = response.unwrap();
        assert_eq!(response.status().as_u16(), status, "{values:?}");
        assert!(!response.headers().contains_key("x-cascade"));
    }
}

#[tokio::test]
async fn cascade_13_pass_of_the_last_service_reaches_an_outer_one() {
    let passes = || {
        service_fn(async |_: Request<Replayed>| {
            let mut response = with_status(StatusCode::ACCEPTED);
            response.extensions_mut().insert(Pass);
            Ok::<_, Infallible>(response)
        })
    };
    let list = Cascade::new([passes(), passes()]);
    let response = list.oneshot(Request::new(Body::default())).await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.extensions().get(), Some(&Pass));
}

#[tokio::test]
async fn cascade_18_no_builder_call_depends_on_the_order() {
    let service = |status, passes: bool| {
        service_fn(move |_: Request<Replayed>| {
            let mut response = with_status(status);
            if passes {
                let pass = HeaderValue::from_static("pass");
                response.headers_mut().insert("x-cascade", pass);
            }
            async { Ok::<_, Infallible>(response) }
        })
    };
    let list = [
        service(StatusCode::UNAUTHORIZED, false),
        service(StatusCode::OK, true),
        service(StatusCode::GONE, false),
    ];
    fn calls<A>() -> [fn(CascadeLayer<A>) -> CascadeLayer<A>; 6] {
        [
            |layer| layer.statuses([StatusCode::UNAUTHORIZED]).unwrap(),
            |layer| layer.fall_through_if(|head| head.status == StatusCode::GONE),
            CascadeLayer::allow_auth_statuses,
            CascadeLayer::x_cascade_header,
            CascadeLayer::trace,
            |layer| layer.on_error(|never: &Infallible| match *never {}),
        ]
    }
    for turn in 0..6 {
        let mut order = calls();
        order.rotate_left(turn);
        for reversed in [false, true] {
            if reversed {
                order.reverse();
            }
            let layer = order
                .iter()
                .fold(CascadeLayer::list(list), |layer, call| call(layer));
            let last = service(StatusCode::IM_A_TEAPOT, false);
            let request = Request::new(Body::default());
            let response = layer.layer(last).oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
            let trace = response.extensions().get::<CascadeTrace>().unwrap();
            assert_eq!(trace.tried().len(), 4);
        }
    }
}
