"""Five layers against the bare service over sockets, by turns: wrk for HTTP/1, h2load for HTTP/2. And, for scale, the same five things in Python.

Run by `just load`, which builds the server first. wrk and h2load are from Debian's packages, Paste and gunicorn from pip, into target/python.
"""

import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER = ROOT / "target" / "served" / "load"
VENV = ROOT / "target" / "python"
TURNS, SECONDS = int(os.environ.get("TURNS", "60")), 1
# The headers of a browser.
HEADERS = [line for line in (ROOT / "benches" / "fixtures" / "browser-head.txt").read_text().splitlines()[1:] if ":" in line and not line.lower().startswith("host")]


class Server:
    """On the first core; the client is on the second."""

    def __init__(self, name):
        self.process = subprocess.Popen(["taskset", "-c", "0", SERVER, name], stdout=subprocess.PIPE, text=True)
        self.url = re.match(r"listening on (.*)", self.process.stdout.readline())[1]

    def peak(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1])

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(40) == 0


def wrk(url):
    headers = [part for header in HEADERS for part in ("-H", header)]
    args = ["taskset", "-c", "1", "wrk", "-t1", "-c16", f"-d{SECONDS}s", "--latency", *headers, url + "/hello/John"]
    out = subprocess.run(args, capture_output=True, text=True, check=True).stdout
    assert "Socket errors" not in out and "Non-2xx" not in out, out
    unit = {"us": 1, "ms": 1000, "s": 1_000_000}
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), float(p99[1]) * unit[p99[2]]


def h2load(url):
    headers = [part for header in HEADERS if not header.lower().startswith("connection") for part in ("-H", header)]
    log = ROOT / "target" / "h2load.log"
    log.unlink(missing_ok=True)
    args = ["taskset", "-c", "1", "h2load", "-t1", "-c4", "-m4", "-D", str(SECONDS), "--log-file", log, *headers, url + "/hello/John"]
    out = subprocess.run(args, capture_output=True, text=True, check=True).stdout
    assert re.search(r" 0 failed, 0 errored", out), out
    rate = float(re.search(r"finished in .*?, ([\d.]+) req/s", out)[1])
    micros = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    return rate, micros[len(micros) * 99 // 100]


SIDES = {"bare": "the bare service", "stack": "five layers", "service": "five layers, the first app with a request of its own"}


def by_turns(ask):
    """For each side: rate and p99, and both over the bare service's of the same turn, because a machine is faster at one time and slower at another. Medians. Then the peaks."""
    servers = {name: Server(name) for name in SIDES}
    turns = []
    # The first two turns warm up. The sides take turns in being first.
    for turn in range(TURNS + 2):
        order = list(SIDES) if turn % 2 else list(reversed(SIDES))
        turns.append({name: ask(servers[name].url) for name in order})
    medians = {}
    for name in SIDES:
        rows = [turn[name] + tuple(own / bare for own, bare in zip(turn[name], turn["bare"])) for turn in turns[2:]]
        medians[name] = [statistics.median(column) for column in zip(*rows)]
    peaks = {name: server.peak() for name, server in servers.items()}
    for server in servers.values():
        server.end()
    return medians, peaks


def python():
    if not (VENV / "bin" / "gunicorn").exists():
        venv.create(VENV, with_pip=True)
    subprocess.run([VENV / "bin" / "pip", "install", "--quiet", "gunicorn==23.0.0", "Paste==3.10.1", "setuptools<81"], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    args = [VENV / "bin" / "gunicorn", "--chdir", ROOT / "tests" / "load", "--bind", f"127.0.0.1:{port}", "--workers", "1", "stack:application"]
    server = subprocess.Popen(["taskset", "-c", "0", *args], stderr=subprocess.DEVNULL)
    try:
        time.sleep(3)
        return wrk(f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait()


def main():
    lost = False
    for version, ask in [("HTTP/1", wrk), ("HTTP/2", h2load)]:
        medians, peaks = by_turns(ask)
        for name, text in SIDES.items():
            rate, p99, rate_ratio, p99_ratio = medians[name]
            memory = peaks[name] / peaks["bare"]
            print(f"{version} {text}: {rate:.0f} requests/s ({rate_ratio:.3f}), p99 {p99:.0f} µs ({p99_ratio:.3f}), peak {peaks[name]} KiB ({memory:.3f})")
        _, _, rate_ratio, p99_ratio = medians["stack"]
        lost |= rate_ratio < 0.9 or p99_ratio > 1.3
    rate, p99 = python()
    print(f"for scale, the same in Python under gunicorn, HTTP/1: {rate:.0f} requests/s, p99 {p99:.0f} µs")
    return int(lost)


if __name__ == "__main__":
    sys.exit(main())
