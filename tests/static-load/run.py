"""tower-static against nginx and against a bare hyper, by turns: wrk for HTTP/1, h2load for HTTP/2.

Run by `just static-load`, which builds the servers first. nginx, wrk and h2load are from Debian's
packages nginx, wrk and nghttp2-client. Each server has one worker on the first core, and the client
is on the second one. Further servers are compared by `NAME=PROGRAM`: a tower-deploy, or a static-load
of another commit.
"""

import copy
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVED = ROOT / "target" / "served"
TURNS = int(os.environ.get("TURNS", "7"))
ONLY = os.environ.get("ONLY", "")
SECONDS = int(os.environ.get("SECONDS_EACH", "2"))
FILES = {"1k.bin": 1 << 10, "100k.bin": 100 << 10}

# The name, the file, whether the client has it, and the least of nginx's rate, which is 0.95 of bare
# hyper's where that is below 1.25 times nginx's.
HTTP_1 = [("1 KiB", "1k.bin", False, 0.8), ("100 KiB", "100k.bin", False, 1.1), ("304", "1k.bin", True, 0.8)]
HTTP_2 = [("1 KiB", "1k.bin", False, 0.7), ("100 KiB", "100k.bin", False, 1.0)]

NGINX = """
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    default_type application/octet-stream;
    {paths}
    root {directory}/www;
    server {{ listen 127.0.0.1:{http1}; }}
    server {{ listen 127.0.0.1:{http2} http2; }}
    server {{ listen 127.0.0.1:{http1_log}; access_log {directory}/nginx.log; }}
    server {{ listen 127.0.0.1:{http2_log} http2; access_log {directory}/nginx.log; }}
    server {{ listen 127.0.0.1:{http1_copy}; sendfile off; }}
    server {{ listen 127.0.0.1:{http2_copy} http2; sendfile off; }}
}}
"""

DEPLOY = """
[app:main]
use = egg:tower#static
document_root = %(here)s/www
[server:main]
use = egg:tower#http
port = {port}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server on the first core, and its URLs for HTTP/1 and HTTP/2."""

    def __init__(self, command, urls=None, **options):
        self.process = subprocess.Popen(["taskset", "-c", "0", *command], text=True, **options)
        if urls is None:
            line = self.process.stdout.readline()
            urls = [re.match(r"listening on (\S+)", line)[1]] * 2
        self.urls = urls
        address = re.match(r"http://(.*):(\d+)", urls[0])
        for _ in range(100):
            try:
                socket.create_connection((address[1], int(address[2]))).close()
                break
            except OSError:
                time.sleep(0.05)

    def seconds(self):
        """Returns the CPU time that it has taken, with its workers."""
        process = pathlib.Path(f"/proc/{self.process.pid}")
        workers = (process / "task" / process.name / "children").read_text().split()
        tasks = [task for name in [process.name, *workers] for task in pathlib.Path(f"/proc/{name}/task").iterdir()]
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(40)


def nginx(directory):
    """Returns nginx as Debian has it, but without a log; and with it; and without sendfile."""
    kinds = ["", "_log", "_copy"]
    ports = {f"http{version}{kind}": free_port() for kind in kinds for version in (1, 2)}
    names = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    paths = " ".join(f"{name}_temp_path {directory}/{name};" for name in names)
    (directory / "nginx.conf").write_text(NGINX.format(directory=directory, paths=paths, **ports))
    urls = [[f"http://127.0.0.1:{ports[f'http{version}{kind}']}" for version in (1, 2)] for kind in kinds]
    # It is in sbin, which a user may not have in the path.
    path = os.environ["PATH"] + ":/usr/sbin"
    command = ["nginx", "-p", str(directory), "-c", "nginx.conf"]
    server = Server(command, urls[0], env={**os.environ, "PATH": path})
    others = [copy.copy(server) for _ in urls[1:]]
    for other, other_urls in zip(others, urls[1:]):
        other.urls = other_urls
    return server, *others


def deploy(program, directory):
    port = free_port()
    # A file for each, beside the directory that is served.
    file = directory / f"{port}.ini"
    file.write_text(DEPLOY.format(port=port))
    with open(os.devnull, "w") as null:
        urls = [f"http://127.0.0.1:{port}"] * 2
        return Server([program, "serve", str(file)], urls, stdout=null, stderr=null)


def other(program, directory):
    if "deploy" in pathlib.Path(program).name:
        return deploy(program, directory)
    return Server([program, "files", str(directory / "www")], stdout=subprocess.PIPE)


def wrk(url, headers):
    command = ["taskset", "-c", "1", "wrk", "-t1", "-c16", f"-d{SECONDS}s", *headers, url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Socket errors" not in out and "Non-2xx" not in out, out
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def h2load(url, headers):
    command = ["taskset", "-c", "1", "h2load", "-t1", "-c4", "-m4", "-D", str(SECONDS), *headers, url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert " 0 failed, 0 errored" in out, out
    return float(re.search(r"finished in .*?, ([\d.]+) req/s", out)[1])


def etag(url):
    """Returns the tag, which has to be the server's own."""
    out = subprocess.run(["curl", "-sI", url], capture_output=True, text=True, check=True).stdout
    return re.search(r"(?i)^etag: (.*?)\r?$", out, re.MULTILINE)[1]


def in_turn(server, ask, url, headers):
    """Returns the rate, and the rate if the server had its core for itself all the time."""
    began, before = time.monotonic(), server.seconds()
    rate = ask(url, headers)
    taken = server.seconds() - before
    assert rate, f"{server.process.args} responds to nothing"
    return rate, rate * (time.monotonic() - began) / taken


def compare(name, file, is_known, least, servers, ask, version):
    turns = []
    # The first turn is to warm up. Each turn begins with another server.
    for turn in range(TURNS + 1):
        order = list(servers)
        order = order[turn % len(order) :] + order[: turn % len(order)]
        found = {}
        for key in order:
            server = servers[key]
            headers = ["-H", f"If-None-Match: {etag(server.urls[0] + '/' + file)}"] if is_known else []
            found[key] = in_turn(server, ask, f"{server.urls[version - 1]}/{file}", headers)
        turns.append(found)
    ratios = {}
    for key in servers:
        rows = [(turn[key], turn["nginx"]) for turn in turns[1:]]
        rate = statistics.median(own[0] for own, _ in rows)
        micros = statistics.median(1e6 / own[1] for own, _ in rows)
        ratios[key], by_cpu = (statistics.median(own[at] / nginx[at] for own, nginx in rows) for at in (0, 1))
        print(f"HTTP/{version} {name:8} {key:14} {rate:9.0f} requests/s {ratios[key]:6.2f} of nginx; {micros:7.1f} µs of CPU each: {by_cpu:6.2f} of nginx", flush=True)
    least = 0.95 * ratios["hyper"] if ratios["hyper"] < 1.25 else least
    fits = ratios["files"] >= least
    print(f"HTTP/{version} {name:8} at least {least:.2f}: {'yes' if fits else 'no'}", flush=True)
    return fits


def main():
    others = dict(argument.split("=", 1) for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        # The worker of nginx has a user of its own.
        directory.chmod(0o755)
        (directory / "www").mkdir()
        for name, length in FILES.items():
            (directory / "www" / name).write_bytes(b"x" * length)
        everything, servers = [], {}

        def started(server):
            everything.append(server)
            return server

        try:
            program = str(SERVED / "static-load")
            servers["nginx"], servers["nginx, log"], servers["nginx, copies"] = nginx(directory)
            started(servers["nginx"])
            servers["files"] = started(other(program, directory))
            for name, path in others.items():
                servers[name] = started(other(path, directory))
            memory = {file: {} for file in FILES}
            for file, length in FILES.items():
                for name, mode in [("hyper", "memory"), ("tower-serve", "served")]:
                    command = [program, mode, str(length)]
                    memory[file][name] = started(Server(command, stdout=subprocess.PIPE))
            fits = True
            for version, ask, rows in [(1, wrk, HTTP_1), (2, h2load, HTTP_2)]:
                for name, file, is_known, least in rows:
                    if ONLY not in f"HTTP/{version} {name}":
                        continue
                    all_of_them = {**servers, **memory[file]}
                    fits &= compare(name, file, is_known, least, all_of_them, ask, version)
        finally:
            for server in everything:
                server.end()
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
