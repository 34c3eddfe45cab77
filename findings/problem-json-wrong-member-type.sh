#!/usr/bin/env bash
# Expected: a consumer of problem+json ignores a member whose value has the wrong type, as if it
#   were missing (RFC 9457, 3.1).
# Happens: one such member, say a status in quotes, makes the whole document an error in both
#   crates, and the other members are lost with it. A status out of range and an empty `type` (a
#   legal relative reference) are ignored or kept by http-api-problem, and errors for
#   problem_details.
# Package: http-api-problem 0.60.0, problem_details 0.11.0 (crates.io).
# Guess: both refuse a status in quotes. Right.
# Here: a client that reads the problem documents of others should parse a plain JSON map first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-problem-json-wrong-member-type"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
http-api-problem = "=0.60.0"
problem_details = "=0.11.0"
serde_json = "1"
EOF
cat > src/main.rs <<'EOF'
use http_api_problem::HttpApiProblem;
use problem_details::ProblemDetails;

fn main() {
    for text in [
        r#"{"title": "Gone", "status": 410}"#,
        r#"{"title": "Gone", "status": "410"}"#,
        r#"{"title": 5, "detail": "moved", "status": 410}"#,
        r#"{"title": "Busy", "status": 99}"#,
        r#"{"type": "", "title": "Gone"}"#,
    ] {
        println!("{text}");
        match serde_json::from_str::<HttpApiProblem>(text) {
            Ok(it) => println!("  http-api-problem: {:?}, {:?}", it.title, it.status.map(|it| it.as_u16())),
            Err(error) => println!("  http-api-problem: {error}"),
        }
        match serde_json::from_str::<ProblemDetails>(text) {
            Ok(it) => println!("  problem_details: {:?}, {:?}", it.title, it.status.map(|it| it.as_u16())),
            Err(error) => println!("  problem_details: {error}"),
        }
    }
}
EOF

cat > want <<'EOF'
{"title": "Gone", "status": 410}
  http-api-problem: Some("Gone"), Some(410)
  problem_details: Some("Gone"), Some(410)
{"title": "Gone", "status": "410"}
  http-api-problem: invalid type: string "410", expected u16 at line 1 column 33
  problem_details: invalid type: string "410", expected valid status code at line 1 column 33
{"title": 5, "detail": "moved", "status": 410}
  http-api-problem: invalid type: integer `5`, expected a string at line 1 column 11
  problem_details: invalid type: integer `5`, expected a string at line 1 column 11
{"title": "Busy", "status": 99}
  http-api-problem: Some("Busy"), None
  problem_details: invalid value: integer `99`, expected valid status code at line 1 column 30
{"type": "", "title": "Gone"}
  http-api-problem: Some("Gone"), None
  problem_details: invalid value: string "", expected uri at line 1 column 11
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(http-api-problem|problem_details)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "problem-json-wrong-member-type: the behaviour has changed" >&2
  exit 1
fi
echo "problem-json-wrong-member-type: as expected"
