#!/usr/bin/env bash
# Expected: a comma is a legal character of an entity tag (RFC 9110, 8.8.3), so If-None-Match
#   with such a tag confirms it.
# Happens: both libraries cut the field at every comma. The tag is then never known: each
#   conditional GET is sent in full again, and with headers If-Match never matches. Other tags
#   of the same list are still found; fresh misses them where a tab stands around the comma,
#   which is legal white space, too.
# Package: headers 0.4.2 (crates.io), fresh 2.0.0 (npm, used by Express).
# Guess: for fresh, that it cuts at the comma. Right. For headers none was written down; the tab
#   was not expected.
# Here: make entity tags without commas (hexadecimal, base64), and read those of others with a
#   reader that knows quotes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-etag-with-comma"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
headers = "=0.4.2"
EOF
cat > src/main.rs <<'EOF'
use headers::{ETag, Header, HeaderValue, IfMatch, IfNoneMatch};

fn read<H: Header>(lines: &[&'static str]) -> H {
    let values: Vec<_> = lines.iter().map(|line| HeaderValue::from_static(line)).collect();
    H::decode(&mut values.iter()).unwrap()
}

fn main() {
    let comma: ETag = read(&[r#""a,b""#]);
    let plain: ETag = read(&[r#""c""#]);
    println!("headers: {comma:?} is an ETag");
    let known = !read::<IfNoneMatch>(&[r#""a,b""#]).precondition_passes(&comma);
    println!("headers: If-None-Match \"a,b\" knows \"a,b\": {known}");
    let matches = read::<IfMatch>(&[r#""a,b""#]).precondition_passes(&comma);
    println!("headers: If-Match \"a,b\" matches \"a,b\": {matches}");
    let known = !read::<IfNoneMatch>(&[r#""a,b", "c""#]).precondition_passes(&plain);
    println!("headers: If-None-Match \"a,b\", \"c\" knows \"c\": {known}");
    let known = !read::<IfNoneMatch>(&[r#""x""#, r#""c""#]).precondition_passes(&plain);
    println!("headers: If-None-Match in two lines knows \"c\": {known}");
}
EOF
npm install --silent --no-audit --no-fund fresh@2.0.0
cat > show.mjs <<'EOF'
import fresh from 'fresh';

for (const [condition, etag] of [
  ['"a,b"', '"a,b"'],
  ['"a,b", "c"', '"c"'],
  ['"x"\t,\t"c"', '"c"'],
]) {
  const known = fresh({ 'if-none-match': condition }, { etag });
  console.log(`fresh: If-None-Match ${condition} knows ${etag}: ${known}`);
}
EOF

cat > want <<'EOF'
headers: ETag("a,b") is an ETag
headers: If-None-Match "a,b" knows "a,b": false
headers: If-Match "a,b" matches "a,b": false
headers: If-None-Match "a,b", "c" knows "c": true
headers: If-None-Match in two lines knows "c": true
fresh: If-None-Match "a,b" knows "a,b": false
fresh: If-None-Match "a,b", "c" knows "c": true
fresh: If-None-Match "x"	,	"c" knows "c": false
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(headers)"$' Cargo.lock | grep -v '^--' | paste - -
echo "node $(node --version)"
npm ls --depth 0
node show.mjs >> got
cat got
if ! diff -u want got; then
  echo "etag-with-comma: the behaviour has changed" >&2
  exit 1
fi
echo "etag-with-comma: as expected"
