#!/usr/bin/env bash
# Expected: a date in If-Range counts only if it is exactly the Last-Modified date, and a weak
#   tag never counts (RFC 9110, 13.1.5): a client that holds another version must get the whole.
# Happens: both send a part to a client whose date is later than Last-Modified, as after a
#   roll-back to an older file; the parts that it joins are then of two versions. Werkzeug also
#   takes a weak tag for a match.
# Package: WebOb 1.8.11, Werkzeug 3.1.9 (PyPI).
# Guess: for WebOb, that a later date gets a 206. Right. None for Werkzeug.
# Here: compare the date for equality, the tag strongly.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check WebOb==1.8.11 Werkzeug==3.1.9
cat > show.py <<'EOF'
from datetime import datetime, timezone
from webob import Request, Response
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response as WerkzeugResponse

MODIFIED = datetime(2020, 1, 1, tzinfo=timezone.utc)


def webob(headers):
    page = Response(b"hello world!", conditional_response=True, last_modified=MODIFIED, etag="v1")
    return Request.blank("/", headers=headers).get_response(page).status_int


def werkzeug(headers):
    page = WerkzeugResponse(b"hello world!")
    page.last_modified = MODIFIED
    page.set_etag("v1")
    environ = EnvironBuilder(headers=headers).get_environ()
    page.make_conditional(environ, accept_ranges=True, complete_length=12)
    return page.status_code


for value in ["Tue, 31 Dec 2019 00:00:00 GMT", "Wed, 01 Jan 2020 00:00:00 GMT", "Thu, 02 Jan 2020 00:00:00 GMT", '"v1"', 'W/"v1"']:
    headers = {"Range": "bytes=0-3", "If-Range": value}
    print(value, "| WebOb:", webob(headers), "| Werkzeug:", werkzeug(headers))
EOF

cat > want <<'EOF'
Tue, 31 Dec 2019 00:00:00 GMT | WebOb: 200 | Werkzeug: 200
Wed, 01 Jan 2020 00:00:00 GMT | WebOb: 206 | Werkzeug: 206
Thu, 02 Jan 2020 00:00:00 GMT | WebOb: 206 | Werkzeug: 206
"v1" | WebOb: 206 | Werkzeug: 206
W/"v1" | WebOb: 200 | Werkzeug: 206
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(WebOb|Werkzeug)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "if-range-later-date: the behaviour has changed" >&2
  exit 1
fi
echo "if-range-later-date: as expected"
