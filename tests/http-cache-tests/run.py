"""http-cache-tests, direct and through tower-deploy's proxy: a proxy without a cache must not change
what a client sees.

Run by `just http-cache-tests`, which builds the program first; `--program` names another one. The
tests come from npm, into target/http-cache-tests. Most of them fail in both ways, because nothing
caches. That is no matter: only the difference counts. KNOWN has the differences that are right.
"""

import argparse
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "target" / "http-cache-tests"
TESTS = TOOLS / "node_modules" / "http-cache-tests"
VERSION = "0.4.5"

CLOSED = "the upstream closes without a response: the client gets a 502 (UPSTREAM-12)"
LONGER = "the upstream sends more than the length that it states: the client gets that length, and the rest is dropped (UPSTREAM-7)"
CODING = "the upstream uses a transfer coding that does not exist: the client gets a 502 (UPSTREAM-6)"
KNOWN = {
    "304-etag-update-response-Content-Length": LONGER,
    "headers-store-Content-Length": LONGER,
    "headers-store-Transfer-Encoding": CODING,
    "stale-close": CLOSED,
    "stale-close-must-revalidate": CLOSED,
    "stale-close-no-cache": CLOSED,
    "stale-close-proxy-revalidate": CLOSED,
    "stale-close-s-maxage=2": CLOSED,
    "stale-sie-503": CLOSED,
    "stale-sie-close": CLOSED,
    "stale-warning-become": CLOSED,
    "stale-warning-stored": CLOSED,
}

SITE = """\
[app:main]
use = egg:tower#proxy
address = http://127.0.0.1:{}
"""


def tools():
    if not TESTS.exists():
        command = ["npm", "install", "--silent", "--no-save", "--prefix", TOOLS, f"http-cache-tests@{VERSION}"]
        subprocess.run(command, check=True)
    found = json.loads((TESTS / "package.json").read_text())["version"]
    if found != VERSION:
        sys.exit(f"{TESTS} has version {found}: remove it")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


def results(port):
    """Each test's result: true, or the kind of its failure and the message."""
    settings = {"npm_config_base": f"http://127.0.0.1:{port}", "npm_config_id": "", "npm_package_config_id": ""}
    command = ["node", "--no-warnings", TESTS / "cli.mjs"]
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=300)
    if done.returncode:
        sys.exit(f"the tests ended with {done.returncode}: {done.stderr}")
    return {name: plain(result) for name, result in json.loads(done.stdout).items()}


def plain(result):
    """A result without what differs from run to run."""
    if result is True:
        return "passes"
    kind, message = result
    message = re.sub(r"http://127\.0\.0\.1:\d+/\w+/[0-9a-f-]{36}", "URL", message)
    return f"{kind}: {message}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=ROOT / "target" / "debug" / "tower-deploy")
    program = parser.parse_args().program
    tools()
    upstream, proxy = free_port(), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "site.ini").write_text(SITE.format(upstream))
        settings = {"npm_config_protocol": "http", "npm_config_port": str(upstream), "npm_config_pidfile": f"{folder}/pid"}
        server = ["node", "--no-warnings", TESTS / "server" / "server.mjs"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        programs = [subprocess.Popen(server, env={**os.environ, **settings}, **quiet)]
        command = [program, "serve", folder / "site.ini", "--bind", f"127.0.0.1:{proxy}"]
        programs.append(subprocess.Popen(command, **quiet))
        try:
            for port in (upstream, proxy):
                wait_for(port)
            direct, through = results(upstream), results(proxy)
        finally:
            for process in programs:
                process.terminate()
            for process in programs:
                process.wait(20)
    different = {name: (direct[name], through.get(name)) for name in direct if direct[name] != through.get(name)}
    same = [result for name, result in direct.items() if name not in different]
    passed = same.count("passes")
    print(f"{len(direct)} tests, {len(same)} with the same result: {passed} pass and {len(same) - passed} fail, in both ways")
    print("| test | direct | through the proxy | why |\n|---|---|---|---|")
    for name, (one, other) in different.items():
        print(f"| {name} | {one} | {other} | {KNOWN.get(name, 'NOT KNOWN')} |")
    unknown = different.keys() - KNOWN.keys()
    gone = KNOWN.keys() - different.keys()
    if gone:
        print(f"no difference any more, so remove them from KNOWN: {', '.join(sorted(gone))}")
    if len(direct) != 350 or unknown or gone:
        sys.exit(1)


if __name__ == "__main__":
    main()
