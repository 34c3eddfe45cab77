#!/usr/bin/env bash
# Expected: content codings are compared without regard to case, and `x-gzip` is another name of
#   gzip (RFC 9110, 8.4.1 and 8.4.1.3).
# Happens: only the exact text `gzip` is known. RequestDecompressionLayer answers 415 to the
#   other two, and DecompressionLayer hands the packed body on.
# Package: tower-http 0.7.1 (crates.io).
# Guess: 415 for `x-gzip`, right; `GZIP` is understood, wrong.
# Here: lower the case and replace `x-gzip` before the layer. tower-body-rewrite takes any
#   coding but identity for packed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-tower-http-gzip-by-other-names"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
bytes = "1"
http = "1"
http-body-util = "0.1"
tokio = { version = "1", features = ["macros", "rt"] }
tower = { version = "0.5", features = ["util"] }
tower-http = { version = "=0.7.1", features = ["decompression-gzip"] }
EOF
cat > src/main.rs <<'EOF'
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use tower::{service_fn, Layer, ServiceExt};
use tower_http::decompression::{DecompressionBody, DecompressionLayer, RequestDecompressionLayer};

const HI: &[u8] = &[31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 203, 200, 4, 0, 172, 42, 147, 216, 2, 0, 0, 0];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for coding in ["gzip", "x-gzip", "GZIP"] {
        let inner = service_fn(|request: Request<DecompressionBody<Full<Bytes>>>| async {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::new(Full::new(body)))
        });
        let request = Request::post("/").header("content-encoding", coding).body(Full::from(HI)).unwrap();
        let response = RequestDecompressionLayer::new().layer(inner).oneshot(request).await.unwrap();
        println!("request in {coding}: {}", response.status());

        let inner = service_fn(|_: Request<()>| async {
            let response = Response::builder().header("content-encoding", coding).body(Full::<Bytes>::from(HI));
            Ok::<_, Infallible>(response.unwrap())
        });
        let response = DecompressionLayer::new().layer(inner).oneshot(Request::new(())).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        println!("response in {coding}: {}", if body == "hi" { "unpacked" } else { "passed on packed" });
    }
}
EOF

cat > want <<'EOF'
request in gzip: 200 OK
response in gzip: unpacked
request in x-gzip: 415 Unsupported Media Type
response in x-gzip: passed on packed
request in GZIP: 415 Unsupported Media Type
response in GZIP: passed on packed
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(tower-http)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "tower-http-gzip-by-other-names: the behaviour has changed" >&2
  exit 1
fi
echo "tower-http-gzip-by-other-names: as expected"
