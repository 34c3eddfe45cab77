#!/usr/bin/env bash
# Expected: of 12 bytes, a suffix of 50 is the whole and a suffix of 0 is not satisfiable; of
#   several ranges a server usually sends all, and says 416 if none can be sent (RFC 9110,
#   14.1.2, 15.3.7, 15.5.17).
# Happens: the suffixes are the other way round: 50 gives a 416, 0 a 206 with everything. Of
#   several ranges only the first one counts: it alone is the 206 (which is allowed), and where
#   it is beyond the end the response is a 416, though the second one could be sent.
# Package: WebOb 1.8.11 (PyPI).
# Guess: a suffix of 50 gives the whole. Wrong.
# Here: let one layer handle ranges, and leave `conditional_response` off in the app that it
#   wraps.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check WebOb==1.8.11
cat > show.py <<'EOF'
from webob import Request, Response

app = Response(b"hello world!", conditional_response=True)
for value in ["bytes=-5", "bytes=-50", "bytes=-0", "bytes=0-1,3-4", "bytes=20-30,0-1"]:
    response = Request.blank("/", headers={"Range": value}).get_response(app)
    body = response.body if response.status_int < 400 else b"(error)"
    print(value, response.status_int, response.headers.get("Content-Range"), body)
EOF

cat > want <<'EOF'
bytes=-5 206 bytes 7-11/12 b'orld!'
bytes=-50 416 bytes */12 b'(error)'
bytes=-0 206 bytes 0-11/12 b'hello world!'
bytes=0-1,3-4 206 bytes 0-1/12 b'he'
bytes=20-30,0-1 416 bytes */12 b'(error)'
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(WebOb)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "webob-range-edges: the behaviour has changed" >&2
  exit 1
fi
echo "webob-range-edges: as expected"
