#!/usr/bin/env bash
# Expected: conditions count only where the response without them would be a 2xx (or 412), and
#   ranges only where it would be a 200 (RFC 9110, 13.2.1 and 14.2): an error page stays the
#   error that it is.
# Happens: both turn a 404 page whose ETag the client has into a 304, so that a missing page
#   looks present. Werkzeug also cuts the 404 page and makes it a 206.
# Package: WebOb 1.8.11, Werkzeug 3.1.9 (PyPI).
# Guess: for WebOb, 304 (right) and 206 (wrong); for Werkzeug, that it leaves the page alone
#   (wrong).
# Here: set no ETag on an error page, and drop ETag and Accept-Ranges where an error body is
#   replaced.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check WebOb==1.8.11 Werkzeug==3.1.9
cat > show.py <<'EOF'
from webob import Request, Response
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response as WerkzeugResponse


def webob(headers):
    page = Response(b"Not here, sorry", status=404, conditional_response=True, etag="v1")
    return Request.blank("/", headers=headers).get_response(page).status


def werkzeug(headers):
    page = WerkzeugResponse(b"Not here, sorry", status=404)
    page.set_etag("v1")
    environ = EnvironBuilder(headers=headers).get_environ()
    page.make_conditional(environ, accept_ranges=True, complete_length=15)
    return f"{page.status} {page.headers.get('Content-Range', '')}".strip()


for headers in [{}, {"If-None-Match": '"v1"'}, {"Range": "bytes=0-3"}]:
    print(headers, "| WebOb:", webob(headers), "| Werkzeug:", werkzeug(headers))
EOF

cat > want <<'EOF'
{} | WebOb: 404 Not Found | Werkzeug: 404 NOT FOUND
{'If-None-Match': '"v1"'} | WebOb: 304 Not Modified | Werkzeug: 304 NOT MODIFIED
{'Range': 'bytes=0-3'} | WebOb: 404 Not Found | Werkzeug: 206 PARTIAL CONTENT bytes 0-3/15
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(WebOb|Werkzeug)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "conditions-on-error-pages: the behaviour has changed" >&2
  exit 1
fi
echo "conditions-on-error-pages: as expected"
