#!/usr/bin/env bash
# Expected: as in Python's configparser, after which the crate is named, `#` begins a comment
#   only where a line begins (or, if that is switched on, after white space). PasteDeploy files
#   are full of `use = egg:NAME#FACTORY`.
# Happens: the value ends at the `#`, with no white space before it, also with `new_cs`. The app
#   becomes `egg:Paste`, and a URL loses its fragment, without an error.
# Package: configparser 3.3.0 (crates.io).
# Guess: none was written down before the first run.
# Here: tower-deploy has its own reader with Python's rules; with this crate set the comment
#   symbols for values first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-configparser-hash-in-values"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
configparser = "=3.3.0"
EOF
cat > src/main.rs <<'EOF'
use configparser::ini::Ini;

const FILE: &str = "[app:main]
use = egg:Paste#urlmap
Location = https://example.org/#top
";

fn main() {
    for (title, mut ini) in [("new", Ini::new()), ("new_cs", Ini::new_cs())] {
        let mut found: Vec<_> = ini.read(FILE.into()).unwrap()["app:main"].clone().into_iter().collect();
        found.sort();
        println!("{title}: {found:?}");
    }
}
EOF

cat > want <<'EOF'
new: [("location", Some("https://example.org/")), ("use", Some("egg:Paste"))]
new_cs: [("Location", Some("https://example.org/")), ("use", Some("egg:Paste"))]
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(configparser)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "configparser-hash-in-values: the behaviour has changed" >&2
  exit 1
fi
echo "configparser-hash-in-values: as expected"
