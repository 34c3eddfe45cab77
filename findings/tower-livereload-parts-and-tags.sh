#!/usr/bin/env bash
# Expected: a layer that appends a script to pages leaves a part (206) alone, since the part has as
#   many bytes as its Content-Range states (RFC 9110, 15.3.7), appends nothing to HEAD, appends
#   before trailers, and weakens or drops a strong entity tag (RFC 9110, 8.8.1).
# Happens: the script is appended to each of them, after trailers too, and the tag stays.
# Package: tower-livereload 0.10.3 (crates.io).
# Guess: none was written down before the first run.
# Here: the check of tower-lint reports all four (rules 206, 302, 311, 411). tower-body-rewrite
#   leaves parts and HEAD alone, keeps trailers last, and weakens tags.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-tower-livereload-parts-and-tags"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
bytes = "1"
http = "1"
http-body-util = "0.1"
tokio = { version = "1", features = ["macros", "rt"] }
tower = { version = "0.5", features = ["util"] }
tower-livereload = "=0.10.3"
EOF
cat > src/main.rs <<'EOF'
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use std::{convert::Infallible, future::ready};
use tower::{service_fn, Layer, ServiceExt};
use tower_livereload::LiveReloadLayer;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let page = |status: u16, name: &'static str, value: &'static str| {
        Response::builder().status(status).header("content-type", "text/html").header(name, value)
    };
    for (what, method, head, content) in [
        ("a page", "GET", page(200, "etag", "\"tag\""), "page"),
        ("a part", "GET", page(206, "content-range", "bytes 0-3/9"), "page"),
        ("a page to HEAD", "HEAD", page(200, "content-length", "4"), ""),
        ("a page with trailers", "GET", page(200, "trailer", "x-sum"), "page"),
    ] {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        let body = Full::<Bytes>::from(content);
        let body = match what {
            "a page with trailers" => body.with_trailers(ready(Some(Ok(trailers)))).boxed_unsync(),
            _ => body.boxed_unsync(),
        };
        let mut response = Some(head.body(body).unwrap());
        let inner = service_fn(move |_: Request<()>| {
            let response = response.take().unwrap();
            async { Ok::<_, Infallible>(response) }
        });
        let request = Request::builder().method(method).body(()).unwrap();
        let response = LiveReloadLayer::new().layer(inner).oneshot(request).await.unwrap();
        let etag = response.headers().get("etag").cloned();
        let mut body = response.into_body();
        let mut frames = Vec::new();
        while let Some(frame) = body.frame().await {
            frames.push(match frame.unwrap().into_data() {
                Ok(data) if data.starts_with(b"<script") => "script",
                Ok(_) => "content",
                Err(_) => "trailers",
            });
        }
        println!("{what}: {}, etag {etag:?}", frames.join(" "));
    }
}
EOF

cat > want <<'EOF'
a page: content script, etag Some("\"tag\"")
a part: content script, etag None
a page to HEAD: script, etag None
a page with trailers: content trailers script, etag None
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(tower-livereload)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "tower-livereload-parts-and-tags: the behaviour has changed" >&2
  exit 1
fi
echo "tower-livereload-parts-and-tags: as expected"
