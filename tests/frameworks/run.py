"""Real frameworks below a path of a site, each row of docs/python.md and docs/node-and-php.md, with a client that sends forged
headers; and what each of them does with either `host` of the proxy.

Run by `just frameworks`, which builds the command first. The Python packages are installed into target/frameworks, and so is
Express. PHP and Symfony's HttpFoundation are Debian's. With arguments, only the checks of these names.
"""

import pathlib
import shutil
import subprocess
import sys
import venv

import hosts
import rows
from site_of import HOME, ROOT

PACKAGES = """
Django==5.2.19 Flask==3.1.3 Werkzeug==3.1.9 pyramid==2.1 PasteDeploy==3.1.0 fastapi==0.165.0 starlette==1.10.0
gunicorn==27.0.1 waitress==3.0.2 uvicorn==0.54.0 Hypercorn==0.18.0 granian==2.8.9
""".split()
EXPRESS = "express@5.3.0"
SYMFONY = "/usr/share/php/Symfony/Component/HttpFoundation/autoload.php"


def install():
    """Installs what is missing, once for each list of versions."""
    done, versions = HOME / "versions", " ".join([*PACKAGES, EXPRESS])
    if done.exists() and done.read_text() == versions:
        return
    shutil.rmtree(HOME, ignore_errors=True)
    venv.create(HOME, with_pip=True)
    subprocess.run([HOME / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES], check=True)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", HOME, EXPRESS], check=True)
    done.write_text(versions)


def python():
    rows.check(ROOT / "docs" / "python.md")


def node_and_php():
    rows.check(ROOT / "docs" / "node-and-php.md")


CHECKS = {"python": python, "node-and-php": node_and_php, "hosts": hosts.check}


def main():
    missing = [tool for tool in ["node", "npm", "php", "nginx", SYMFONY] if not (shutil.which(tool) or pathlib.Path(tool).is_file())]
    if missing:
        packages = "nodejs npm php-cli php-symfony-http-foundation nginx"
        raise SystemExit(f"missing: {' '.join(missing)} (apt-get install {packages})")
    install()
    for name in sys.argv[1:] or CHECKS:
        CHECKS[name]()


if __name__ == "__main__":
    sys.exit(main())
