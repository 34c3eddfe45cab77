#!/usr/bin/env bash
# Expected: only what the file says is interpolated; a site loads in any directory, as `here` is
#   a default of PasteDeploy's own.
# Happens: a percent sign in the directory's name is an InterpolationSyntaxError, though no
#   setting names `here`: PasteDeploy sets `here` and `__file__` as plain defaults of the
#   parser, and reads each default through the interpolation. Any value that a caller hands in
#   as `global_conf` fails in the same way.
# Package: PasteDeploy 3.1.0 (PyPI) on Python 3.11.
# Guess: none was written down before the first run.
# Here: tower-deploy takes `here`, `__file__` and handed-in values literally.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check PasteDeploy==3.1.0
cat > show.py <<'EOF'
import os
from paste.deploy import loadapp


def app_factory(global_conf, **local_conf):
    return "loaded"


def load(directory, global_conf=None):
    os.makedirs(directory)
    with open(os.path.join(directory, "site.ini"), "w") as file:
        file.write("[app:main]\nuse = call:show:app_factory\n")
    try:
        uri = "config:" + os.path.join(os.path.abspath(directory), "site.ini")
        return loadapp(uri.replace("%", "%25"), global_conf=global_conf)
    except Exception as error:
        return type(error).__name__


if __name__ == "__main__":
    print("directory site:", load("site"))
    print("directory 50%:", load("50%"))
    print("global value 50%:", load("other", {"share": "50%"}))
EOF

cat > want <<'EOF'
directory site: loaded
directory 50%: InterpolationSyntaxError
global value 50%: InterpolationSyntaxError
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(PasteDeploy)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "pastedeploy-percent-in-directory: the behaviour has changed" >&2
  exit 1
fi
echo "pastedeploy-percent-in-directory: as expected"
