#!/usr/bin/env bash
# Expected: a limit of one request in flight holds until that request is done, and for HTTP that
#   is when its body has been sent.
# Happens: the permit belongs to the response future, so it is free as soon as the head is
#   there; any number of downloads can run behind a limit of one.
# Package: tower 0.5.3 (crates.io).
# Guess: the permit is free once the head is there. Right.
# Here: to limit downloads, keep the permit in the response body.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-tower-concurrency-limit-and-bodies"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
tokio = { version = "1", features = ["macros", "rt", "time"] }
tower = { version = "=0.5.3", features = ["limit", "util"] }
EOF
cat > src/main.rs <<'EOF'
use std::{convert::Infallible, time::Duration};
use tokio::time::timeout;
use tower::{limit::ConcurrencyLimit, service_fn, Service, ServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let inner = service_fn(|_: ()| async { Ok::<_, Infallible>(String::from("body")) });
    let mut limited = ConcurrencyLimit::new(inner, 1);
    let wait = Duration::from_millis(100);

    let first = limited.ready().await.unwrap().call(());
    println!("ready while the first future runs: {}", timeout(wait, limited.ready()).await.is_ok());
    let response = first.await.unwrap();
    println!("ready while its response is held: {}", timeout(wait, limited.ready()).await.is_ok());
    drop(response);
}
EOF

cat > want <<'EOF'
ready while the first future runs: false
ready while its response is held: true
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(tower)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "tower-concurrency-limit-and-bodies: the behaviour has changed" >&2
  exit 1
fi
echo "tower-concurrency-limit-and-bodies: as expected"
