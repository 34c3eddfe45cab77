//! The response in the format that the client prefers, without secrets.

use std::{
    convert::Infallible,
    error::Error,
    future::ready,
    io,
    sync::{Arc, Mutex},
};

use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{ExceptionLayer, Incident, SnapshotLayer};

use crate::probe::{keeping, reason};

async fn breaks<B>(_: Request<B>) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    panic!("broken")
}

/// Returns status, content type, and body with `ID` for the incident's id.
async fn response_to(request: Request<()>) -> (u16, String, String) {
    let (layer, incidents) = keeping();
    let response = layer
        .layer(service_fn(breaks))
        .oneshot(request)
        .await
        .unwrap();
    let id = incidents.lock().unwrap()[0].id().to_owned();
    let (head, body) = response.into_parts();
    assert_eq!(head.headers["x-incident-id"], id);
    assert_eq!(head.headers["cache-control"], "no-store");
    assert_eq!(head.headers["x-content-type-options"], "nosniff");
    assert_eq!(head.headers["vary"], "accept");
    let content_type = head.headers["content-type"].to_str().unwrap().to_owned();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.into()).unwrap();
    (head.status.as_u16(), content_type, body.replace(&id, "ID"))
}

#[tokio::test]
async fn exception_2_the_format_is_the_preferred_one() {
    let text = (
        "text/plain; charset=utf-8",
        "500 Internal Server Error\nincident ID\n",
    );
    let html = (
        "text/html; charset=utf-8",
        "<!DOCTYPE html>\n<title>500 Internal Server Error</title>\n<h1>500 Internal Server Error</h1>\n<p>incident <code>ID</code>\n",
    );
    let object = "{\"type\":\"about:blank\",\"title\":\"Internal Server Error\",\"status\":500,\"incident\":\"ID\"}\n";
    let problem = ("application/problem+json", object);
    let json = ("application/json", object);
    let table = [
        (None, text),
        (Some("*/*"), text),
        (
            Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            html,
        ),
        (Some("application/json, text/plain;q=0.9"), json),
        (Some("application/problem+json"), problem),
        (Some("application/*"), problem),
        (Some("text/plain;q=0, */*;q=0.1"), html),
        (Some("text/html; charset=UTF-8"), html),
        (Some("text/event-stream"), text),
        (Some("image/png"), text),
        (Some("garbage"), text),
        (Some(""), text),
    ];
    for (accept, (content_type, body)) in table {
        let mut request = Request::new(());
        if let Some(accept) = accept {
            request
                .headers_mut()
                .insert("accept", accept.parse().unwrap());
        }
        let expected = (500, content_type.to_owned(), body.to_owned());
        assert_eq!(response_to(request).await, expected, "{accept:?}");
    }
}

#[tokio::test]
async fn exception_2_accept_may_be_on_several_lines() {
    let request = Request::get("/")
        .header("accept", "text/plain;q=0.5")
        .header("accept", "application/json");
    let (_, content_type, _) = response_to(request.body(()).unwrap()).await;
    assert_eq!(content_type, "application/json");
}

#[tokio::test]
async fn exception_2_a_response_to_head_has_a_length_and_no_body() {
    let app = ExceptionLayer::production(|_| {}).layer(service_fn(breaks));
    for accept in ["text/html", "application/json"] {
        let response = |method| {
            let request = Request::builder().method(method).header("accept", accept);
            app.clone().oneshot(request.body(()).unwrap())
        };
        let get = response(Method::GET).await.unwrap();
        let (head, body) = response(Method::HEAD).await.unwrap().into_parts();
        assert_eq!(
            (head.status, &head.headers["vary"]),
            (get.status(), &get.headers()["vary"])
        );
        assert_eq!(head.headers["content-type"], get.headers()["content-type"]);
        let length = get.into_body().collect().await.unwrap().to_bytes().len();
        assert_eq!(head.headers["content-length"], length.to_string());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "");
    }
}

#[tokio::test]
async fn exception_8_an_incident_is_the_reason_of_the_rejection() {
    let fails = service_fn(|request: Request<()>| {
        assert_ne!(request.uri().path(), "/panic", "broken");
        ready(Err::<Response<Full<bytes::Bytes>>, _>(io::Error::other(
            "broken",
        )))
    });
    let app = ExceptionLayer::production(|_| {}).layer(fails);
    for (path, content_type) in [
        ("/error", "text/plain"),
        ("/panic", "text/plain"),
        ("/error", "application/grpc"),
        ("/panic", "application/grpc-web-text"),
    ] {
        let request = Request::post(path).header("content-type", content_type);
        let response = app
            .clone()
            .oneshot(request.body(()).unwrap())
            .await
            .unwrap();
        // The incident is not an extension itself.
        assert!(response.extensions().get::<Incident>().is_none());
        assert_eq!(tower_kit::status_of(&response), 500, "{content_type}");
        let incident = reason(&response);
        let source = incident.source().map(ToString::to_string);
        let expected = (path == "/error").then(|| "broken".to_owned());
        assert_eq!(source, expected);
        assert!(
            incident
                .to_string()
                .starts_with(&format!("incident {}: ", incident.id()))
        );
    }
}

#[tokio::test]
async fn exception_1_an_incident_knows_the_request() {
    let (layer, incidents) = keeping();
    let request = Request::builder()
        .method(Method::PUT)
        .uri("/a?b")
        .header("host", "example.org")
        .header("accept", "text/html")
        .body(())
        .unwrap();
    layer
        .layer(service_fn(breaks))
        .oneshot(request)
        .await
        .unwrap();
    let incident = incidents.lock().unwrap()[0].clone();
    assert_eq!(
        (incident.method(), incident.uri().to_string().as_str()),
        (&Method::PUT, "/a?b")
    );
    assert_eq!(incident.host().unwrap(), "example.org");
    assert_eq!(incident.headers(), None);
    assert_eq!(incident.shown().count(), 0);
    assert_eq!(incident.error().map(ToString::to_string), None);
}

/// Returns a request with a secret in every part that has a name.
pub(crate) fn secretive() -> Request<()> {
    let names = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "x-auth-token",
        "x-csrf-token",
        "x-amz-security-token",
    ];
    let mut request = Request::get(
        "http://me:s3cr3t@localhost/a?token=s3cr3t&api_key=s3cr3t&client%5Fsecret=s3cr3t&pass=s3cr3t&X-Signature=s3cr3t;session=s3cr3t&page=2",
    );
    for name in names {
        request = request.header(name, "s3cr3t");
    }
    request
        .header("host", "localhost")
        .header("referer", "http://me:s3cr3t@example.org/?password=s3cr3t")
        .header(
            "x-forwarded-json",
            "{\"user\":{\"password\":\"s3cr3t\",\"name\":\"Ann\"}}",
        )
        .extension(Login {
            name: "Ann",
            password: "s3cr3t",
            nested: r#"{"token":"s3cr3t"}"#,
        })
        .body(())
        .unwrap()
}

#[derive(Clone, Debug)]
#[allow(dead_code, reason = "seen by Debug")]
pub(crate) struct Login {
    name: &'static str,
    password: &'static str,
    nested: &'static str,
}

#[tokio::test]
async fn exception_9_no_secret_is_shown_in_production() {
    let seen = Arc::new(Mutex::new(String::new()));
    let keeps = seen.clone();
    let layer = ExceptionLayer::production(move |incident: &Incident| {
        let mut seen = keeps.lock().unwrap();
        seen.push_str(&format!(
            "{incident} {incident:?} {} {:?}",
            incident.uri(),
            incident.headers()
        ));
        let uri = incident.unredacted_uri().to_string();
        assert_eq!(uri.matches("s3cr3t").count(), 7);
    })
    .headers();
    for accept in ["text/plain", "text/html", "application/json"] {
        let mut request = secretive();
        request
            .headers_mut()
            .insert("accept", accept.parse().unwrap());
        let inner = SnapshotLayer::new()
            .show::<Login>("login")
            .layer(service_fn(breaks));
        let response = layer.layer(inner).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let all = format!("{head:?} {body:?}");
        assert!(!all.contains("s3cr3t"), "{all}");
    }
    let seen = seen.lock().unwrap();
    assert!(seen.contains("page=2") && seen.contains("[redacted]") && seen.contains("Ann"));
    assert!(!seen.contains("s3cr3t"), "{seen}");
}
