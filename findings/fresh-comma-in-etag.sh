#!/usr/bin/env bash
# Expected: a comma is a legal character of an entity tag (RFC 9110, 8.8.3) and a tab is white
#   space around a list's comma (5.6.3), so If-None-Match confirms both.
# Happens: the field is cut at every comma, so a tag with one is never known and each
#   conditional GET is sent in full again; other tags of the same list are found. Of white space
#   only blanks are dropped: with tabs around the comma the tag is not found.
# Package: fresh 2.0.0 (npm, used by Express).
# Guess: a tag with a comma is not found. Right. The tab was not expected.
# Here: make entity tags of hexadecimal digits or base64, without commas. The crate headers
#   0.4.2 reads such a list right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund fresh@2.0.0
cat > show.mjs <<'EOF'
import fresh from 'fresh';

for (const [condition, etag] of [
  ['"c"', '"c"'],
  ['"a,b"', '"a,b"'],
  ['"a,b", "c"', '"c"'],
  ['"x" , "c"', '"c"'],
  ['"x"\t,\t"c"', '"c"'],
]) {
  const known = fresh({ 'if-none-match': condition }, { etag });
  console.log(`${JSON.stringify(condition)} knows ${etag}: ${known}`);
}
EOF

cat > want <<'EOF'
"\"c\"" knows "c": true
"\"a,b\"" knows "a,b": false
"\"a,b\", \"c\"" knows "c": true
"\"x\" , \"c\"" knows "c": true
"\"x\"\t,\t\"c\"" knows "c": false
EOF

echo "node $(node --version)"
npm ls --depth 0 | tail -n +2
node show.mjs > got
cat got
if ! diff -u want got; then
  echo "fresh-comma-in-etag: the behaviour has changed" >&2
  exit 1
fi
echo "fresh-comma-in-etag: as expected"
