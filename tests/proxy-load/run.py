"""tower-upstream beside nginx, HAProxy and the smallest forwarder of hyper and hyper-util, by turns.

Run by `just proxy-load`, which builds the programs first. nginx, haproxy, wrk and h2load are from
Debian's packages nginx, haproxy, wrk and nghttp2-client. The proxy has the first core. The client
and the upstream, an nginx, share the second one. So where both cores are busy, the rate is that of
the slower one, and the CPU time of each request tells the proxies apart. Further proxies are
compared by `NAME=PROGRAM`: a proxy-load of another commit.

Where a request is late, something has mostly stopped a whole core, and all 64 requests are late
together. The machine does that to all proxies alike, but not in each turn as often: of two turns of
a second, one may have half the 99th percentile of the other. So there are many short turns, of each
proxy the calmest quarter counts, and the run begins with a count of the stops of a program that
only reads the clock.
"""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import peers

TURNS = int(os.environ.get("TURNS", "12"))
ONLY = os.environ.get("ONLY", "")
SECONDS = int(os.environ.get("SECONDS_EACH", "1"))
LENGTH = 1024
# Reads the clock for a second, and prints how often and for how long it was stopped.
CLOCK = """
import time
found, now = [], time.perf_counter()
end = now + 1
while now < end:
    before, now = now, time.perf_counter()
    if now - before > 0.0005:
        found.append(1000 * (now - before))
print(len(found), sum(found), max(found, default=0))
"""


def stops():
    """Counts what stops a program on each core while both are busy."""
    programs = [subprocess.Popen(["taskset", "-c", str(core), sys.executable, "-c", CLOCK], text=True, stdout=subprocess.PIPE) for core in (0, 1)]
    for core, program in enumerate(programs):
        number, total, longest = program.communicate()[0].split()
        print(f"core {core}: {number} stops of over 0.5 ms in a second, {float(total):.1f} ms together, {float(longest):.1f} ms the longest", flush=True)


def wrk(url):
    command = ["taskset", "-c", "1", "wrk", "-t1", "-c64", "--latency", f"-d{SECONDS}s", url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Socket errors" not in out and "Non-2xx" not in out, out
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    late = [re.search(rf"{part}%\s+([\d.]+)(us|ms|s)", out).groups() for part in (90, 99)]
    return rate, *(float(time) * {"us": 0.001, "ms": 1, "s": 1000}[unit] for time, unit in late)


def h2load(url):
    with tempfile.NamedTemporaryFile() as log:
        command = ["taskset", "-c", "1", "h2load", "-t1", "-c16", "-m4", "-D", str(SECONDS), f"--log-file={log.name}", url]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        lines = pathlib.Path(log.name).read_text().split("\n")
    assert " 0 failed, 0 errored" in out, out
    late = sorted(int(line.split("\t")[2]) for line in lines if line)
    rate = float(re.search(r"finished in .*?, ([\d.]+) req/s", out)[1])
    return rate, *(late[len(late) * part // 100] / 1000 for part in (90, 99))


def in_turn(server, ask, url):
    """Returns the rate, the microseconds of CPU for each request, the 90th and the 99th percentile in ms, and the share of the time that it was busy."""
    began, before = time.monotonic(), server.seconds()
    rate, early, late = ask(url)
    taken = server.seconds() - before
    count = rate * SECONDS
    assert count, f"{server.process.args} responds to nothing"
    share = taken / (time.monotonic() - began)
    return rate, 1e6 * taken / count, early, late, share


def compare(version, ask, servers):
    turns = []
    # The first turn is to warm up. Each turn begins with another server.
    for turn in range(TURNS + 1):
        order = list(servers)
        order = order[turn % len(order) :] + order[: turn % len(order)]
        turns.append({key: in_turn(servers[key], ask, f"{servers[key].urls[version - 1]}/") for key in order})
    rows = {}
    for key in servers:
        def ratio(peer, at):
            return statistics.median(turn[key][at] / turn[peer][at] for turn in turns[1:])

        def calm(peer, at):
            return statistics.quantiles((turn[peer][at] for turn in turns[1:]), n=4)[0]

        rate, micros, _, _, share = (statistics.median(turn[key][at] for turn in turns[1:]) for at in range(5))
        rows[key] = {peer: ratio(peer, 0) for peer in servers}
        rows[key]["p90"], rows[key]["p99"] = (calm(key, at) / calm("nginx", at) for at in (2, 3))
        rows[key]["cpu"] = {peer: 1 / ratio(peer, 1) for peer in servers}
        print(
            f"HTTP/{version} {key:14} {rate:8.0f} requests/s: {rows[key]['nginx']:5.2f} of nginx, {rows[key]['haproxy']:5.2f} of HAProxy;"
            f" {micros:6.1f} µs of CPU each ({100 * share:3.0f} % busy): {rows[key]['cpu']['nginx']:5.2f} of nginx, {rows[key]['cpu']['haproxy']:5.2f} of HAProxy;"
            f" 90 % within {calm(key, 2):5.2f} ms: {rows[key]['p90']:5.2f} of nginx; 99 % within {calm(key, 3):5.2f} ms: {rows[key]['p99']:5.2f} of nginx"
            f" (median of all turns {ratio('nginx', 3):5.2f})",
            flush=True,
        )
        # The CPU time hardly depends on what else the machine does.
        each = " ".join(f"{turn[key][1]:.1f}" for turn in turns[1:])
        print(f"HTTP/{version} {key:14} µs of CPU each, by turns: {each}", flush=True)
        each = " ".join(f"{turn[key][3]:.2f}" for turn in turns[1:])
        print(f"HTTP/{version} {key:14} 99 % within these ms, by turns: {each}", flush=True)
    bare = rows["forwarder"]
    fits = True
    for peer, least in [("nginx", 0.9), ("haproxy", 0.7)]:
        # Where hyper itself is slower than nginx, it is the measure.
        least = min(least, 0.95 * bare[peer]) if bare["nginx"] < 1 else least
        fits &= rows["ours"][peer] >= least
        print(f"HTTP/{version} at least {least:.2f} of {peer}: {'yes' if rows['ours'][peer] >= least else 'no'}")
    fits &= rows["ours"]["p99"] <= 1.3
    print(f"HTTP/{version} 99th percentile at most 1.30 of nginx: {'yes' if rows['ours']['p99'] <= 1.3 else 'no'}", flush=True)
    return fits


def main():
    others = dict(argument.split("=", 1) for argument in sys.argv[1:])
    stops()
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        # The worker of nginx has a user of its own.
        directory.chmod(0o755)
        everything, servers = [], {}

        def started(server):
            everything.append(server)
            return server

        try:
            upstream = started(peers.nginx_upstream(directory, 1, LENGTH)).urls[0]
            servers["nginx"] = started(peers.nginx(directory, 0, [upstream]))
            servers["haproxy"] = started(peers.haproxy(directory, 0, [upstream]))
            servers["forwarder"] = started(peers.forwarder(0, upstream))
            servers["ours"] = started(peers.ours(0, [upstream]))
            for name, program in others.items():
                servers[name] = started(peers.ours(0, [upstream], program))
            fits = True
            for version, ask in [(1, wrk), (2, h2load)]:
                if ONLY in f"HTTP/{version}":
                    fits &= compare(version, ask, servers)
            peaks = {key: server.peak() for key, server in servers.items()}
            for key, peak in peaks.items():
                print(f"{key:14} {peak:6.1f} MiB at most: {peak / peaks['nginx']:5.2f} of nginx")
            fits &= peaks["ours"] <= 2 * peaks["nginx"]
        finally:
            for server in everything:
                server.end()
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
