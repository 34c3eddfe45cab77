#!/usr/bin/env bash
# Expected: PATH_INFO is the decoded path (RFC 3875, 4.1.5; PEP 3333), also where flup makes it
#   up because the server sends only REQUEST_URI, as a short nginx configuration does.
# Happens: flup takes the rest of REQUEST_URI without decoding it, so the app sees `%20`. It
#   finds the rest by the length of SCRIPT_NAME, which is decoded: each escape in the script's
#   name shifts the cut, and two bytes of the name stay in the path.
# Package: flup 1.0.3 (PyPI).
# Guess: the path is not decoded. Right; that the cut shifts was not expected.
# Here: send SCRIPT_NAME and PATH_INFO, both decoded and both always, to FastCGI programs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check flup==1.0.3
cat > show.py <<'EOF'
import os
import socket
import struct
import time
from flup.server.fcgi import WSGIServer


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['SCRIPT_NAME']!r} + {environ['PATH_INFO']!r}".encode()]


def record(kind, content):
    return struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content


def ask(**params):
    params = {"REQUEST_METHOD": "GET", "SERVER_NAME": "example.org", "SERVER_PORT": "80", **params}
    pairs = b"".join(bytes([len(k), len(v)]) + f"{k}{v}".encode() for k, v in params.items())
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect("socket")
    client.sendall(record(1, bytes([0, 1, 0, 0, 0, 0, 0, 0])) + record(4, pairs) + record(4, b"") + record(5, b""))
    data = b"".join(iter(lambda: client.recv(4096), b""))
    client.close()
    out = b""
    while data:
        _, kind, _, length, padding = struct.unpack(">BBHHBx", data[:8])
        out += data[8 : 8 + length] if kind == 6 else b""
        data = data[8 + length + padding :]
    return out.decode().rsplit("\r\n", 1)[1]


child = os.fork()
if child == 0:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    WSGIServer(app, bindAddress="socket").run()
    os._exit(0)
try:
    while not os.path.exists("socket"):
        time.sleep(0.05)
    print("both given:", ask(REQUEST_URI="/a%20b?x", SCRIPT_NAME="", PATH_INFO="/a b"))
    print("URI alone:", ask(REQUEST_URI="/a%20b?x"))
    print("URI and script:", ask(REQUEST_URI="/my%20app/c", SCRIPT_NAME="/my app"))
finally:
    os.kill(child, 15)
    os.waitpid(child, 0)
EOF

cat > want <<'EOF'
both given: '' + '/a b'
URI alone: '' + '/a%20b'
URI and script: '/my app' + 'pp/c'
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(flup)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "flup-path-info-from-request-uri: the behaviour has changed" >&2
  exit 1
fi
echo "flup-path-info-from-request-uri: as expected"
