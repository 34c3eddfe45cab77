//! gRPC and gRPC-Web: a failure is a status, before the head is sent and after it.

use std::future::ready;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::SizeHint;
use http_body_util::{BodyExt, Full};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_kit::{Preferences, Rejection};
use tower_lint::probe::{Body, Error, Step};

use crate::probe::keeping;

const FAIL: Step = Step::Fail(Error("broken in a stream"));

fn request(content_type: &str, accept: &str) -> Request<()> {
    Request::post("/package.Service/Method")
        .header("content-type", content_type)
        .header("accept", accept)
        .body(())
        .unwrap()
}

/// Returns the last message of gRPC-Web for an incident, in binary.
fn last_message(status: u16, id: &str) -> Vec<u8> {
    let block = format!("grpc-status:{status}\r\ngrpc-message:incident {id}\r\n");
    let mut message = vec![0x80, 0, 0, 0];
    message.push(u8::try_from(block.len()).unwrap());
    message.extend(block.as_bytes());
    message
}

async fn fails(content_type: &str, accept: &str) -> (Response<Bytes>, String) {
    let (layer, incidents) = keeping();
    let app = layer.layer(service_fn(|_: Request<()>| {
        ready(Err::<Response<Body>, BoxError>("broken".into()))
    }));
    let response = app.oneshot(request(content_type, accept)).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    assert_eq!(body.trailers(), None);
    let id = incidents.lock().unwrap()[0].id().to_owned();
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(head.headers["cache-control"], "no-store");
    assert_eq!(head.headers["x-incident-id"], id);
    (Response::from_parts(head, body.to_bytes()), id)
}

#[tokio::test]
async fn exception_2_grpc_has_the_status_in_the_head() {
    for content_type in ["application/grpc", "application/grpc+proto"] {
        let (response, id) = fails(content_type, "text/html").await;
        let headers = response.headers();
        assert_eq!(headers["content-type"], content_type);
        assert_eq!(headers["grpc-status"], "13");
        assert_eq!(headers["grpc-message"], format!("incident {id}"));
        assert_eq!(response.body(), "");
    }
}

#[tokio::test]
async fn exception_2_grpc_web_has_the_status_in_a_last_message() {
    for (content_type, accept, expected) in [
        ("application/grpc-web", "*/*", "application/grpc-web"),
        (
            "application/grpc-web+proto",
            "*/*",
            "application/grpc-web+proto",
        ),
        (
            "application/grpc-web-text",
            "*/*",
            "application/grpc-web-text",
        ),
        (
            "application/grpc-web-text+proto",
            "application/grpc-web+proto",
            "application/grpc-web+proto",
        ),
        (
            "application/grpc-web",
            "application/grpc-web-text+proto",
            "application/grpc-web-text+proto",
        ),
    ] {
        let (response, id) = fails(content_type, accept).await;
        let headers = response.headers();
        assert_eq!(headers["content-type"], expected);
        // Otherwise a client would read it twice.
        assert!(!headers.contains_key("grpc-status"));
        let body = match expected.contains("-text") {
            true => BASE64_STANDARD.decode(response.body()).unwrap(),
            false => response.body().to_vec(),
        };
        assert_eq!(body, last_message(13, &id), "{content_type}");
    }
}

#[tokio::test]
async fn exception_2_the_first_of_two_content_types_counts() {
    for (first, second, is_grpc) in [
        ("application/grpc", "text/html", true),
        ("text/html", "application/grpc", false),
    ] {
        let (layer, _) = keeping();
        let app = layer.layer(service_fn(|_: Request<()>| {
            ready(Err::<Response<Body>, BoxError>("broken".into()))
        }));
        let mut request = request(first, "*/*");
        let second = HeaderValue::from_static(second);
        request.headers_mut().append("content-type", second);
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status() == 200, is_grpc, "{first}");
    }
}

/// Returns the parts that a client gets of a response with this head and these steps: data,
/// trailers, whether it ends without an error, and the incident's id.
async fn streamed(
    head: &[(&'static str, &'static str)],
    steps: Vec<Step>,
) -> (Vec<u8>, Option<HeaderMap>, bool, String) {
    let (layer, incidents) = keeping();
    let head = head.to_vec();
    let app = layer.layer(service_fn(move |_: Request<()>| {
        let body = Body::new(steps.clone()).claim_hint(SizeHint::default());
        let mut response = Response::new(body);
        for (name, value) in &head {
            let value = HeaderValue::from_static(value);
            response.headers_mut().append(*name, value);
        }
        ready(Ok::<_, BoxError>(response))
    }));
    let response = app.oneshot(request("application/grpc", "*/*")).await;
    let mut body = response.unwrap().into_body();
    let (mut data, mut trailers, mut well) = (Vec::new(), None, true);
    while let Some(frame) = body.frame().await {
        // Trailers are the end of a body, except that it may fail.
        assert!(frame.is_err() || trailers.is_none());
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(bytes)) => data.extend(bytes),
            Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
            Err(_) => well = false,
        }
    }
    let incidents = incidents.lock().unwrap();
    assert_eq!(incidents.len(), 1);
    assert!(incidents[0].is_head_sent());
    (data, trailers, well, incidents[0].id().to_owned())
}

/// A message of two bytes.
const MESSAGE: &[u8] = b"\0\0\0\0\x02ab";

fn data(bytes: impl Into<Vec<u8>>) -> Step {
    Step::Data(bytes.into().into())
}

#[tokio::test]
async fn exception_6_a_failed_grpc_stream_ends_with_trailers() {
    let ways = [FAIL, Step::Panic("broken in a stream")];
    for fail in ways {
        for content_type in ["application/grpc", "application/grpc+proto"] {
            // Before the first message, between two, and within one.
            for sent in [&b""[..], MESSAGE, &MESSAGE[..6]] {
                let head = [("content-type", content_type)];
                let steps = match sent.is_empty() {
                    true => vec![Step::Yield, fail.clone()],
                    false => vec![data(sent), Step::Yield, fail.clone()],
                };
                let (data, trailers, well, id) = streamed(&head, steps).await;
                assert_eq!((data.as_slice(), well), (sent, true));
                let trailers = trailers.unwrap();
                assert_eq!(trailers.len(), 2);
                assert_eq!(trailers["grpc-status"], "13");
                assert_eq!(trailers["grpc-message"], format!("incident {id}"));
            }
        }
    }
}

#[tokio::test]
async fn exception_6_a_failed_grpc_web_stream_has_a_last_message() {
    let head = [("content-type", "application/grpc-web+proto")];
    let (data_, trailers, well, id) = streamed(&head, vec![data(MESSAGE), FAIL]).await;
    assert_eq!(data_, [MESSAGE, &last_message(13, &id)].concat());
    assert_eq!((trailers, well), (None, true));

    let head = [("content-type", "application/grpc-web-text+proto")];
    let text = BASE64_STANDARD.encode(MESSAGE);
    let steps = vec![data(text.as_str()), FAIL];
    let (data_, trailers, well, id) = streamed(&head, steps).await;
    let last = BASE64_STANDARD.encode(last_message(13, &id));
    assert_eq!(data_, [text, last].concat().as_bytes());
    assert_eq!((trailers, well), (None, true));
}

#[tokio::test]
async fn exception_6_a_response_without_a_possible_status_breaks_off() {
    const GRPC: (&str, &str) = ("content-type", "application/grpc");
    const WEB: (&str, &str) = ("content-type", "application/grpc-web");
    const HTML: (&str, &str) = ("content-type", "text/html");
    let trailers = || Step::Trailers(HeaderMap::new());
    let last = data(last_message(0, "x"));
    let table: [(&[_], Vec<Step>); 10] = [
        // Other content, or content of an unknown type.
        (&[HTML], vec![data(MESSAGE), FAIL]),
        (&[], vec![data(MESSAGE), FAIL]),
        (
            &[("content-type", "application/grpcx")],
            vec![data(MESSAGE), FAIL],
        ),
        (&[GRPC, HTML], vec![data(MESSAGE), FAIL]),
        // It has a length.
        (
            &[GRPC, ("content-length", "100")],
            vec![data(MESSAGE), FAIL],
        ),
        // It has sent its trailers.
        (&[GRPC], vec![data(MESSAGE), trailers(), Step::Yield, FAIL]),
        (&[WEB], vec![data(MESSAGE), last, FAIL]),
        (&[WEB], vec![data(MESSAGE), trailers(), FAIL]),
        // The last message would be part of another one, or is not encoded as the body is.
        (&[WEB], vec![data(&MESSAGE[..6]), FAIL]),
        (
            &[WEB, ("content-encoding", "gzip")],
            vec![data(MESSAGE), FAIL],
        ),
    ];
    for (head, steps) in table {
        let had_trailers = steps.iter().any(|step| matches!(step, Step::Trailers(_)));
        let (_, trailers, well, _) = streamed(head, steps).await;
        assert_eq!(
            (trailers.is_some(), well),
            (had_trailers, false),
            "{head:?}"
        );
    }
    // Trailers are not encoded.
    let (_, trailers, well, _) = streamed(
        &[GRPC, ("content-encoding", "gzip")],
        vec![data(MESSAGE), FAIL],
    )
    .await;
    assert_eq!((trailers.is_some(), well), (true, true));
}

#[tokio::test]
async fn exception_19_two_layers_make_one_status() {
    let (layer, incidents) = keeping();
    let app = layer.layer(layer.layer(service_fn(|_: Request<()>| {
        let body = Body::new([data(MESSAGE), FAIL]).claim_hint(SizeHint::default());
        let response = Response::builder().header("content-type", "application/grpc");
        ready(Ok::<_, BoxError>(response.body(body).unwrap()))
    })));
    let response = app.oneshot(request("application/grpc", "*/*")).await;
    let body = response.unwrap().into_body().collect().await.unwrap();
    let incidents = incidents.lock().unwrap();
    let [incident] = &incidents[..] else {
        panic!("one incident")
    };
    let message = format!("incident {}", incident.id());
    assert_eq!(body.trailers().unwrap()["grpc-message"], message);
}

/// Returns the response to a request with this content type, whose inner service responds with
/// this.
async fn through(content_type: &str, inner: &Response<()>) -> Response<Bytes> {
    let (layer, incidents) = keeping();
    let inner = inner.clone();
    let app = layer.layer(service_fn(move |_: Request<()>| {
        let body = || Body::new([data("not now")]).claim_hint(SizeHint::default());
        ready(Ok::<_, BoxError>(inner.clone().map(|()| body())))
    }));
    let response = app.oneshot(request(content_type, "*/*")).await.unwrap();
    assert!(incidents.lock().unwrap().is_empty());
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    Response::from_parts(head, body.to_bytes())
}

fn error(status: u16, content_type: Option<&str>) -> Response<()> {
    let mut response = Response::builder()
        .status(status)
        .header("x-request-id", "7");
    if let Some(content_type) = content_type {
        response = response.header("content-type", content_type);
    }
    response.body(()).unwrap()
}

#[tokio::test]
async fn exception_11_a_plain_error_is_a_status_for_grpc() {
    for (status, content_type, code, message) in [
        (408, None, "4", "Request Timeout"),
        (
            413,
            Some("text/plain; charset=utf-8"),
            "8",
            "Payload Too Large",
        ),
        (503, Some("text/plain"), "14", "Service Unavailable"),
    ] {
        let error = error(status, content_type);
        let response = through("application/grpc+proto", &error).await;
        assert_eq!(response.status(), StatusCode::OK);
        let headers = response.headers();
        assert_eq!(headers["content-type"], "application/grpc+proto");
        assert_eq!(headers["grpc-status"], code);
        assert_eq!(headers["grpc-message"], message);
        assert_eq!(headers["x-request-id"], "7");
        assert_eq!(response.body(), "");
        let rejection = Rejection::of(&response).unwrap();
        assert_eq!(rejection.status(), status);
        let reason = "an inner service has responded with an error that is not of gRPC";
        assert_eq!(
            std::error::Error::source(rejection).unwrap().to_string(),
            reason
        );

        let response = through("application/grpc-web", &error).await;
        let block = format!("grpc-status:{code}\r\ngrpc-message:{message}\r\n");
        assert_eq!(response.body()[5..], *block.as_bytes());
    }
}

/// A handler of axum returns a rejection without the client's preferences.
#[tokio::test]
async fn exception_11_a_rejection_in_text_is_a_status_for_grpc() {
    let reason = std::io::Error::other("a lock");
    let rejection = Rejection::new(StatusCode::CONFLICT, reason).with_detail("locked");
    let error = rejection.response_for(Preferences::default()).map(drop);
    let response = through("application/grpc", &error).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["grpc-status"], "3");
    assert_eq!(response.headers()["grpc-message"], "locked");
    let rejection = Rejection::of(&response).unwrap();
    assert!(rejection.reason::<std::io::Error>().is_some());
}

#[tokio::test]
async fn exception_11_other_errors_and_clients_are_unchanged() {
    for (client, status, content_type) in [
        ("application/json", 408, None),
        ("application/grpc", 200, None),
        ("application/grpc", 404, Some("text/html")),
        ("application/grpc", 404, Some("application/grpc")),
    ] {
        let response = through(client, &error(status, content_type)).await;
        assert_eq!(response.status(), status, "{client}");
        assert_eq!(response.body(), "not now", "{client}");
    }
}

#[tokio::test]
async fn exception_11_a_plain_error_that_panics_in_drop_is_a_status() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("not now");
        }
    }
    let (layer, _) = keeping();
    let app = layer.layer(service_fn(|_: Request<()>| {
        let bomb = Bomb;
        let body = Full::<Bytes>::default().map_frame(move |frame| {
            let _ = &bomb;
            frame
        });
        let response = Response::builder().status(408).body(body);
        ready(Ok::<_, BoxError>(response.unwrap()))
    }));
    let response = app.oneshot(request("application/grpc", "*/*")).await;
    assert_eq!(response.unwrap().headers()["grpc-status"], "4");
}
