//! Duplicate headers, and headers that are marked as sensitive.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
#[cfg(feature = "debug")]
use tower_exception::DebugPage;
use tower_exception::ExceptionLayer;

use crate::probe::keeping;

async fn breaks(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    panic!("broken")
}

fn request(lines: &[(&'static str, &'static str)]) -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in lines {
        let mut value = HeaderValue::from_static(value);
        value.set_sensitive(value == "s3cr3t");
        request.headers_mut().append(*name, value);
    }
    request
}

const SENSITIVE: [&[(&str, &str)]; 3] = [
    &[("x-plain", "s3cr3t")],
    &[("x-plain", "first"), ("x-plain", "s3cr3t")],
    &[("x-plain", "s3cr3t"), ("x-plain", "last")],
];

#[tokio::test]
async fn exception_9_sensitive_values_are_not_in_the_headers() {
    for lines in SENSITIVE {
        let (layer, incidents) = keeping();
        let app = layer.headers().layer(service_fn(breaks));
        let request = request(&[lines, &[("x-other", "shown")]].concat());
        app.oneshot(request).await.unwrap();
        let incident = incidents.lock().unwrap()[0].clone();
        let headers = incident.headers().unwrap();
        let values: Vec<_> = headers.get_all("x-plain").iter().collect();
        assert_eq!(values, vec!["[redacted]"; lines.len()]);
        assert_eq!(headers["x-other"], "shown");
    }
}

#[cfg(feature = "debug")]
#[tokio::test]
async fn exception_9_sensitive_values_are_not_on_the_page() {
    for lines in SENSITIVE {
        for accept in ["text/html", "text/plain", "application/json"] {
            let body = page(&[lines, &[("accept", accept)]].concat()).await;
            assert!(body.contains("x-plain") && body.contains("[redacted]"));
            for value in ["s3cr3t", "first", "last"] {
                assert!(!body.contains(&format!(">{value}<")), "{body}");
                assert!(!body.contains(&format!("x-plain: {value}")), "{body}");
                assert!(!body.contains(&format!("\"{value}\"")), "{body}");
            }
        }
    }
}

#[tokio::test]
async fn exception_9_a_sensitive_host_stays_sensitive() {
    for (lines, expected) in [
        (&[("host", "a")][..], false),
        (&[("host", "s3cr3t")], true),
        (&[("host", "a"), ("host", "s3cr3t")], true),
        (&[("host", "s3cr3t"), ("host", "a")], true),
    ] {
        let (layer, incidents) = keeping();
        let app = layer.layer(service_fn(breaks));
        app.oneshot(request(lines)).await.unwrap();
        let incident = incidents.lock().unwrap()[0].clone();
        let host = incident.host().unwrap();
        assert_eq!(host.is_sensitive(), expected, "{lines:?}");
    }
}

/// Returns the response to a request with these lines from this machine.
#[cfg(feature = "debug")]
async fn page(lines: &[(&'static str, &'static str)]) -> String {
    let here = std::net::Ipv4Addr::LOCALHOST.into();
    let layer = ExceptionLayer::debug(|_| {}, DebugPage::new(move |_| Some(here)).force());
    let mut request = request(lines);
    let hosts = request.headers().get_all("host").iter().count();
    if hosts == 0 {
        let host = HeaderValue::from_static("localhost");
        request.headers_mut().insert("host", host);
    }
    let app = layer.layer(service_fn(breaks));
    let response = app.oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

#[cfg(feature = "debug")]
#[tokio::test]
async fn exception_14_every_line_of_a_header_must_allow_the_page() {
    let table: [(&[_], bool); 12] = [
        (&[("origin", "http://localhost:8080")], true),
        (
            &[
                ("origin", "http://localhost"),
                ("origin", "http://127.0.0.1"),
            ],
            true,
        ),
        (
            &[
                ("origin", "http://localhost"),
                ("origin", "https://evil.example"),
            ],
            false,
        ),
        (
            &[
                ("origin", "https://evil.example"),
                ("origin", "http://localhost"),
            ],
            false,
        ),
        (
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-site", "none"),
            ],
            true,
        ),
        (
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-site", "cross-site"),
            ],
            false,
        ),
        (
            &[
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-origin"),
            ],
            false,
        ),
        (&[("host", "localhost"), ("host", "127.0.0.1")], true),
        (&[("host", "localhost"), ("host", "example.org")], false),
        (&[("host", "example.org"), ("host", "localhost")], false),
        (&[("via", ""), ("via", "1.1 x")], false),
        (&[("x-forwarded-for", ""), ("x-forwarded-for", "")], false),
    ];
    for (lines, expected) in table {
        assert_eq!(page(lines).await.contains("broken"), expected, "{lines:?}");
    }
}

#[tokio::test]
async fn exception_2_accept_on_several_lines_is_one_list() {
    let lines = [("accept", "text/plain;q=0.5"), ("accept", "text/html")];
    let app = ExceptionLayer::production(|_| {}).layer(service_fn(breaks));
    let response = app.oneshot(request(&lines)).await.unwrap();
    let content_type = &response.headers()["content-type"];
    assert_eq!(content_type, "text/html; charset=utf-8");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(b"<!DOCTYPE html>"));
}
