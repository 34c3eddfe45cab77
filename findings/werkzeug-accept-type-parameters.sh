#!/usr/bin/env bash
# Expected: `Accept: text/html` takes text/html with any parameters (RFC 9110, 12.5.1), so an
#   app may offer its type as it sends it: with a charset.
# Happens: Werkzeug's best_match finds nothing acceptable then, so an app that goes by it
#   answers 406 to a client that takes HTML. With `text/*` the same offer matches. WebOb matches
#   both.
# Package: Werkzeug 3.1.9, WebOb 1.8.11 (PyPI).
# Guess: `Accept: text/html;level=1` matches an offer of text/html in Werkzeug. Wrong; the rows
#   with a charset had no guess.
# Here: offer types without a charset, and add it when the response is made.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check WebOb==1.8.11 Werkzeug==3.1.9
cat > show.py <<'EOF'
from webob.acceptparse import create_accept_header
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

for accept, offer in [
    ("text/html", "text/html"),
    ("text/html", "text/html;charset=utf-8"),
    ("text/*", "text/html;charset=utf-8"),
    ("text/html;level=1", "text/html"),
]:
    werkzeug = parse_accept_header(accept, MIMEAccept).best_match([offer])
    webob = [offer for offer, quality in create_accept_header(accept).acceptable_offers([offer])]
    print(f"Accept: {accept} | offered {offer} | Werkzeug: {werkzeug} | WebOb: {webob}")
EOF

cat > want <<'EOF'
Accept: text/html | offered text/html | Werkzeug: text/html | WebOb: ['text/html']
Accept: text/html | offered text/html;charset=utf-8 | Werkzeug: None | WebOb: ['text/html;charset=utf-8']
Accept: text/* | offered text/html;charset=utf-8 | Werkzeug: text/html;charset=utf-8 | WebOb: ['text/html;charset=utf-8']
Accept: text/html;level=1 | offered text/html | Werkzeug: None | WebOb: []
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(WebOb|Werkzeug)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "werkzeug-accept-type-parameters: the behaviour has changed" >&2
  exit 1
fi
echo "werkzeug-accept-type-parameters: as expected"
