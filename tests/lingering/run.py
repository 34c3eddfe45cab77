"""Clients upload to a server that responds 413 without reading, and count the 413s that they see.

Run by `just lingering`, which builds the server first. `--count` sets the number of uploads of each
client, `--bytes` their size, `--program` another server, and `--python` a Python that has httpx.
Clients that are not installed are left out, and the table says so.
"""

import argparse
import http.client
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target" / "debug" / "lingering"

NODE = """\
const [url, bytes, count] = process.argv.slice(1);
const body = Buffer.alloc(Number(bytes), "x");
let seen = 0;
for (let i = 0; i < Number(count); i++) {
  try {
    const response = await fetch(url, { method: "POST", body });
    if (response.status === 413 && (await response.text()) === "too large\\n") seen++;
  } catch {}
}
console.log(seen);
"""

HTTPX = """\
import sys, httpx
url, bytes, count, version = sys.argv[1:]
body, seen = b"x" * int(bytes), 0
for _ in range(int(count)):
    with httpx.Client(http1=version == "1", http2=version == "2", timeout=30) as client:
        try:
            response = client.post(url, content=body)
            seen += response.status_code == 413 and response.text == "too large\\n"
        except httpx.HTTPError:
            pass
print(seen)
"""


def curl(address, upload, count, *options):
    """Each curl has a connection of its own. Its exit status counts too: it must be 0."""
    seen = 0
    for _ in range(count):
        command = ["curl", "-s", "-w", "%{http_code}", "--data-binary", f"@{upload}", *options]
        done = subprocess.run([*command, f"http://{address}/"], capture_output=True, text=True)
        seen += done.stdout == "too large\n413" and done.returncode == 0
    return seen


def python(address, upload, count):
    body, seen = upload.read_bytes(), 0
    for _ in range(count):
        connection = http.client.HTTPConnection(address, timeout=60)
        try:
            connection.request("POST", "/", body=body)
            response = connection.getresponse()
            seen += response.status == 413 and response.read() == b"too large\n"
        except (OSError, http.client.HTTPException):
            pass
        connection.close()
    return seen


def counted(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    return int(done.stdout) if done.returncode == 0 else f"failed: {done.stderr.strip()[-200:]}"


def clients(address, upload, options):
    count, size, url = options.count, options.bytes, f"http://{address}/"
    has = lambda *command: shutil.which(command[0]) and not subprocess.run(
        command, capture_output=True
    ).returncode
    no_expect = ("-H", "Expect:", "--http1.1")
    if has("curl", "--version"):
        yield "curl, HTTP/1.1", lambda: curl(address, upload, count, *no_expect)
        yield "curl with Expect, HTTP/1.1", lambda: curl(address, upload, count, "--http1.1")
        yield "curl, HTTP/2", lambda: curl(address, upload, count, "--http2-prior-knowledge")
    else:
        yield "curl", None
    yield "http.client, HTTP/1.1", lambda: python(address, upload, count)
    if has(options.python, "-c", "import httpx, h2"):
        httpx = (options.python, "-c", HTTPX, url, size, count)
        yield "httpx, HTTP/1.1", lambda: counted(*httpx, 1)
        yield "httpx, HTTP/2", lambda: counted(*httpx, 2)
    else:
        yield "httpx", None
    if has("node", "--version"):
        node = ("node", "--input-type=module", "-e", NODE, url, size, count)
        yield "node's fetch, HTTP/1.1", lambda: counted(*node)
    else:
        yield "node's fetch", None
    hyper = (PROGRAM, "upload", address)
    yield "hyper, HTTP/1.1", lambda: counted(*hyper, 1, size, count)
    yield "hyper, HTTP/2", lambda: counted(*hyper, 2, size, count)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--bytes", type=int, default=10 << 20)
    parser.add_argument("--program", default=PROGRAM)
    parser.add_argument("--python", default=sys.executable, help="a Python that has httpx")
    options = parser.parse_args()

    serving = [str(options.program), "serve", "127.0.0.1:0"]
    with subprocess.Popen(serving, stdout=subprocess.PIPE, text=True) as server:
        all_seen = True
        try:
            address = server.stdout.readline().strip().removeprefix("http://")
            with tempfile.TemporaryDirectory() as directory:
                upload = pathlib.Path(directory) / "upload"
                upload.write_bytes(b"x" * options.bytes)
                for name, run in clients(address, upload, options):
                    seen = run() if run else "not installed"
                    all_seen &= seen == options.count or not run
                    print(f"{name:28} {seen} of {options.count}", flush=True)
        finally:
            server.terminate()
    sys.exit(not all_seen)


main()
