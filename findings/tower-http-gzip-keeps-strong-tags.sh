#!/usr/bin/env bash
# Expected: a compressed response has another entity tag than the plain one, or a weak one: a
#   strong tag stands for the same bytes (RFC 9110, 8.8.3.3).
# Happens: CompressionLayer leaves the strong tag as it is, so two forms of a page have one tag.
# Package: tower-http 0.7.1 (crates.io).
# Guess: none was written down before the first run.
# Here: the check of tower-lint reports it (rule 411). The filter `compression` of tower-deploy has a
#   weak tag of its own, and finds the tag of the app in If-None-Match.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-tower-http-gzip-keeps-strong-tags"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
bytes = "1"
http = "1"
http-body-util = "0.1"
tokio = { version = "1", features = ["macros", "rt"] }
tower = { version = "0.5", features = ["util"] }
tower-http = { version = "=0.7.1", features = ["compression-gzip"] }
EOF
cat > src/main.rs <<'EOF'
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use tower::{service_fn, Layer, ServiceExt};
use tower_http::compression::CompressionLayer;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for coding in ["identity", "gzip"] {
        let inner = service_fn(|_: Request<()>| async {
            let page = Full::<Bytes>::from("a line\n".repeat(200));
            let response = Response::builder().header("content-type", "text/plain").header("etag", "\"tag\"");
            Ok::<_, Infallible>(response.body(page).unwrap())
        });
        let request = Request::get("/").header("accept-encoding", coding).body(()).unwrap();
        let response = CompressionLayer::new().layer(inner).oneshot(request).await.unwrap();
        let etag = response.headers()["etag"].clone();
        let length = response.into_body().collect().await.unwrap().to_bytes().len();
        let size = if length == 1400 { "the whole" } else { "less" };
        println!("{coding}: {size}, etag {etag:?}");
    }
}
EOF

cat > want <<'EOF'
identity: the whole, etag "\"tag\""
gzip: less, etag "\"tag\""
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(tower-http)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "tower-http-gzip-keeps-strong-tags: the behaviour has changed" >&2
  exit 1
fi
echo "tower-http-gzip-keeps-strong-tags: as expected"
