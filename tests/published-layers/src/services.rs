//! The services, each inside of a `LintLayer`.

use axum::{Json, Router, body::Body as AxumBody, routing::get};
use http::{HeaderValue, Method, Request, Version};
use tower::Layer;
use tower_http::{
    compression::CompressionLayer,
    services::{ServeDir, ServeFile},
};

use crate::{
    Case,
    bench::{linted, requests},
};

const FILES: &str = env!("CARGO_MANIFEST_DIR");

pub(crate) fn all() -> Vec<Case> {
    vec![
        Case {
            name: "ServeDir",
            package: "tower-http",
            check: || {
                linted(
                    ServeDir::new(FILES),
                    requests(&["/Cargo.toml", "/none", "/src"]),
                )
            },
            breaks: &[],
        },
        Case {
            name: "ServeFile",
            package: "tower-http",
            check: || {
                let file = ServeFile::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
                linted(file, requests(&["/any"]))
            },
            breaks: &[],
        },
        Case {
            name: "ServeDir in CompressionLayer",
            package: "tower-http",
            check: || {
                let service = CompressionLayer::new().layer(ServeDir::new(FILES));
                linted(service, requests(&["/Cargo.toml", "/none", "/src"]))
            },
            breaks: &[],
        },
        Case {
            name: "Router",
            package: "axum",
            check: || {
                let router: Router = Router::new()
                    .route("/text", get(async || "text"))
                    .route("/json", get(async || Json([1, 2, 3])));
                linted(router, requests(&["/text", "/json", "/none"]))
            },
            breaks: &[],
        },
        Case {
            name: "Routes with a HealthServer",
            package: "tonic-health",
            check: || {
                let (_reporter, server) = tonic_health::server::health_reporter();
                let routes = tonic::service::Routes::new(server);
                let paths = ["Check", "None"].map(|name| format!("/grpc.health.v1.Health/{name}"));
                linted(routes, paths.iter().flat_map(|path| calls(path)).collect())
            },
            breaks: &[],
        },
    ]
}

/// Calls of a gRPC method: with an empty message, with half of a message, and without one.
fn calls(path: &str) -> Vec<Request<AxumBody>> {
    let bodies: [&'static [u8]; 3] = [&[0; 5], &[0; 3], &[]];
    let request = |body: &'static [u8]| {
        let mut request = Request::new(AxumBody::from(body));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = path.parse().expect("it is a path");
        let headers = request.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("te", HeaderValue::from_static("trailers"));
        request
    };
    bodies.into_iter().map(request).collect()
}
