#!/usr/bin/env bash
# Expected: an application finds the two cookies of `Cookie: a=1` and `Cookie: b=2`. HTTP/2 clients
#   send such lines, and a proxy that makes one line of them has to use "; " (RFC 9113, 8.2.3). PEP 3333
#   leaves it to the server how WSGI's single HTTP_COOKIE is made.
# Happens: gunicorn and waitress use a comma, as for other lists. With gunicorn, Flask finds one
#   cookie with a wrong value. With waitress, whose comma has a space after it, Flask finds no cookie
#   at all. Granian uses a semicolon. Starlette gets both lines, and finds both cookies.
# Package: gunicorn 27.0.1, waitress 3.0.2, granian 2.8.9, uvicorn 0.54.0, Flask 3.1.3, Werkzeug
#   3.1.9, starlette 1.10.0 (PyPI).
# Guess: one wrong cookie with both waitress and gunicorn; Starlette reads the first line only. Right
#   about gunicorn, wrong about the other two.
# Here: tower-upstream makes one line of several, with "; ".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gunicorn==27.0.1 waitress==3.0.2 \
  granian==2.8.9 uvicorn==0.54.0 Flask==3.1.3 Werkzeug==3.1.9 starlette==1.10.0
cat > app.py <<'EOF'
from flask import Flask, request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

app = Flask(__name__)


@app.get("/")
def index():
    return f"{request.environ['HTTP_COOKIE']!r} -> {dict(request.cookies)}"


def lines(request):
    return PlainTextResponse(f"{request.headers.getlist('cookie')} -> {dict(request.cookies)}")


asgi = Starlette(routes=[Route("/", lines)])
EOF
cat > show.py <<'EOF'
import http.client
import os
import signal
import socket
import subprocess
import time

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
for command in [
    f"gunicorn --bind 127.0.0.1:{port} app:app",
    f"waitress-serve --listen=127.0.0.1:{port} app:app",
    f"granian --interface wsgi --port {port} app:app",
    f"uvicorn --port {port} app:asgi",
]:
    program, *arguments = command.split()
    server = subprocess.Popen(
        [f"venv/bin/{program}", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        for _ in range(300):
            try:
                client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                client.putrequest("GET", "/")
                client.putheader("Cookie", "a=1")
                client.putheader("Cookie", "b=2")
                client.endheaders()
                print(program, "|", client.getresponse().read().decode())
                break
            except ConnectionError:
                # It is not ready yet.
                time.sleep(0.1)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
EOF

cat > want <<'EOF'
gunicorn | 'a=1,b=2' -> {'a': '1,b=2'}
waitress-serve | 'a=1, b=2' -> {}
granian | 'a=1;b=2' -> {'a': '1', 'b': '2'}
uvicorn | ['a=1', 'b=2'] -> {'a': '1', 'b': '2'}
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(gunicorn|waitress|granian|uvicorn|Flask|Werkzeug|starlette)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "wsgi-cookie-lines: the behaviour has changed" >&2
  exit 1
fi
echo "wsgi-cookie-lines: as expected"
