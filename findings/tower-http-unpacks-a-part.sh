#!/usr/bin/env bash
# Expected: ranges count the bytes of the packed representation (RFC 9110, 14.1.2), so a layer
#   that unpacks leaves a 206 alone, as CompressionLayer of the same crate does, or asks for no
#   packing when the request has a Range.
# Happens: DecompressionLayer adds `Accept-Encoding: gzip` to the range request and unpacks the
#   part. The head still says `bytes 0-9/22` and the packed file's strong ETag; the body ends
#   with an error, since a part is no whole gzip stream.
# Package: tower-http 0.7.1 (crates.io).
# Guess: none was written down for a 206.
# Here: set `Accept-Encoding: identity` on range requests that go through this layer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-tower-http-unpacks-a-part"
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
use tower_http::decompression::DecompressionLayer;

const HI: &[u8] = &[31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 203, 200, 4, 0, 172, 42, 147, 216, 2, 0, 0, 0];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let inner = service_fn(|request: Request<()>| async move {
        println!("inner service was sent {:?}", request.headers());
        let response = Response::builder()
            .status(206)
            .header("content-encoding", "gzip")
            .header("content-range", "bytes 0-9/22")
            .header("etag", "\"packed\"")
            .body(Full::<Bytes>::from(&HI[..10]));
        Ok::<_, Infallible>(response.unwrap())
    });
    let request = Request::get("/").header("range", "bytes=0-9").body(()).unwrap();
    let response = DecompressionLayer::new().layer(inner).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    println!("{} {:?}", head.status, head.headers);
    match body.collect().await {
        Ok(body) => println!("{:?}", body.to_bytes()),
        Err(error) => println!("error: {error}"),
    }
}
EOF

cat > want <<'EOF'
inner service was sent {"range": "bytes=0-9", "accept-encoding": "gzip"}
206 Partial Content {"etag": "\"packed\"", "content-range": "bytes 0-9/22"}
error: unexpected end of file
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(tower-http)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "tower-http-unpacks-a-part: the behaviour has changed" >&2
  exit 1
fi
echo "tower-http-unpacks-a-part: as expected"
