#!/usr/bin/env bash
# Expected: a value of [DEFAULT] whose names are all empty is empty, as it is in a section.
# Happens: every section and the global values get the raw text, `%(none)s`. PasteDeploy takes
#   the raw text if the interpolated one is false, and an empty string is false.
# Package: PasteDeploy 3.1.0 (PyPI) on Python 3.11.
# Guess: none was written down before the first run.
# Here: tower-deploy has an empty value in both places. `just differential ini` found it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check PasteDeploy==3.1.0
cat > site.ini <<'EOF'
[DEFAULT]
none =
suffix = %(none)s
[app:main]
use = call:show:app_factory
own = %(none)s
path = /a%(suffix)s
EOF
cat > show.py <<'EOF'
import os
from paste.deploy import appconfig


def app_factory(global_conf, **local_conf):
    return None


if __name__ == "__main__":
    config = appconfig("config:" + os.path.abspath("site.ini"))
    print("in the global values:", repr(config.global_conf["suffix"]))
    print("in the section:", repr(config.local_conf["own"]))
    print("inside of another value:", repr(config.local_conf["path"]))
EOF

cat > want <<'EOF'
in the global values: '%(none)s'
in the section: ''
inside of another value: '/a'
EOF

python3 --version
venv/bin/pip freeze | grep -i -E '^(PasteDeploy)=='
venv/bin/python -W ignore show.py > got
cat got
if ! diff -u want got; then
  echo "pastedeploy-empty-default: the behaviour has changed" >&2
  exit 1
fi
echo "pastedeploy-empty-default: as expected"
