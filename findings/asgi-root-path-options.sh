#!/usr/bin/env bash
# Expected: with a prefix of /wiki, ASGI servers hand an application the same scope: `path` is the
#   whole path, which begins with `root_path` (ASGI's HTTP specification). So a proxy that strips
#   /wiki can be in front of any of them, and granian's prefix is the same for WSGI.
# Happens: for the target /dir, uvicorn makes the path /wiki/dir, while hypercorn, granian and
#   gunicorn leave /dir, which does not begin with /wiki. Starlette makes right links with all of
#   them, but with these three its redirect to the slash leaves the prefix. For WSGI, granian cuts
#   five bytes off any path, so /contact/us becomes act/us.
# Package: uvicorn 0.54.0, Hypercorn 0.18.0, granian 2.8.9, gunicorn 27.0.1, starlette 1.10.0 (PyPI).
# Guess: none was written down before the first run.
# Here: docs/python.md has the address for each of them, with the prefix or without it, and no row
#   with granian's prefix for WSGI.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check uvicorn==0.54.0 Hypercorn==0.18.0 \
  granian==2.8.9 gunicorn==27.0.1 starlette==1.10.0
cat > app.py <<'EOF'
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


def item(request):
    return PlainTextResponse(f"path {request.scope['path']}, link {request.url_for('item').path}")


app = Starlette(routes=[Route("/item", item), Route("/dir/", item, name="directory")])


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['SCRIPT_NAME']!r} + {environ['PATH_INFO']!r}".encode()]
EOF
cat > show.py <<'EOF'
import http.client
import os
import signal
import socket
import subprocess
import time
from urllib.parse import urlsplit

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]


def ask(path):
    for _ in range(300):
        try:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            client.request("GET", path)
            response = client.getresponse()
            return response.read().decode() or "redirect to " + urlsplit(response.getheader("location")).path
        except ConnectionRefusedError:
            time.sleep(0.1)


for command, paths in [
    (f"uvicorn --root-path /wiki --port {port} app:app", ["/item", "/dir"]),
    (f"hypercorn --root-path /wiki --bind 127.0.0.1:{port} app:app", ["/item", "/dir"]),
    (f"granian --interface asgi --url-path-prefix /wiki --port {port} app:app", ["/item", "/dir"]),
    (f"gunicorn --worker-class asgi --root-path /wiki --bind 127.0.0.1:{port} app:app", ["/item", "/dir"]),
    (f"granian --interface wsgi --url-path-prefix /wiki --port {port} app:wsgi", ["/wiki/item", "/contact/us"]),
]:
    program, *arguments = command.split()
    server = subprocess.Popen(
        [f"venv/bin/{program}", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        for path in paths:
            print(program, path, "|", ask(path))
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
EOF

cat > want <<'EOF'
uvicorn /item | path /wiki/item, link /wiki/item
uvicorn /dir | redirect to /wiki/dir/
hypercorn /item | path /item, link /wiki/item
hypercorn /dir | redirect to /dir/
granian /item | path /item, link /wiki/item
granian /dir | redirect to /dir/
gunicorn /item | path /item, link /wiki/item
gunicorn /dir | redirect to /dir/
granian /wiki/item | '/wiki' + '/item'
granian /contact/us | '/wiki' + 'act/us'
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(uvicorn|Hypercorn|granian|gunicorn|starlette)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "asgi-root-path-options: the behaviour has changed" >&2
  exit 1
fi
echo "asgi-root-path-options: as expected"
