#!/usr/bin/env bash
# Expected: `bytes=-5` is the last five bytes, a range is cut to the length, and Content-Range
#   is for 206 and 416 (RFC 9110, 14.1.2 and 14.4).
# Happens: `bytes=-5` gets a 206 with the first six bytes. A last position beyond the end is a
#   416, two ranges get a 206 with the whole file, and each 200 bears a Content-Range.
# Package: Paste 3.10.1, asked through WebOb 1.8.11 (PyPI).
# Guess: `-5` is right and `-50` the whole file. Both wrong.
# Here: when you move a site from Paste, expect clients to see other bytes for suffix ranges:
#   the right ones.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check Paste==3.10.1 WebOb==1.8.11
cat > show.py <<'EOF'
from paste.fileapp import FileApp
from webob import Request

with open("f.txt", "wb") as file:
    file.write(b"hello world!")
app = FileApp("f.txt")
for value in [None, "bytes=0-4", "bytes=-5", "bytes=-50", "bytes=0-99", "bytes=0-1,3-4"]:
    headers = {} if value is None else {"Range": value}
    response = Request.blank("/", headers=headers).get_response(app)
    body = response.body if response.status_int < 400 else b"(error)"
    print(value, response.status_int, response.headers.get("Content-Range"), body)
EOF

cat > want <<'EOF'
None 200 bytes 0-11/12 b'hello world!'
bytes=0-4 206 bytes 0-4/12 b'hello'
bytes=-5 206 bytes 0-5/12 b'hello '
bytes=-50 416 None b'(error)'
bytes=0-99 416 None b'(error)'
bytes=0-1,3-4 206 bytes 0-11/12 b'hello world!'
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(Paste|WebOb)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "paste-fileapp-ranges: the behaviour has changed" >&2
  exit 1
fi
echo "paste-fileapp-ranges: as expected"
