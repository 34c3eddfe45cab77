"""A site that is restarted forty times while its socket stays open, as under systemd: no request is lost.

Run by `just restarts`, which builds the command first. Each client makes a new connection for each
request. Half of them pause before the request, and half send it in two parts.
"""

import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = ROOT / "target" / "release" / "tower-deploy"
RESTARTS, CLIENTS = 40, 8

SITE = """\
[app:main]
use = egg:tower#text
text = hello
"""


class Client(threading.Thread):
    def __init__(self, port, seed):
        super().__init__()
        self.port, self.random = port, random.Random(seed)
        self.over = threading.Event()
        self.good, self.bad = 0, []

    def run(self):
        while not self.over.is_set():
            try:
                response = self.ask()
            except OSError as error:
                response = repr(error).encode()
            if response.startswith(b"HTTP/1.1 200 ") and response.endswith(b"hello"):
                self.good += 1
            else:
                self.bad.append(response)

    def pause(self):
        if self.random.random() < 0.5:
            time.sleep(self.random.random() * 0.002)

    def ask(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            self.pause()
            request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            cut = self.random.choice([0, 20])
            for part in filter(None, [request[:cut], request[cut:]]):
                connection.sendall(part)
                self.pause()
            return b"".join(iter(lambda: connection.recv(4096), b""))


def start(listener, site):
    """Starts the command with the socket as systemd passes it on."""
    number = listener.fileno()
    words = f'exec 3<&{number}; LISTEN_PID=$$ LISTEN_FDS=1 RUST_LOG=warn exec "{COMMAND}" serve "{site}"'
    return subprocess.Popen(["sh", "-c", words], pass_fds=[number], stdout=subprocess.DEVNULL)


def main():
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        site = pathlib.Path(folder) / "site.ini"
        site.write_text(SITE)
        server = start(listener, site)
        clients = [Client(listener.getsockname()[1], seed) for seed in range(CLIENTS)]
        for client in clients:
            client.start()
        codes, longest = set(), 0
        for _ in range(RESTARTS):
            time.sleep(0.3)
            begun = time.monotonic()
            server.send_signal(signal.SIGTERM)
            codes.add(server.wait(60))
            longest = max(longest, time.monotonic() - begun)
            server = start(listener, site)
        for client in clients:
            client.over.set()
        for client in clients:
            client.join()
        server.send_signal(signal.SIGTERM)
        codes.add(server.wait(60))
    good, bad = sum(client.good for client in clients), [each for client in clients for each in client.bad]
    print(f"{RESTARTS} restarts: {good} requests, {len(bad)} failed {bad[:5]}; the longest end took {longest:.2f} s")
    return 0 if good > 1000 and not bad and codes == {0} else 1


if __name__ == "__main__":
    sys.exit(main())
