#!/usr/bin/env bash
# Expected: a filter that compresses on the fly leaves parts of a file alone, says `Vary:
#   Accept-Encoding`, respects `no-transform` and changes a strong ETag (RFC 9110, 8.8.3.3,
#   12.5.5, 14.4; RFC 9111, 5.2.2.6).
# Happens: it compresses a 206 and keeps its Content-Range, which then counts bytes that are not
#   there; it adds no Vary, keeps the strong ETag, and compresses in spite of no-transform.
#   `GZIP`, a legal spelling, gets nothing.
# Package: Paste 3.10.1, asked through WebOb 1.8.11 (PyPI).
# Guess: 206 is compressed and the ETag is kept. Right. Vary and no-transform had no guess.
# Here: do not put this filter behind a cache; tower-http's CompressionLayer leaves a response
#   with Content-Range alone and sets Vary.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check Paste==3.10.1 WebOb==1.8.11
cat > show.py <<'EOF'
from paste.gzipper import middleware
from webob import Request


def ask(status, headers, accept="gzip"):
    def app(environ, start_response):
        start_response(status, [("Content-Type", "text/plain"), *headers])
        return [b"x" * 2000]

    response = Request.blank("/", headers={"Accept-Encoding": accept}).get_response(middleware(app))
    kept = ["ETag", "Content-Encoding", "Content-Range", "Vary"]
    print(accept, "|", response.status, "|", [(name, response.headers.get(name)) for name in kept])


ask("200 OK", [("ETag", '"v1"')])
ask("206 Partial Content", [("ETag", '"v1"'), ("Content-Range", "bytes 0-1999/4000")])
ask("200 OK", [("Cache-Control", "no-transform")])
ask("200 OK", [], accept="GZIP")
EOF

cat > want <<'EOF'
gzip | 200 OK | [('ETag', '"v1"'), ('Content-Encoding', 'gzip'), ('Content-Range', None), ('Vary', None)]
gzip | 206 Partial Content | [('ETag', '"v1"'), ('Content-Encoding', 'gzip'), ('Content-Range', 'bytes 0-1999/4000'), ('Vary', None)]
gzip | 200 OK | [('ETag', None), ('Content-Encoding', 'gzip'), ('Content-Range', None), ('Vary', None)]
GZIP | 200 OK | [('ETag', None), ('Content-Encoding', None), ('Content-Range', None), ('Vary', None)]
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(Paste|WebOb)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "paste-gzipper-partial-content: the behaviour has changed" >&2
  exit 1
fi
echo "paste-gzipper-partial-content: as expected"
