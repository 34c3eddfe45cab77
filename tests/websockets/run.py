"""WebSockets, direct and through tower-upstream: every case has to have the same result.

Echo servers and clients are those of Python's websockets, node's ws and tungstenite. Each client
runs the cases of cases.py against each server: direct, through the proxy over HTTP/1, and through
the proxy over HTTP/2 with extended CONNECT. Headless Chromium opens one over TLS and HTTP/2.

Run by `just websockets`, which builds the programs first. websockets comes from pip and ws from
npm, into target/websockets. Arguments choose parts: python, node, tungstenite, browser.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOOLS = ROOT / "target" / "websockets"
PYTHON = TOOLS / "venv" / "bin" / "python"
PROGRAM = ROOT / "target" / "debug" / "websockets"
PARTS = ("python", "node", "tungstenite")
sys.path.insert(0, str(HERE))
from cases import cases  # noqa: E402

SERVERS = {
    "python": [PYTHON, HERE / "server.py"],
    "node": ["node", TOOLS / "server.mjs"],
    "tungstenite": [PROGRAM, "server"],
}
CLIENTS = {
    "python": [PYTHON, HERE / "client.py"],
    "node": ["node", TOOLS / "client.mjs"],
    "tungstenite": [PROGRAM, "client"],
}


def tools():
    if not PYTHON.exists():
        venv.create(TOOLS / "venv", with_pip=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "websockets==17.4"], check=True)
    if not (TOOLS / "node_modules" / "ws").exists():
        subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", TOOLS, "ws@8.23.0"], check=True)
    # node looks for modules beside the program.
    for name in ("server.mjs", "client.mjs"):
        shutil.copy(HERE / name, TOOLS)


class Program:
    """A program that prints its port first."""

    def __init__(self, *args):
        self.lines = []
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        self.lines.extend(map(str.strip, self.process.stdout))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


def results(client, port, file):
    """The result of each case, by its name."""
    command = [*CLIENTS[client], f"ws://127.0.0.1:{port}", file]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=1800)
    if done.returncode:
        sys.exit(f"the client of {client} failed")
    return dict(json.loads(line) for line in done.stdout.splitlines())


def is_whole(case, result):
    """Whether a result shows that the case was run: a comparison alone would take two failures for
    the same."""
    if "refused" in result:
        return case["path"].startswith("/refuse/") or bool(case["protocols"])
    received = [step[1] for step in case["steps"] if step[0] == "recv"]
    enough = len(result["messages"]) >= max(received, default=0)
    pongs = all(came for _, came in result["pongs"])
    return result["ended"] and enough and pongs and "late" not in result and result["close"]


def compare(server, client, ways, file, table):
    """The cases that go wrong, or whose result depends on the way."""
    start = time.monotonic()
    seen = {way: results(client, port, file) for way, port in ways.items()}
    wrong = []
    for case in table:
        direct = seen["direct"].get(case["name"])
        if not direct or not is_whole(case, direct):
            wrong.append(f"{case['name']}: direct: {direct}")
        for way, found in seen.items():
            if found.get(case["name"]) != direct:
                wrong.append(f"{case['name']}: {way}: {found.get(case['name'])}, but direct: {direct}")
    took = time.monotonic() - start
    print(f"| {client} | {server} | {len(table)} | {len(ways) - 1} | {len(wrong)} | {took:.0f} s |", flush=True)
    for line in wrong:
        print(f"  {line[:600]}", flush=True)
    return len(wrong)


def matrix(parts, folder):
    table = list(cases())
    names = {case["name"] for case in table}
    assert len(names) == len(table) >= 80, "two cases have one name"
    file = folder / "cases.json"
    file.write_text(json.dumps(table))
    print("| client | server | cases | ways through the proxy | with another result | time |")
    print("|---|---|---|---|---|---|")
    failed = 0
    for server in PARTS:
        with Program(*SERVERS[server]) as echo:
            with Program(PROGRAM, "proxy", f"http://127.0.0.1:{echo.port}") as proxy:
                with Program(PROGRAM, "bridge", f"127.0.0.1:{proxy.port}") as bridge:
                    ways = {"direct": echo.port, "HTTP/1": proxy.port, "HTTP/2": bridge.port}
                    for client in parts:
                        before = len(proxy.lines)
                        failed += compare(server, client, ways, file, table)
                        time.sleep(0.2)
                        lines = proxy.lines[before:]
                        for start in ("GET HTTP/1.1 /", "CONNECT HTTP/2.0 "):
                            count = sum(line.startswith(start) for line in lines)
                            if count != len(table):
                                failed += 1
                                print(f"  {count} requests began with {start}")
    return failed


def browser(folder):
    """A page over TLS opens a WebSocket. Chromium uses the HTTP/2 connection, as it is announced."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", key, "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(command, check=True, capture_output=True)
    with Program(*SERVERS["python"]) as echo:
        with Program(PROGRAM, "proxy", f"http://127.0.0.1:{echo.port}", certificate, key) as proxy:
            command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors"]
            command += [f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0"]
            page = f"https://localhost:{proxy.port}/page"
            chromium = subprocess.Popen([*command, page], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not any("/result?" in line for line in proxy.lines):
                time.sleep(0.1)
            chromium.terminate()
            chromium.wait(20)
            lines = list(proxy.lines)
    expected = "4%20messages%2C%20protocol%20b%2C%20close%204001%20bye"
    is_same = any(line.endswith("/result?" + expected) for line in lines)
    is_http_2 = [line for line in lines if line.startswith("CONNECT HTTP/2.0 ") and line.endswith("/echo")]
    has_other = any(line.startswith("GET") and line.endswith("/echo") for line in lines)
    if is_same and len(is_http_2) == 1 and not has_other:
        print("Chromium: four messages, a subprotocol and a close code, over HTTP/2")
        return 0
    print("Chromium:", *lines, sep="\n  ")
    return 1


def main():
    parts = sys.argv[1:] or [*PARTS, "browser"]
    tools()
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if chosen := [part for part in PARTS if part in parts]:
            failed += matrix(chosen, folder)
        if "browser" in parts:
            failed += browser(folder)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
