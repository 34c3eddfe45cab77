#!/usr/bin/env bash
# Expected: parameters may be empty and may have white space around the semicolon (RFC 9110,
#   5.6.6), so all five forms are the same media type.
# Happens: an empty parameter in the middle is an error in all three crates, one at the end is
#   none. White space before the semicolon is an error in mime, and so in headers, and none in
#   mediatype.
# Package: mime 0.3.18, mediatype 0.23.0, headers 0.4.2 (crates.io).
# Guess: none was written down before the first run.
# Here: a Content-Type that a crate cannot read is not an invalid one: treat it as unknown, do
#   not reject the request for it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-media-type-empty-parameter"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
headers = "=0.4.2"
mediatype = "=0.23.0"
mime = "=0.3.18"
EOF
cat > src/main.rs <<'EOF'
use headers::{ContentType, Header, HeaderValue};
use mediatype::MediaType;
use mime::Mime;

fn main() {
    for text in [
        "text/plain;charset=utf-8",
        "text/plain;;charset=utf-8",
        "text/plain; ;charset=utf-8",
        "text/plain;charset=utf-8;",
        "text/plain ;charset=utf-8",
    ] {
        let value = HeaderValue::from_static(text);
        println!(
            "{text:27} mime {:5} headers {:5} mediatype {}",
            text.parse::<Mime>().is_ok(),
            ContentType::decode(&mut [&value].into_iter()).is_ok(),
            MediaType::parse(text).is_ok(),
        );
    }
}
EOF

cat > want <<'EOF'
text/plain;charset=utf-8    mime true  headers true  mediatype true
text/plain;;charset=utf-8   mime false headers false mediatype false
text/plain; ;charset=utf-8  mime false headers false mediatype false
text/plain;charset=utf-8;   mime true  headers true  mediatype true
text/plain ;charset=utf-8   mime false headers false mediatype true
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(headers|mediatype|mime)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "media-type-empty-parameter: the behaviour has changed" >&2
  exit 1
fi
echo "media-type-empty-parameter: as expected"
