#!/usr/bin/env bash
# Expected: `Range::satisfiable_ranges(12)` yields the ranges that can be served from 12 bytes,
#   cut to that length, and a suffix longer than the content stands for all of it (RFC 9110,
#   14.1.2).
# Happens: nothing is cut and little is left out. A first position beyond the end is yielded,
#   and so are a last position beyond the end, a first position above the last one and a suffix
#   of length 0. The only range that is missing is the suffix of 50 bytes, which is satisfiable.
# Package: headers 0.4.2 (crates.io).
# Guess: it yields satisfiable ranges only, cut to the length. Wrong.
# Here: check every bound against the length before you slice; do not take "satisfiable" at its
#   word.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-headers-satisfiable-ranges"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
headers = "=0.4.2"
EOF
cat > src/main.rs <<'EOF'
use headers::{Header, HeaderValue, Range};

fn main() {
    for text in ["bytes=20-", "bytes=0-99", "bytes=5-2", "bytes=-0", "bytes=-50", "bytes=0-1,20-30"] {
        let value = HeaderValue::from_static(text);
        let range = Range::decode(&mut [&value].into_iter()).unwrap();
        let found: Vec<_> = range.satisfiable_ranges(12).collect();
        println!("{text} of 12 bytes: {found:?}");
    }
}
EOF

cat > want <<'EOF'
bytes=20- of 12 bytes: [(Included(20), Unbounded)]
bytes=0-99 of 12 bytes: [(Included(0), Included(99))]
bytes=5-2 of 12 bytes: [(Included(5), Included(2))]
bytes=-0 of 12 bytes: [(Included(12), Unbounded)]
bytes=-50 of 12 bytes: []
bytes=0-1,20-30 of 12 bytes: [(Included(0), Included(1)), (Included(20), Included(30))]
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(headers)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "headers-satisfiable-ranges: the behaviour has changed" >&2
  exit 1
fi
echo "headers-satisfiable-ranges: as expected"
