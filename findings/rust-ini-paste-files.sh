#!/usr/bin/env bash
# Expected: an INI reader reads what Python's configparser reads, on which PasteDeploy files
#   rest: indented lines continue a value, and a backslash is a backslash.
# Happens: x
# Package: rust-ini 0.21.3 (crates.io).
# Guess: none was written down before the first run.
# Here: x
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-rust-ini-paste-files"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
rust-ini = "=0.21.3"
EOF
cat > src/main.rs <<'EOF'
use ini::{EscapePolicy, Ini, ParseOption};

const FILE: &str = r"[app:main]
list =
    one
    two
path = C:\new\table
";

fn show(title: &str, file: &Ini) {
    println!("{title}");
    for (key, value) in file.section(Some("app:main")).unwrap().iter() {
        println!("  {key:?} = {value:?}");
    }
}

fn main() {
    show("default", &Ini::load_from_str(FILE).unwrap());
    let option = ParseOption { enabled_escape: false, enabled_indented_mutiline_value: true, ..ParseOption::default() };
    show("both options", &Ini::load_from_str_opt(FILE, option).unwrap());
    let mut out = Vec::new();
    Ini::load_from_str_opt(FILE, option_again()).unwrap().write_to_policy(&mut out, EscapePolicy::Nothing).unwrap();
}

fn option_again() -> ParseOption {
    ParseOption { enabled_escape: false, enabled_indented_mutiline_value: true, ..ParseOption::default() }
}
EOF

cat > want <<'EOF'
x
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(rust-ini)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "rust-ini-paste-files: the behaviour has changed" >&2
  exit 1
fi
echo "rust-ini-paste-files: as expected"
