"""What idle connections cost: resident memory for each, and what stays after they are closed.

Run by `just idle`, which builds the servers first. Each server gets 5,000 connections, and one
request on each. glibc keeps freed memory by default, so tower-serve is measured again with the
settings of docs/running.md: those of glibc, and jemalloc (Debian's libjemalloc2) if it is
installed. `--connections` sets their number, and `--pause` the seconds after they are closed. Other
servers are given as `NAME=COMMAND`; they have to report `listening on http://HOST:PORT`.
"""

import argparse
import pathlib
import re
import resource
import shlex
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target" / "served" / "idle"
# From docs/running.md.
GIVE_BACK = "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1"
JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
DECAY = "dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true"
# Descriptors besides those of the connections.
SPARE = 200


class Server:
    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in self.process.stdout:
            found = re.search(r"listening on http://([\d.]+):(\d+)", line)
            if found:
                self.address = (found[1], int(found[2]))
                return
        raise SystemExit(f"{command} does not listen")

    def resident(self):
        """Returns KiB. Unlike `status`, this file has exact figures."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Rss:\s+(\d+)", text, re.M)[1])

    def end(self):
        self.process.terminate()
        self.process.wait(40)


def ask(connection):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    assert received.startswith(b"HTTP/1.1 200"), received


def few(server):
    """Makes some requests, each on a connection of its own."""
    for _ in range(100):
        with socket.create_connection(server.address) as connection:
            ask(connection)
    time.sleep(1)


def measure(command, options):
    server = Server(command)
    try:
        # The first ones warm up.
        few(server)
        before = server.resident()
        connections = []
        for _ in range(options.connections):
            connections.append(socket.create_connection(server.address))
            ask(connections[-1])
        time.sleep(1)
        idle = server.resident()
        for connection in connections:
            connection.close()
        time.sleep(options.pause)
        # Some allocators give back what is free when they are called again.
        few(server)
        after = server.resident()
    finally:
        server.end()
    return before, idle, after


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--pause", type=float, default=3)
    parser.add_argument("others", nargs="*", metavar="NAME=COMMAND")
    options = parser.parse_args()

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = options.connections + SPARE
    if most != resource.RLIM_INFINITY and most < needed:
        raise SystemExit(f"{needed} open files are needed, and at most {most} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))

    servers = {
        "hyper": [PROGRAM, "bare"],
        "tower-serve": [PROGRAM, "served"],
        "the same, tuned": ["env", f"GLIBC_TUNABLES={GIVE_BACK}", PROGRAM, "served"],
    }
    if pathlib.Path(JEMALLOC).exists():
        env = ["env", f"LD_PRELOAD={JEMALLOC}", f"MALLOC_CONF={DECAY}"]
        servers["hyper, jemalloc"] = [*env, PROGRAM, "bare"]
        servers["the same, jemalloc"] = [*env, PROGRAM, "served"]
    for other in options.others:
        name, _, command = other.partition("=")
        servers[name] = shlex.split(command)
    print(f"{'':20} {'KiB each':>9} {'before':>9} {'idle':>9} {'closed':>9}  (MiB)")
    for name, command in servers.items():
        before, idle, after = measure(command, options)
        each = (idle - before) / options.connections
        figures = " ".join(f"{kib / 1024:9.1f}" for kib in (before, idle, after))
        print(f"{name:20} {each:9.2f} {figures}", flush=True)


main()
