#!/usr/bin/env bash
# Expected: where a host is mapped both with and without a port, a request to that port gets the
#   app of that port.
# Happens: the app of the host without a port gets every request; the one with the port is never
#   reached, in whatever order they are mapped, and even with a longer path. The mappings are
#   sorted by the host's text first, a name sorts before the same name with a colon, and without
#   a port it stands for all ports.
# Package: Paste 3.10.1, asked through WebOb 1.8.11 (PyPI).
# Guess: none was written down for the two beside each other; the test was made in the belief
#   that the more specific host is taken.
# Here: tower-deploy's `urlmap` takes the more specific host first, then the longest path.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check Paste==3.10.1 WebOb==1.8.11
cat > show.py <<'EOF'
from paste.urlmap import URLMap
from webob import Request, Response

for order in [["http://example.org/", "http://example.org:8080/"], ["http://example.org:8080/", "http://example.org/"]]:
    urlmap = URLMap()
    for url in order:
        urlmap[url] = Response(url.encode())
    for host in ["example.org", "example.org:8080"]:
        print("mapped", *order, "| Host:", host, "->", Request.blank("/", headers={"Host": host}).get_response(urlmap).text)
urlmap = URLMap()
urlmap["http://example.org/"] = Response(b"all ports")
urlmap["http://example.org:8080/docs"] = Response(b"docs on 8080")
for path in ["/", "/docs"]:
    request = Request.blank(path, headers={"Host": "example.org:8080"})
    print("Host: example.org:8080", path, "->", request.get_response(urlmap).text)
EOF

cat > want <<'EOF'
mapped http://example.org/ http://example.org:8080/ | Host: example.org -> http://example.org/
mapped http://example.org/ http://example.org:8080/ | Host: example.org:8080 -> http://example.org/
mapped http://example.org:8080/ http://example.org/ | Host: example.org -> http://example.org/
mapped http://example.org:8080/ http://example.org/ | Host: example.org:8080 -> http://example.org/
Host: example.org:8080 / -> all ports
Host: example.org:8080 /docs -> all ports
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(Paste|WebOb)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "paste-urlmap-host-and-port: the behaviour has changed" >&2
  exit 1
fi
echo "paste-urlmap-host-and-port: as expected"
