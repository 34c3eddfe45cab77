#!/usr/bin/env bash
# Expected: a 405 has an Allow field with the methods that the target supports (RFC 9110, 15.5.6),
#   as both servers have it in their responses to OPTIONS.
# Happens: the 405 of both servers has none.
# Package: dufs 0.47.0, static-web-server 3.0.0-beta.2 (crates.io).
# Guess: an Allow in both, since both are careful with conditions and ranges.
# Here: tower-static and tower-dispatch send Allow with each 405, and rule 305 of tower-lint reports
#   one without it.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

install() {
  "${CARGO:-cargo}" install --quiet --locked --debug --no-default-features --root . "$1"
}
install dufs@0.47.0
install static-web-server@3.0.0-beta.2
mkdir site
echo page > site/page.txt

read -r one other < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(each.getsockname()[1] for each in sockets))')
bin/dufs --bind 127.0.0.1 --port "$one" site > log 2>&1 &
pids+=($!)
bin/static-web-server --host 127.0.0.1 --port "$other" --root site >> log 2>&1 &
pids+=($!)

ask() {
  local url="http://127.0.0.1:$1/page.txt"
  curl --silent --retry 20 --retry-connrefused --retry-delay 1 -D - -o body -X "$2" "$url" |
    tr -d '\r' | grep -i -E '^(HTTP|allow)'
}
for port in "$one" "$other"; do
  ask "$port" POST
  ask "$port" OPTIONS
done > got

cat > want <<'EOF'
HTTP/1.1 405 Method Not Allowed
HTTP/1.1 200 OK
Allow: GET,HEAD,PUT,OPTIONS,DELETE,PATCH,PROPFIND,COPY,MOVE,CHECKAUTH,LOGOUT
HTTP/1.1 405 Method Not Allowed
HTTP/1.1 204 No Content
allow: OPTIONS, HEAD, GET
EOF

bin/dufs --version
bin/static-web-server --version
cat got
if ! diff -u want got; then
  echo "servers-405-without-allow: the behaviour has changed" >&2
  exit 1
fi
echo "servers-405-without-allow: as expected"
