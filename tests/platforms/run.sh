#!/usr/bin/env bash
# Compiles all crates with all features for Windows and macOS, without running or linking anything.
#
# Run by `just platforms`. The standard library is compiled from its sources, since a target that
# rustup has not installed may not be there: Debian's packages rustc-web, cargo-web and
# rust-web-src are enough. A C compiler for the target is not needed: nothing is linked.
set -euo pipefail
cd "$(dirname "$0")/../.."

export RUSTC="${RUSTC:-/usr/bin/rustc}" CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=target/platforms
# The compilers' own way to allow `-Zbuild-std` in a release.
export RUSTC_BOOTSTRAP=1 RUSTFLAGS='-D warnings'
for target in x86_64-pc-windows-gnu aarch64-apple-darwin; do
  name=${target//-/_}
  export "CC_$name=true" "AR_$name=true"
  "${CARGO:-/usr/bin/cargo}" check -Zbuild-std=std,panic_unwind --target "$target" --locked \
    --workspace --exclude tests --exclude examples --exclude benches --all-features --lib --bins
  echo "$target: all crates compile"
done
