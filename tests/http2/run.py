"""nghttp and h2load against a site over HTTP/2: single flows frame by frame, and 100 streams at once
by sizes of windows.

Run by `just http2`, which builds the site's program first. nghttp and h2load are from Debian's
package nghttp2-client.
"""

import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = ROOT / "target" / "debug" / "peers"

SITE = """\
[server:main]
use = egg:tower#http

[composite:main]
use = egg:tower#urlmap
/ = page
/files = files
/sum = sum
/small = small
/any = any

[app:page]
use = egg:tower#text
text = a page

[app:files]
use = egg:tower#static
document_root = %(here)s/files

[app:sum]
use = egg:tower#checksum

[filter-app:small]
use = egg:tower#body-limit
limit = 10
next = sum

[app:any]
use = egg:peers#status
"""
SIZES = {"empty": 0, "kib": 1 << 10, "part": 100 << 10, "large": 10 << 20}


class Site:
    def __init__(self, folder):
        (folder / "site.ini").write_text(SITE)
        (folder / "files").mkdir()
        self.files = {name: os.urandom(size) for name, size in SIZES.items()}
        for name, content in self.files.items():
            (folder / "files" / name).write_bytes(content)
        self.folder = folder
        self.log = open(folder / "log", "w+")
        args = [COMMAND, "serve", folder / "site.ini", "--bind", "127.0.0.1:0"]
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=self.log, text=True)
        for line in self.process.stdout:
            if found := re.match(r"listening on (.*)", line):
                self.url = found[1]
                return
        self.log.seek(0)
        sys.exit(f"the site did not start:\n{self.log.read()}")

    def end(self):
        self.process.terminate()
        return self.process.wait(60)

    def file(self, name):
        return self.folder / "files" / name


class Flow:
    """What nghttp reports of the frames of one connection."""

    def __init__(self, output):
        self.text = output
        # A frame begins with its time, and its fields are before it, with the number of the stream.
        self.frames = re.findall(r"(send|recv) (\w+) frame <length=(\d+), flags=0x(\w\w), stream_id=(\d+)>", output)
        self.fields = re.findall(r"recv \(stream_id=(\d+)\) ([^\n]*)", output)

    def values(self, name):
        return [line.partition(": ")[2] for _, line in self.fields if line.startswith(name + ": ")]

    def statuses(self):
        return self.values(":status")

    def received(self, kind):
        return [frame for frame in self.frames if frame[:2] == ("recv", kind)]

    def ended(self):
        """How many streams the server has ended with a frame of its own."""
        return sum(kind in ("DATA", "HEADERS") and int(flags, 16) & 1 for way, kind, _, flags, _ in self.frames if way == "recv")

    def data(self):
        return sum(int(length) for _, _, length, _, _ in self.received("DATA"))

    def errors(self):
        """The codes of frames that end a stream or the connection with an error."""
        found = re.findall(r"recv (?:RST_STREAM|GOAWAY) frame.*?error_code=(\w+)", self.text, re.S)
        return [code for code in found if code != "NO_ERROR"]


def nghttp(site, *args, timeout=60):
    args = [str(arg).replace("URL", site.url) for arg in args]
    done = subprocess.run(["nghttp", "-nv", "--no-verify-peer", *args], capture_output=True, text=True, timeout=timeout)
    return Flow(re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr))


FLOWS = []


def flow(what, ruled=None):
    """Lists a flow. A reason says why it ends otherwise than the standard would have it."""
    def listed(check):
        FLOWS.append((what, check, ruled))
        return check
    return listed


def whole(found, statuses, length=None):
    """Checks what holds for every flow without an error."""
    assert found.statuses() == statuses, found.statuses()
    assert found.ended() == len(statuses), f"{found.ended()} streams have ended"
    assert not found.errors(), found.errors()
    assert not found.received("PUSH_PROMISE")
    assert length is None or found.data() == length, f"{found.data()} bytes"


@flow("GET, and the server's SETTINGS")
def get(site):
    found = nghttp(site, "URL/")
    whole(found, ["200"], 6)
    assert found.values("content-length") == ["6"]
    settings = found.text[: found.text.index("recv (stream_id=")]
    assert "SETTINGS_MAX_CONCURRENT_STREAMS(0x03):200" in settings, settings
    assert "SETTINGS_ENABLE_PUSH(0x02):1" not in settings.partition("recv SETTINGS")[2], settings


@flow("HEAD: a length and no DATA")
def head(site):
    found = nghttp(site, "-H:method: HEAD", "URL/files/large")
    whole(found, ["200"], 0)
    assert found.values("content-length") == [str(SIZES["large"])]


@flow("204, 205 and 304 without DATA")
def no_content(site):
    for status in ("204", "205", "304"):
        found = nghttp(site, f"URL/any/{status}")
        whole(found, [status], 0)
        assert len(found.received("DATA")) <= 1, found.text


@flow("trailers of a response: a second HEADERS with END_STREAM")
def trailers(site):
    found = nghttp(site, "URL/any/200/trailers")
    whole(found, ["200"], 12)
    assert found.values("x-end") == ["1"] and len(found.received("HEADERS")) == 2
    assert all(not int(flags, 16) & 1 for _, _, _, flags, _ in found.received("DATA"))


@flow("trailers of a response to HEAD are not sent")
def head_trailers(site):
    found = nghttp(site, "-H:method: HEAD", "URL/any/200/trailers")
    whole(found, ["200"], 0)
    assert found.values("x-end") == []


def summed(site, name):
    """The length of the response of the checksum app."""
    digest = hashlib.sha256(site.files[name]).hexdigest()
    return f'{{"length":{SIZES[name]},"sha256":"{digest}"}}\n'


def upload(site, name, *args):
    """Uploads a file. The hash in the response shows that the service has read the whole of it."""
    args = [str(arg).replace("URL", site.url) for arg in args]
    done = subprocess.run(["nghttp", *args, "-d", site.file(name), site.url + "/sum"], capture_output=True, text=True, timeout=60)
    assert done.stdout == summed(site, name), (done.stdout, done.stderr)


@flow("uploads: with a length, without one, with a trailer")
def uploads(site):
    for name in SIZES:
        upload(site, name)
        upload(site, name, "--no-content-length")
        upload(site, name, "--trailer", "x-end: 1")


@flow("uploads with padding of 0, 1 and 255 bytes")
def padding(site):
    for size in (0, 1, 255):
        upload(site, "part", "-b", size)


@flow("100 Continue")
def expect(site):
    begin = time.monotonic()
    upload(site, "part", "--expect-continue")
    assert time.monotonic() - begin < 5


@flow("an upload with an early response: 413, and no error")
def early(site):
    for name in ("kib", "part", "large"):
        found = nghttp(site, "-d", site.file(name), "URL/small")
        whole(found, ["413"])


@flow("priorities: weights, dependencies, none of both")
def priorities(site):
    paths = [f"URL/files/{name}" for name in ("part", "kib", "large", "empty")]
    for args in (["-p", "1", "-p", "256", "-p", "16", "-p", "2"], ["--no-dep"], ["--no-rfc7540-pri"]):
        whole(nghttp(site, *args, *paths), ["200"] * 4, SIZES["part"] + SIZES["kib"] + SIZES["large"])


@flow("push disabled")
def push(site):
    found = nghttp(site, "--no-push", "URL/", "URL/files/kib")
    whole(found, ["200"] * 2, 6 + SIZES["kib"])


@flow("fields of 15,000 bytes")
def large_fields(site):
    whole(nghttp(site, "-H", f"x: {'y' * 15_000}", "URL/"), ["200"], 6)


@flow("fields of 18,000 bytes, with CONTINUATION: 431")
def continuation(site):
    found = nghttp(site, "--continuation", "URL/")
    assert any(way == "send" and int(length) > 16_384 for way, _, length, _, _ in found.frames)
    whole(found, ["431"], 0)


@flow("fields of 40,000 bytes", "h2 ends the connection far beyond the limit that its SETTINGS announce, 16 KiB (RFC 9113, section 10.5.1)")
def too_large_fields(site):
    found = nghttp(site, *[part for number in range(10) for part in ("-H", f"x{number}: {'y' * 4_000}")], "URL/")
    assert found.errors() == ["COMPRESSION_ERROR"] and found.received("GOAWAY"), found.text


@flow("windows of 1 byte, 255 bytes, 64 KiB and 1 GiB")
def windows(site):
    whole(nghttp(site, "-w", 1, "URL/files/kib"), ["200"], SIZES["kib"])
    whole(nghttp(site, "-w", 8, "URL/files/part"), ["200"], SIZES["part"])
    for bits in (16, 30):
        whole(nghttp(site, "-w", bits, "-W", bits, "URL/files/large"), ["200"], SIZES["large"])


@flow("tables of compressed fields: none, a large one")
def tables(site):
    for args in (["-c", 0], ["-c", 100_000], ["--encoder-header-table-size", 0]):
        whole(nghttp(site, *args, "-m", 5, "URL/"), ["200"] * 5, 30)


@flow("two sizes of the table in one SETTINGS", "h2 0.4.20 takes the last of them alone, and the client ends the connection (RFC 7541, section 4.2)")
def two_tables(site):
    found = nghttp(site, "-c", 100, "-c", 4096, "URL/")
    assert found.statuses() == [] and "COMPRESSION_ERROR" in found.text, found.text


@flow("50 requests at once on one connection")
def multiplied(site):
    whole(nghttp(site, "-m", 50, "URL/files/kib"), ["200"] * 50, 50 * SIZES["kib"])


@flow("an upgrade from HTTP/1.1 is not offered: the response is one of HTTP/1.1")
def upgrade(site):
    found = nghttp(site, "-u", "URL/")
    assert "HTTP/1.1 200 OK" in found.text and "101" not in found.text, found.text


@flow("GOAWAY at shutdown: the response ends first")
def goaway(site):
    args = ["nghttp", "-nv", site.url + "/any/200/slow"]
    client = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(0.4)
    site.process.send_signal(signal.SIGTERM)
    output, _ = client.communicate(timeout=60)
    found = Flow(re.sub(r"\x1b\[[0-9;]*m", "", output))
    whole(found, ["200"], 10)
    assert found.received("GOAWAY"), found.text
    assert site.process.wait(60) == 0


def h2load(site, *args):
    done = subprocess.run(["h2load", "-t1", *map(str, args)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    names = ("total", "started", "done", "succeeded", "failed", "errored", "timeout")
    counts = re.search("requests: " + ", ".join(rf"(\d+) {name}" for name in names), done.stdout)
    statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", done.stdout)
    data = re.search(r"\((\d+)\) data", done.stdout)
    counts = dict(zip(names, map(int, counts.groups())))
    return counts, list(map(int, statuses.groups())), int(data[1])


def loads(site):
    """100 streams by sizes of windows, and uploads."""
    failed = 0
    print("\n| what | streams | stream's window | connection's window | requests | another status | errors |")
    print("|---|---|---|---|---|---|---|")

    def row(what, streams, bits, connection, count, status, size, *args):
        nonlocal failed
        windows = ["-w", bits, "-W", connection]
        counts, statuses, data = h2load(site, "-n", count, "-c", 2, "-m", streams, *windows, *args)
        others = count - statuses[status // 100 - 2]
        errors = counts["errored"] + counts["timeout"] + (counts["total"] - counts["done"])
        if size is not None and data != size * count:
            errors += 1
            print(f"{data} bytes, not {size * count}")
        failed += others + errors
        print(f"| {what} | {streams} | {(1 << bits) - 1:,} | {(1 << connection) - 1:,} | {count:,} | {others} | {errors} |", flush=True)

    for bits in (8, 12, 16, 20, 30):
        for connection in (16, 20, 30):
            row("100 KiB", 100, bits, connection, 1_000, 200, SIZES["part"], site.url + "/files/part")
    row("1 KiB", 100, 16, 16, 20_000, 200, SIZES["kib"], site.url + "/files/kib")
    row("1 KiB, more streams than the server allows", 400, 16, 16, 20_000, 200, SIZES["kib"], site.url + "/files/kib")
    row("upload of 100 KiB", 100, 16, 16, 1_000, 200, len(summed(site, "part")), "-d", site.file("part"), site.url + "/sum")
    row("upload of 100 KiB that gets a 413", 100, 16, 16, 1_000, 413, None, "-d", site.file("part"), site.url + "/small")
    return failed


def main():
    missing = [tool for tool in ("nghttp", "h2load") if not shutil.which(tool)]
    if missing:
        sys.exit(f"missing programs: {', '.join(missing)}")
    print(subprocess.run(["nghttp", "--version"], capture_output=True, text=True).stdout.strip())
    failed = 0
    print("| flow | result |\n|---|---|")
    # The last flow ends the site.
    with tempfile.TemporaryDirectory() as name:
        site = Site(pathlib.Path(name))
        for what, check, ruled in FLOWS:
            try:
                check(site)
                result = f"ruled: {ruled}" if ruled else "passed"
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failed += 1
                result = f"FAILED: {error}"
            print(f"| {what} | {result:.2000} |", flush=True)
    with tempfile.TemporaryDirectory() as name:
        site = Site(pathlib.Path(name))
        failed += loads(site)
        if site.end():
            sys.exit("the site did not end well")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
