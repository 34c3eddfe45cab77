#!/usr/bin/env bash
# Expected: an INI reader reads what Python's configparser reads, on which PasteDeploy files
#   rest: indented lines continue a value, and a backslash is a backslash.
# Happens: by default the indented lines are glued to the next key, whose name then has three
#   lines, without an error; and `C:\new\table` gets a line feed and a tab. Two options, both
#   off unless asked for, give Python's reading of this file.
# Package: rust-ini 0.21.3 (crates.io).
# Guess: none was written down before the first run.
# Here: tower-deploy has a reader of its own, tested against Python's; with this crate set both
#   options.
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
use ini::{Ini, ParseOption};

const FILE: &str = r"[app:main]
list =
    one
    two
path = C:\new\table
";

fn show(title: &str, option: ParseOption) {
    println!("{title}");
    let file = Ini::load_from_str_opt(FILE, option).unwrap();
    for (key, value) in file.section(Some("app:main")).unwrap().iter() {
        println!("  {:?} = {:?}", key.lines().collect::<Vec<_>>(), value.lines().collect::<Vec<_>>());
    }
}

fn main() {
    show("default", ParseOption::default());
    let enabled_escape = false;
    show("no escapes", ParseOption { enabled_escape, ..ParseOption::default() });
    let enabled_indented_mutiline_value = true;
    show("both", ParseOption { enabled_escape, enabled_indented_mutiline_value, ..ParseOption::default() });
}
EOF

cat > want <<'EOF'
default
  ["list"] = []
  ["one", "    two", "path"] = ["C:", "ew\table"]
no escapes
  ["list"] = []
  ["one", "    two", "path"] = ["C:\\new\\table"]
both
  ["list"] = ["one", "two"]
  ["path"] = ["C:\\new\\table"]
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(rust-ini)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "rust-ini-paste-files: the behaviour has changed" >&2
  exit 1
fi
echo "rust-ini-paste-files: as expected"
