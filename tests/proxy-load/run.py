"""tower-upstream beside nginx, HAProxy and the smallest forwarder of hyper and hyper-util.

Run by `just proxy-load`, which builds the programs first. nginx, haproxy and h2load are from
Debian's packages nginx, haproxy and nghttp2-client. The proxy has the first core. The client and the
upstream, an nginx, share the second one. So where both cores are busy, the rate is that of the
slower one, and the CPU time of each request tells the proxies apart. Further proxies are compared by
`NAME=PROGRAM`: a proxy-load of another commit.

Where a request is late, something has mostly stopped a whole core, and all 64 requests are late
together. The machine does that to all proxies alike, but not in each second as often. So over HTTP/1
a client goes round between them in slices of 80 ms, keeps the time of each response, and takes the
percentiles of all slices together. A second line has them without the responses that were under way
while no response came for a millisecond.
"""

import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import peers

# The seconds of HTTP/1, and the turns of a second of HTTP/2.
SECONDS = int(os.environ.get("HTTP1_SECONDS", "30"))
TURNS = int(os.environ.get("TURNS", "12"))
ONLY = os.environ.get("ONLY", "")
LENGTH = 1024


def h2load(url):
    with tempfile.NamedTemporaryFile() as log:
        command = ["taskset", "-c", "1", "h2load", "-t1", "-c16", "-m4", "-D", "1", f"--log-file={log.name}", url]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        lines = pathlib.Path(log.name).read_text().split("\n")
    assert " 0 failed, 0 errored" in out, out
    late = sorted(int(line.split("\t")[2]) for line in lines if line)
    rate = float(re.search(r"finished in .*?, ([\d.]+) req/s", out)[1])
    return rate, *(late[len(late) * part // 100] / 1000 for part in (90, 99))


def in_turn(server):
    """Returns the rate, the microseconds of CPU for each request, the 90th and the 99th percentile in ms, and the share of the time that it was busy."""
    began, before = time.monotonic(), server.seconds()
    rate, early, late = h2load(f"{server.urls[1]}/")
    taken = server.seconds() - before
    assert rate, f"{server.process.args} responds to nothing"
    return rate, 1e6 * taken / rate, early, late, taken / (time.monotonic() - began)


def http1(servers, upstream):
    seconds = {key: server.seconds() for key, server in servers.items()}
    client, of_upstream = resource.getrusage(resource.RUSAGE_CHILDREN), upstream.seconds()
    urls = [f"{key}={server.urls[0].removeprefix('http://')}" for key, server in servers.items()]
    command = ["taskset", "-c", "1", peers.PROGRAM, "turns", str(SECONDS), *urls]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {row["name"]: row for row in map(json.loads, out.splitlines())}
    whole = sum(row["seconds"] for row in found.values())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = after.ru_utime + after.ru_stime - client.ru_utime - client.ru_stime
    of_upstream = upstream.seconds() - of_upstream
    print(f"HTTP/1 second core: {100 * client / whole:.0f} % the client, {100 * of_upstream / whole:.0f} % the upstream")
    for key, row in found.items():
        taken = servers[key].seconds() - seconds[key]
        micros = 1e6 * taken / row["requests"]
        print(f"HTTP/1 {key:12} {micros:5.1f} µs of CPU for a request, {100 * taken / row['seconds']:3.0f} % busy; {row['stops']:.0f} stops in a second")
        for label in ("all", "awake"):
            row_of, base = row[label], found["nginx"][label]
            print(f"HTTP/1 {key:12} {label:5} {row_of['rate']:7.0f} requests/s: {row_of['rate'] / base['rate']:.3f} of nginx, {row_of['rate'] / found['haproxy'][label]['rate']:.3f} of HAProxy; ", end="")
            print("; ".join(f"{name} {row_of[name]:.2f} ms: {row_of[name] / base[name]:.2f}" for name in ("p50", "p90", "p99", "p99.9")))
        parts = [(part["rate"] / base["rate"], part["p99"] / base["p99"]) for part, base in zip(row["parts"], found["nginx"]["parts"])]
        print(f"HTTP/1 {key:12} parts of the run, rate of nginx: {' '.join(f'{rate:.2f}' for rate, _ in parts)}; p99 of nginx: {' '.join(f'{late:.2f}' for _, late in parts)}", flush=True)
    rates = {key: row["all"]["rate"] for key, row in found.items()}
    return fits(1, rates, found["ours"]["all"]["p99"] / found["nginx"]["all"]["p99"])


def http2(servers):
    turns = []
    # The first turn is to warm up. Each turn begins with another server.
    for turn in range(TURNS + 1):
        order = list(servers)
        order = order[turn % len(order) :] + order[: turn % len(order)]
        turns.append({key: in_turn(servers[key]) for key in order})
    rates, late = {}, {}
    for key in servers:
        def ratio(peer, at):
            return statistics.median(turn[key][at] / turn[peer][at] for turn in turns[1:])

        def calm(peer, at):
            return statistics.quantiles((turn[peer][at] for turn in turns[1:]), n=4)[0]

        rates[key], micros, _, _, share = (statistics.median(turn[key][at] for turn in turns[1:]) for at in range(5))
        late[key] = calm(key, 3) / calm("nginx", 3)
        print(
            f"HTTP/2 {key:12} {rates[key]:7.0f} requests/s: {ratio('nginx', 0):5.2f} of nginx, {ratio('haproxy', 0):5.2f} of HAProxy;"
            f" {micros:6.1f} µs of CPU each ({100 * share:3.0f} % busy); in the calmest quarter of the turns,"
            f" 90 % within {calm(key, 2):5.2f} ms: {calm(key, 2) / calm('nginx', 2):5.2f} of nginx; 99 % within {calm(key, 3):5.2f} ms: {late[key]:5.2f} of nginx",
            flush=True,
        )
    return fits(2, rates, late["ours"])


def fits(version, rates, late):
    """Compares a version with what is expected of it."""
    found = late <= 1.3
    for peer, least in [("nginx", 0.9), ("haproxy", 0.7)]:
        # Where hyper itself is slower than nginx, it is the measure.
        least = min(least, 0.95 * rates["forwarder"] / rates[peer]) if rates["forwarder"] < rates["nginx"] else least
        is_fast = rates["ours"] >= least * rates[peer]
        found &= is_fast
        print(f"HTTP/{version} at least {least:.2f} of {peer}: {'yes' if is_fast else 'no'}")
    print(f"HTTP/{version} 99th percentile at most 1.30 of nginx: {'yes' if late <= 1.3 else 'no'}", flush=True)
    return found


def main():
    others = dict(argument.split("=", 1) for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        # The worker of nginx has a user of its own.
        directory.chmod(0o755)
        everything, servers = [], {}

        def started(server):
            everything.append(server)
            return server

        try:
            upstream = started(peers.nginx_upstream(directory, 1, LENGTH))
            url = upstream.urls[0]
            servers["nginx"] = started(peers.nginx(directory, 0, [url]))
            servers["haproxy"] = started(peers.haproxy(directory, 0, [url]))
            servers["forwarder"] = started(peers.forwarder(0, url))
            servers["ours"] = started(peers.ours(0, [url]))
            for name, program in others.items():
                servers[name] = started(peers.ours(0, [url], program))
            found = True
            if ONLY in "HTTP/1":
                found &= http1(servers, upstream)
            if ONLY in "HTTP/2":
                found &= http2(servers)
            peaks = {key: server.peak() for key, server in servers.items()}
            for key, peak in peaks.items():
                print(f"{key:14} {peak:6.1f} MiB at most: {peak / peaks['nginx']:5.2f} of nginx")
            found &= peaks["ours"] <= 2 * peaks["nginx"]
        finally:
            for server in everything:
                server.end()
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
