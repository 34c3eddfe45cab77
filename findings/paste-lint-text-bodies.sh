#!/usr/bin/env bash
# Expected: Paste's lint, after which the standard library's validator was made, finds on Python
#   3 what that one finds: a body of text instead of bytes is the commonest fault there (PEP
#   3333).
# Happens: it accepts a list of text, a single bytes object as the body and a read() of the
#   whole input, all of which wsgiref.validate refuses. Both refuse a missing Content-Type.
# Package: Paste 3.10.1 (PyPI) beside wsgiref of Python 3.11.
# Guess: both refuse a body of text. Wrong.
# Here: check a Python app that you put beside Rust with wsgiref.validate.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check Paste==3.10.1
cat > show.py <<'EOF'
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator
from paste.lint import middleware


def text(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["text"]


def one_string(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return b"text"


def read_all(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"text"]


def no_type(environ, start_response):
    start_response("200 OK", [])
    return [b"text"]


for app in [text, one_string, read_all, no_type]:
    for name, check in [("paste.lint", middleware), ("wsgiref.validate", validator)]:
        environ = {"SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": ""}
        setup_testing_defaults(environ)
        body = None
        try:
            body = check(app)(environ, lambda status, headers, exc_info=None: lambda data: None)
            list(body)
            result = "passes"
        except AssertionError:
            result = "is refused"
        finally:
            if body is not None:
                body.close()
        print(app.__name__, result, "by", name)
EOF

cat > want <<'EOF'
text passes by paste.lint
text is refused by wsgiref.validate
one_string passes by paste.lint
one_string is refused by wsgiref.validate
read_all passes by paste.lint
read_all is refused by wsgiref.validate
no_type is refused by paste.lint
no_type is refused by wsgiref.validate
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(Paste)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "paste-lint-text-bodies: the behaviour has changed" >&2
  exit 1
fi
echo "paste-lint-text-bodies: as expected"
