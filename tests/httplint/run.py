"""httplint over each response of the example sites, of a site with the built-in parts (parts.ini), and
of the table of `just peers`, over HTTP/1.1. Responses with a tag or a date are asked for again.

Run by `just httplint`, which builds the programs and installs httplint into target/httplint. Each
response is taken from the socket as it is, so nothing between corrects it. RULED has the notes that
may stay, with the reason; any other note of the levels "bad" and "warning" fails.
"""

import collections
import importlib.util
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

import httplint
from httplint.note import levels

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAMS = ROOT / "target" / "debug"
EXAMPLES = ROOT / "examples"

# The kinds of notes that may stay.
RULED = {
    "FRESHNESS_HEURISTIC": "how long a response is fresh is the site's own choice: `cache_max_age` of `tower#static`, a layer, or the app",
    "CORS_PREFLIGHT_ONLY": "failed for the peer too: CorsLayer of tower-http takes each OPTIONS for a preflight",
    "STATUS_BAD_REQUEST": "these requests are not valid, or their host is not served",
    "STATUS_IM_A_TEAPOT": "the example four_changes responds with it on purpose",
}


def peers():
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("peers", ROOT / "tests" / "peers" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Response:
    """A response as it was on the wire."""

    def __init__(self, version, status, phrase, headers, content, trailers):
        self.version, self.status, self.phrase = version, status, phrase
        self.headers, self.content, self.trailers = headers, content, trailers

    def header(self, name):
        return next((value for found, value in self.headers if found.lower() == name), None)


def fields(file):
    """Lines of fields, up to the empty line, with no more than the whitespace around values stripped."""
    found = []
    while (line := file.readline()) not in (b"\r\n", b""):
        name, _, value = line.rstrip(b"\r\n").partition(b":")
        found.append((name, value.strip(b" \t")))
    return found


def ask(address, method, target, headers=(), body=None):
    """Sends one request, and reads its response from the bytes of the connection."""
    host, port = address
    lines = [f"{method} {target} HTTP/1.1".encode(), f"Host: {host}:{port}".encode(), b"Connection: close"]
    lines += [f"{name}: {value}".encode() for name, value in headers]
    if body is not None and not any(name.lower() == "transfer-encoding" for name, _ in headers):
        lines.append(f"Content-Length: {len(body)}".encode())
    with socket.create_connection(address, timeout=30) as client:
        client.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""))
        file = client.makefile("rb")
        while True:
            version, status, phrase = file.readline().rstrip(b"\r\n").split(b" ", 2)
            headers = fields(file)
            if not status.startswith(b"1"):
                break
        response = Response(version, status, phrase, headers, b"", [])
        rest = file.read()
    if method == "HEAD" or status in (b"204", b"304"):
        # Any byte here is a fault, and httplint reports it.
        response.content = rest
    elif response.header(b"transfer-encoding") == b"chunked":
        while True:
            size, _, rest = rest.partition(b"\r\n")
            if int(size, 16) == 0:
                break
            response.content += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        lines = [line.partition(b": ") for line in rest.split(b"\r\n") if line]
        response.trailers = [(name, value) for name, _, value in lines]
    else:
        response.content = rest
    return response


def notes(address, method, target, sent, response):
    """The notes of httplint, with those below them."""
    request = httplint.HttpRequestLinter()
    request.process_request_topline(method.encode(), f"http://{address[0]}:{address[1]}{target}".encode(), b"HTTP/1.1")
    request.process_headers([(name.encode(), value.encode()) for name, value in sent])
    request.finish_content(True)
    linter = httplint.HttpResponseLinter()
    linter.request = request
    linter.is_head_response = method == "HEAD"
    linter.process_response_topline(response.version, response.status, response.phrase)
    linter.process_headers(response.headers)
    linter.feed_content(response.content)
    linter.finish_content(True, response.trailers)
    waiting = list(linter.notes)
    while waiting:
        note = waiting.pop()
        waiting += note.subnotes
        yield note


class Program:
    """A program that prints `listening on URL` first."""

    def __init__(self, *args):
        self.process = subprocess.Popen(list(map(str, args)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if found := re.match(r"listening on http://([^:/]+):(\d+)", line):
                self.address = (found[1], int(found[2]))
                return
        sys.exit(f"{args[0]} did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)


def deploy(file):
    return [PROGRAMS / "tower-deploy", "serve", EXAMPLES / file, "--bind", "127.0.0.1:0"]


def bound(name):
    """A program that takes the address by an option."""
    return [PROGRAMS / name, "--bind", "127.0.0.1:0"]


def served(name, file):
    return [PROGRAMS / name, "serve", EXAMPLES / file, "--bind", "127.0.0.1:0"]


def plain(name):
    """A program that takes the address as its argument."""
    return [PROGRAMS / name, "127.0.0.1:0"]


JSON = [("Accept", "application/json")]
PAGE = [("Accept", "text/html")]
FORWARDED = [("Forwarded", "for=192.0.2.1;host=example.org;proto=https")]
NOTES = ["/", "/notes.txt", ("HEAD", "/notes.txt"), "/nowhere", ("GET", "/nowhere", JSON), ("PUT", "/notes.txt", [], b"x")]
# The example sites: how to start each, and its requests. A path alone is a GET.
SITES = {
    "site.ini": (deploy("site/site.ini"), [
        *NOTES, ("OPTIONS", "/hello"), ("DELETE", "/hello"), "/hello/J%C3%B6rg", ("PUT", "/hello", [], b"x"), ("PUT", "/upload", [], b"text"),
        "/panic", ("GET", "/panic", JSON), ("GET", "/panic", PAGE), "/python/", ("GET", "/notes.txt", [("Range", "bytes=0-3")])]),
    "site": (bound("site"), [*NOTES, "/hello", "/hello/John", ("PUT", "/upload", [], b"text"), "/panic", ("DELETE", "/hello")]),
    "loadapp": (bound("loadapp"), ["/about", "/notes.txt", "/hello/John", "/nowhere"]),
    "minimal": (served("minimal", "minimal/minimal.ini"), ["/"]),
    "link-json": (served("link-json", "link_json/site.ini"), [
        "/hello?user=John", "/hello", "/nowhere", ("POST", "/counter?user=John"), "/counter?user=John", ("PUT", "/counter?user=John")]),
    "link-tutorial": (bound("link-tutorial"), ["/hello", ("DELETE", "/hello"), "/counter", ("POST", "/counter?user=ann"), "/counter?user=ann", "/nowhere"]),
    "authentication": (bound("authentication"), ["/", ("GET", "/", [("Authorization", "Basic eDp5")])]),
    "timing": (bound("timing"), ["/", "/nowhere"]),
    "key-adder": (bound("key-adder"), ["/", "/alone"]),
    "behind-proxy": (bound("behind-proxy"), ["/wiki/Start", ("GET", "/wiki/Next", FORWARDED), "/Start"]),
    "yikes": (bound("yikes"), ["/"]),
    "live-reload": (bound("live-reload"), ["/", ("HEAD", "/")]),
    "error-page": (bound("error-page"), ["/sum/2", "/", ("GET", "/panic", PAGE), ("GET", "/order/7", PAGE), "/panic", ("GET", "/panic", JSON)]),
    "report-to-tracing": (bound("report-to-tracing"), ["/panic"]),
    "four-changes": (bound("four-changes"), ["/"]),
    "registry": (bound("registry"), ["/", "/nowhere"]),
    "hello": (bound("hello"), ["/hello", "/bye", "/hello/John", ("DELETE", "/hello")]),
    "class-views": (bound("class-views"), [
        ("POST", "/notes", [], b"milk"), "/notes", "/notes/0", ("DELETE", "/notes/0"), "/notes/0", "/notes/x", ("PUT", "/notes/1", [], b""), ("OPTIONS", "/notes")]),
    "spa": (bound("spa"), ["/", "/orders/7", "/api/orders", ("POST", "/api/orders", [], b"8"), "/api/nowhere", ("POST", "/orders/7", [], b""), ("GET", "/orders/7", PAGE)]),
    "two-fallbacks": (bound("two-fallbacks"), ["/", "/nowhere", "/api/nowhere"]),
    "app-in-handler": (bound("app-in-handler"), ["/docs/notes.txt", "/docs/notes.txt?key=open", "/docs/today?key=open", "/docs/none?key=open"]),
    "rejections-axum": (bound("rejections-axum"), ["/", ("GET", "/", JSON), "/nowhere", ("GET", "/nowhere", JSON)]),
    "axum-body-rewrite": (plain("axum-body-rewrite"), ["/"]),
    "axum-cascade": (plain("axum-cascade"), [("POST", "/orders/7", [], b"tea"), ("POST", "/orders/8", [], b"tea"), "/nowhere"]),
    "axum-dispatch": (plain("axum-dispatch"), ["/v2/library/alpine/tags", "/2026", "/2026/11", "/", "/26"]),
    "axum-environ": (plain("axum-environ"), ["/wiki/Start", "/Start"]),
    "axum-exception": (plain("axum-exception"), ["/divide/6/1", "/divide/1/0", ("GET", "/divide/1/0", JSON)]),
    "axum-gateway": (plain("axum-gateway"), [("POST", "/old/a%20b?c=d", [], b"body\n"), "/new", "/old"]),
    "axum-hooks": (plain("axum-hooks"), ["/", "/shop"]),
    "axum-lint": (plain("axum-lint"), ["/"]),
    "axum-origin": (plain("axum-origin"), ["/?a", ("GET", "/", FORWARDED)]),
    "axum-serve": (plain("axum-serve"), ["/"]),
    "axum-static": (plain("axum-static"), [*NOTES, "/time", ("GET", "/notes.txt", [("Range", "bytes=0-3")]), ("GET", "/notes.txt", [("Range", "bytes=900000-")])]),
    "hyper-body-rewrite": (plain("hyper-body-rewrite"), ["/"]),
    "hyper-cascade": (plain("hyper-cascade"), ["/notes.txt", "/nothing"]),
    "hyper-dispatch": (plain("hyper-dispatch"), ["/hello", "/hello/J%C3%B6rg", ("PUT", "/hello", [], b"")]),
    "hyper-exception": (plain("hyper-exception"), ["/?3", "/?ten"]),
    "hyper-hooks": (plain("hyper-hooks"), ["/a?b"]),
    "hyper-lint": (plain("hyper-lint"), ["/"]),
}


RANGE = [("Range", "bytes=0-3")]
GZIP = [("Accept-Encoding", "gzip")]
GRPC = [("Content-Type", "application/grpc")]
PREFLIGHT = [("Origin", "https://site.example"), ("Access-Control-Request-Method", "PUT")]
# The requests to parts.ini.
PARTS = [
    "/", ("HEAD", "/"), ("PUT", "/", [], b"x"), ("POST", "/files/notes.txt", GRPC, b"x"),
    *[(method, at + path, sent) for at in ("/files", "/packed", "/prefixed", "/replaced", "/proxied", "/errors")
      for path in ("/notes.txt", "/", "/tower.png", "/nowhere") for method in ("GET", "HEAD") for sent in ([], RANGE, GZIP, JSON)],
    ("POST", "/limited", [], b"12"), ("POST", "/limited", [], b"1234"), ("POST", "/limited", [("Transfer-Encoding", "chunked")], b"4\r\n1234\r\n0\r\n\r\n"),
    ("GET", "/cors", PREFLIGHT[:1]), ("OPTIONS", "/cors", PREFLIGHT), ("OPTIONS", "/cors"), ("GET", "/to"), ("HEAD", "/to"), ("POST", "/to", [], b"x"),
    "/ided", "/host", ("GET", "/host", JSON), "/late", ("GET", "/late", JSON), "/cgi/a?b", ("HEAD", "/cgi/a"), ("POST", "/cgi", [], b"text"),
    "/broken", ("GET", "/broken", PAGE), "/down", ("GET", "/down", PAGE), "/either/notes.txt", "/either/nowhere", "/mounted/below", "/mounted/nowhere",
    ("DELETE", "/files/notes.txt"), ("OPTIONS", "/files/notes.txt"), "/files/%zz", "/files/..%2fa",
]


class Report:
    def __init__(self):
        self.counts = collections.Counter()
        self.where = collections.defaultdict(list)
        self.summaries = {}
        self.levels = {}
        self.responses = 0
        self.silent = 0

    def lint(self, site, address, method, target, sent=(), body=None):
        response = ask(address, method, target, sent, body)
        self.responses += 1
        found = list(notes(address, method, target, sent, response))
        self.silent += all(note.level in (levels.INFO, levels.GOOD) for note in found)
        for note in found:
            kind = type(note).__name__
            self.counts[kind] += 1
            self.levels[kind] = note.level
            self.summaries.setdefault(kind, note.summary)
            self.where[kind].append(f"{site}: {method} {target} {dict(sent) or ''} -> {response.status.decode()}: {note.summary}")
        return response

    def requests(self, site, address, requests):
        for request in requests:
            request = ("GET", request) if isinstance(request, str) else request
            response = self.lint(site, address, *request)
            tag, date = response.header(b"etag"), response.header(b"last-modified")
            if request[0] in ("GET", "HEAD") and response.status == b"200":
                for name, value in (("If-None-Match", tag), ("If-Modified-Since", date)):
                    if value:
                        sent = [*(request[2] if len(request) > 2 else []), (name, value.decode())]
                        self.lint(site, address, request[0], request[1], sent)

    def print(self):
        print(f"{self.responses} responses, {self.silent} of them without a note of the levels bad and warning")
        print("| note | level | responses | ruled |\n|---|---|---|---|")
        failed = []
        order = [levels.BAD, levels.WARN, levels.INFO, levels.GOOD]
        for kind in sorted(self.counts, key=lambda kind: (order.index(self.levels[kind]), kind)):
            level, ruled = self.levels[kind], RULED.get(kind, "")
            if level in (levels.BAD, levels.WARN) and not ruled:
                failed.append(kind)
                ruled = "NOT RULED"
            summary = re.sub(r"\s+", " ", self.summaries[kind])
            print(f"| {kind}: {summary} | {level.value} | {self.counts[kind]} | {ruled} |")
        for kind in failed:
            print(f"\n{kind}:", *self.where[kind][:12], sep="\n  ")
        gone = RULED.keys() - self.counts.keys()
        if gone:
            print(f"no such note any more, so remove them from RULED: {', '.join(sorted(gone))}")
        return failed or gone


def check_linter():
    """httplint sees what is wrong with a response that is not valid."""
    headers = [(b"Content-Length", b"5"), (b"Date", b"today"), (b"Vary", b"a b")]
    response = Response(b"HTTP/1.1", b"200", b"OK", headers, b"four", [])
    found = [note for note in notes(("a", 80), "GET", "/", [], response) if note.level == levels.BAD]
    if len(found) < 3:
        sys.exit(f"httplint does not notice three faults: {found}")


def main():
    check_linter()
    report = Report()
    for site, (command, requests) in SITES.items():
        with Program(*command) as program:
            report.requests(site, program.address, requests)
    with Program(*plain("axum-static")) as upstream:
        command = [PROGRAMS / "tower-deploy", "serve", HERE / "parts.ini", f"upstream=http://127.0.0.1:{upstream.address[1]}", "--bind", "127.0.0.1:0"]
        with Program(*command) as program:
            report.requests("parts.ini", program.address, PARTS)
    table = peers()
    with tempfile.TemporaryDirectory() as folder:
        site = table.Site(pathlib.Path(folder))
        try:
            host, port = site.url.removeprefix("http://").split(":")
            address = (host, int(port))
            tag, date = (site.header("/files/twelve.txt", name) for name in ("etag", "last-modified"))
            packed_tag = site.header("/packed/page.html", "etag", {"accept-encoding": "gzip"})
            for row in [*table.server(), *table.files(tag, packed_tag, date)]:
                sent = [(name, value) for name, values in row["sent"].items() for value in (values if isinstance(values, list) else [values])]
                if row["method"] == "CONNECT" or "1.1" not in row["versions"]:
                    continue
                body = row["data"].encode() if row["data"] is not None else None
                sent = [(name, value) for name, value in sent if name != "content-length"]
                if row["sent"].get("content-length"):
                    body = b"x" * int(row["sent"]["content-length"])
                report.lint("peers", address, row["method"], row["path"], sent, body)
        finally:
            site.process.terminate()
            site.process.wait(30)
    print(f"httplint {httplint.__version__}")
    if report.print():
        sys.exit(1)


if __name__ == "__main__":
    main()
