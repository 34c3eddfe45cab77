"""Kept connections that the upstream closes under load, and an upstream that is killed.

Run by `just kept`, which builds the programs first; nginx and haproxy are from Debian's packages.
For each proxy, GETS requests and then POSTS requests go to an upstream that closes all idle
connections every 50 milliseconds. The client counts what fails, and the upstream counts what comes
twice. Then one upstream of two is killed under load and comes back, which `killed` alone runs, too.
Other arguments choose among `ours`, `nginx` and `haproxy`.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import peers

GETS = int(os.environ.get("GETS", "1000000"))
POSTS = int(os.environ.get("POSTS", "100000"))
PERIOD = "50"
NEVER = "1000000"


def upstream(port, period):
    return peers.Server([peers.PROGRAM, "upstream", str(port), period], 1)


def counts(url):
    """Returns the number of POSTs that came twice, of POSTs, and of all requests."""
    with urllib.request.urlopen(url + "/counts", timeout=5) as response:
        return [int(word) for word in response.read().split()]


def client(url, method, count):
    command = ["taskset", "-c", "1", peers.PROGRAM, "client", url, method, str(count), "64"]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE)


def started(name, directory, urls):
    match name:
        case "ours":
            return peers.ours(0, urls)
        case "nginx":
            return peers.nginx(directory, 0, urls)
        case "haproxy":
            return peers.haproxy(directory, 0, urls)


def closes_idle_ones(name, directory):
    everything = [upstream(peers.free_port(), PERIOD)]
    url = everything[0].urls[0]
    try:
        proxy = started(name, directory, [url])
        everything.append(proxy)
        gets = client(proxy.urls[0], "GET", GETS).communicate()[0].strip()
        print(f"{name:8} GET:  {gets}", flush=True)
        posts = client(proxy.urls[0], "POST", POSTS).communicate()[0].strip().replace("\n", "; ")
        twice, of, _ = counts(url)
        print(f"{name:8} POST: {posts}; {twice} came twice, {of} came", flush=True)
        return gets.startswith(f"200: {GETS} ") and twice == 0
    finally:
        for server in everything:
            server.end()


def killed(name, directory):
    ports = [peers.free_port(), peers.free_port()]
    upstreams = [upstream(port, NEVER) for port in ports]
    urls = [server.urls[0] for server in upstreams]
    proxy = started(name, directory, urls)
    try:
        load = client(proxy.urls[0], "POST", 6 * POSTS)
        time.sleep(1)
        upstreams[0].end(kill=True)
        time.sleep(2)
        upstreams[0] = upstream(ports[0], NEVER)
        back = time.monotonic()
        while counts(urls[0])[2] == 0 and time.monotonic() < back + 5:
            time.sleep(0.01)
        healed = time.monotonic() - back
        time.sleep(1)
        shares = [counts(url)[2] for url in urls]
        out = load.communicate()[0].strip().replace("\n", "; ")
        print(f"{name:8} killed: POST: {out}; a request {healed:.2f} s after its return; then {shares} requests each", flush=True)
        # Of 64 requests under way, about half are at each of the two.
        failed = sum(int(part.split(": ")[1].split(" ")[0]) for part in out.split(" in ")[0].split(", ") if not part.startswith("200"))
        return failed <= 64 and healed < 1
    finally:
        for server in [proxy, *upstreams]:
            server.end()


def main():
    asked = sys.argv[1:] or ["ours", "nginx", "haproxy", "killed"]
    names = [name for name in asked if name != "killed"] or ["ours", "nginx", "haproxy"]
    checks = [closes_idle_ones] * (asked != ["killed"]) + [killed] * ("killed" in asked)
    fits = True
    for check in checks:
        for name in names:
            with tempfile.TemporaryDirectory() as directory:
                directory = pathlib.Path(directory)
                directory.chmod(0o755)
                fine = check(name, directory)
                fits &= fine or name != "ours"
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
