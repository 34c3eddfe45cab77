#!/usr/bin/env bash
# Expected: Paste's URLMap takes `http://example.org/` as a place, so that can stand as a key of
#   a urlmap section.
# Happens: a colon ends a key as an equals sign does, whichever comes first, as in Python's
#   configparser. The key is `http`, its value `//example.org/ = front`. Only the form with
#   `domain` and `port` works in a file.
# Package: PasteDeploy 3.1.0 (PyPI) on Python 3.11.
# Guess: the key is cut at the colon. Right.
# Here: tower-deploy reads keys in the same way; write `domain example.org port 80 /`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check PasteDeploy==3.1.0
cat > show.py <<'EOF'
import os
from paste.deploy import loadapp


def composite_factory(loader, global_conf, **local_conf):
    return local_conf


if __name__ == "__main__":
    with open("site.ini", "w") as file:
        file.write(
            "[composite:main]\n"
            "paste.composite_factory = show:composite_factory\n"
            "/docs = docs\n"
            "http://example.org/ = front\n"
            "domain example.org port 80 / = other\n"
        )
    for key, value in loadapp("config:site.ini", relative_to=os.getcwd()).items():
        print(repr(key), "=", repr(value))
EOF

cat > want <<'EOF'
'/docs' = 'docs'
'http' = '//example.org/ = front'
'domain example.org port 80 /' = 'other'
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(PasteDeploy)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "pastedeploy-colon-in-key: the behaviour has changed" >&2
  exit 1
fi
echo "pastedeploy-colon-in-key: as expected"
