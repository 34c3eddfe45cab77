#!/usr/bin/env bash
# Expected: `config:FILE#NAME` is called a URI, so escapes mean the same in both of its parts.
# Happens: the file's part is percent-decoded, the name after `#` is not: `my%20site.ini#a%20b`
#   opens "my site.ini" and takes the section `[app:a%20b]`.
# Package: PasteDeploy 3.1.0 (PyPI) on Python 3.11.
# Guess: none was written down before the first run.
# Here: write a file's percent sign as `%25` in such a URI, and a section's name as it stands in
#   the file.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check PasteDeploy==3.1.0
cat > show.py <<'EOF'
import os
from paste.deploy import loadapp

FILE = """[app:main]
paste.app_factory = show:one
[app:a b]
paste.app_factory = show:two
[app:a%20b]
paste.app_factory = show:three
"""


def one(global_conf):
    return "main"


def two(global_conf):
    return "a b"


def three(global_conf):
    return "a%20b"


if __name__ == "__main__":
    with open("my site.ini", "w") as file:
        file.write(FILE)
    for uri in ["config:my site.ini", "config:my%20site.ini", "config:my%20site.ini#a%20b"]:
        print(uri, "->", loadapp(uri, relative_to=os.getcwd()))
EOF

cat > want <<'EOF'
config:my site.ini -> main
config:my%20site.ini -> main
config:my%20site.ini#a%20b -> a%20b
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(PasteDeploy)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "pastedeploy-escapes-in-config-uri: the behaviour has changed" >&2
  exit 1
fi
echo "pastedeploy-escapes-in-config-uri: as expected"
