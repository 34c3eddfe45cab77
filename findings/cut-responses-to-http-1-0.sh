#!/usr/bin/env bash
# Expected: an application that fails in the middle of a streamed response breaks the connection, so
#   that a client of HTTP/1.0, for which the end of the connection is that of the response
#   (RFC 1945, section 7.2.2), can tell it from a whole one.
# Happens: axum on hyper, gunicorn, waitress, uvicorn and granian end the connection in good order.
#   The client reads the first part and then the end. To a client of HTTP/1.1 all send chunks, of
#   which the last one is missing.
# Package: axum 0.8.9, hyper 1.12.0 (crates.io); gunicorn 27.0.1, waitress 3.0.2, uvicorn 0.54.0,
#   granian 2.8.9 (PyPI).
# Guess, when hyper had been seen: a reset from granian, an orderly end from the three in Python.
# Here: tower-serve resets such a connection (SERVE-15), and tower-gateway one of SCGI (GATEWAY-41).
#   nginx's proxy_pass, which speaks HTTP/1.0 by default, then breaks off, too. Otherwise it passes
#   the part on as a whole response, and may cache it.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gunicorn==27.0.1 waitress==3.0.2 uvicorn==0.54.0 granian==2.8.9
cat > app.py <<'EOF'
def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"one "
    raise RuntimeError("no disk")


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"one ", "more_body": True})
    raise RuntimeError("no disk")
EOF

mkdir -p site/src
cat > site/Cargo.toml <<'EOF'
[package]
name = "site"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = "=0.8.9"
futures-util = "=0.3.34"
hyper = "=1.12.0"
tokio = { version = "1", features = ["macros", "rt"] }
EOF
cat > site/src/main.rs <<'EOF'
use std::{env, io};

use axum::{Router, body::Body, routing::get};
use futures_util::stream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let cut = || async {
        let pieces = [Ok("one "), Err(io::Error::other("no disk"))];
        Body::from_stream(stream::unfold(pieces.into_iter(), |mut pieces| async {
            let piece = pieces.next()?;
            tokio::task::yield_now().await;
            Some((piece, pieces))
        }))
    };
    let port = env::args().nth(1).expect("a port");
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    axum::serve(listener, Router::new().route("/", get(cut))).await
}
EOF
"${CARGO:-cargo}" build --quiet --manifest-path site/Cargo.toml --target-dir build

read -r -a ports < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(5)]
print(*(each.getsockname()[1] for each in sockets))')
build/debug/site "${ports[0]}" 2> log &
pids+=($!)
venv/bin/gunicorn --bind "127.0.0.1:${ports[1]}" app:wsgi 2>> log &
pids+=($!)
venv/bin/waitress-serve --listen "127.0.0.1:${ports[2]}" app:wsgi >> log 2>&1 &
pids+=($!)
venv/bin/uvicorn --port "${ports[3]}" app:asgi >> log 2>&1 &
pids+=($!)
venv/bin/granian --interface asgi --port "${ports[4]}" app:asgi >> log 2>&1 &
pids+=($!)

cat > ask.py <<'EOF'
import socket
import sys
import time


def connect(port):
    for _ in range(300):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise SystemExit(f"nothing listens on {port}")


def ask(port, version):
    with connect(port) as connection:
        connection.sendall(f"GET / HTTP/{version}\r\nHost: a\r\n\r\n".encode())
        found = b""
        try:
            while more := connection.recv(4096):
                found += more
            end = "orderly end"
        except ConnectionResetError:
            end = "reset"
    head, _, body = found.partition(b"\r\n\r\n")
    length = b"content-length" in head.lower()
    return f"{head.split(b' ')[1].decode()}, {body!r}, {end}" + ", with a length" * length


for name, port in zip(["axum", "gunicorn", "waitress", "uvicorn", "granian"], map(int, sys.argv[1:])):
    for version in ["1.0", "1.1"]:
        print(f"{name}, HTTP/{version}: {ask(port, version)}")
EOF
python3 ask.py "${ports[@]}" > got || { cat log; exit 1; }
for name in axum gunicorn waitress uvicorn granian; do
  echo "$name, HTTP/1.0: 200, b'one ', orderly end"
  echo "$name, HTTP/1.1: 200, b'4\\r\\none \\r\\n', orderly end"
done > want

grep -A 1 -E '^name = "(axum|hyper)"$' site/Cargo.lock | grep -v '^--$' | paste - -
venv/bin/pip freeze | grep -iE '^(gunicorn|waitress|uvicorn|granian)=='
cat got
if ! diff -u want got; then
  echo "cut-responses-to-http-1-0: the behaviour has changed" >&2
  exit 1
fi
echo "cut-responses-to-http-1-0: as expected"
