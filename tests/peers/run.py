"""curl asks a site over HTTP/1.1 and HTTP/2: methods by statuses without content by apps, and
ranges by conditions.

Run by `just peers`, which builds the site's program first. curl with HTTP/2 is from Debian's
packages.
"""

import os
import pathlib
import re
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
/packed = packed
/to = to
/none = none
/reset = reset
/same = same
/sum = sum
/small = small
/either = either
/any = any

[app:page]
use = egg:tower#text
text = a page

[app:files]
use = egg:tower#static
document_root = %(here)s/files

[filter-app:packed]
use = egg:tower#compression
next = files

[app:to]
use = egg:tower#redirect
location = /files/twelve.txt

[app:none]
use = egg:tower#text
text = nothing
status = 204

[app:reset]
use = egg:tower#text
text = nothing
status = 205

[app:same]
use = egg:tower#text
text = nothing
status = 304

[app:sum]
use = egg:tower#checksum

[filter-app:small]
use = egg:tower#body-limit
limit = 10
next = sum

[composite:either]
use = egg:tower#cascade
app1 = files
app2 = page

[app:any]
use = egg:peers#status
"""
TWELVE = "0123456789ab"
PAGE = "<p>the same line again and again</p>\n" * 40
EMPTY_SUM = '{"length":0,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}\n'
FAILED = "500 Internal Server Error\n"
# A header that must not be there, and one that may have any value.
ABSENT, ANY = None, re.compile(".+")
BOTH, ONE = ("1.1", "2"), ("1.1",)
LENGTH, TYPE, CODING = "content-length", "content-type", "content-encoding"


def row(method, path, status, headers={}, body="", sent={}, data=None, versions=BOTH, target=None):
    """One request, and its response: a status, or one of several; headers; a body, or None for any."""
    return dict(locals())


def server():
    """The server's rules for any app: HEAD, statuses without content, statuses that are not final."""
    nothing = {LENGTH: ABSENT, "transfer-encoding": ABSENT}
    for method in ("GET", "HEAD", "POST", "DELETE"):
        for path in ("/none", "/any/204", "/any/204/stream"):
            yield row(method, path, 204, nothing)
        for path in ("/reset", "/any/205", "/any/205/stream"):
            yield row(method, path, 205, {LENGTH: "0", "transfer-encoding": ABSENT})
        for path in ("/same", "/any/304", "/any/304/stream"):
            yield row(method, path, 304, nothing)
    yield row("HEAD", "/page", 200, {LENGTH: "6"})
    yield row("HEAD", "/files/twelve.txt", 200, {LENGTH: "12"})
    yield row("HEAD", "/packed/page.html", 200, {LENGTH: str(len(PAGE))})
    yield row("HEAD", "/to", 307, {"location": "/files/twelve.txt"})
    yield row("HEAD", "/sum", 200, {LENGTH: str(len(EMPTY_SUM)), TYPE: "application/json"})
    yield row("HEAD", "/small", 200, {LENGTH: str(len(EMPTY_SUM))})
    yield row("HEAD", "/either/twelve.txt", 200, {LENGTH: "12"})
    yield row("HEAD", "/either/else", 200, {LENGTH: "6"})
    yield row("HEAD", "/any/200", 200, {LENGTH: "12"})
    yield row("HEAD", "/any/200/stream", 200, nothing)
    yield row("HEAD", "/any/404/stream", 404, nothing)
    # Over HTTP/2 such a request ends before its body, and is none.
    yield row("HEAD", "/small", 413, {LENGTH: ANY}, sent={"content-length": "11"}, versions=ONE)
    for status in (100, 101, 102, 103):
        for path in (f"/any/{status}", f"/any/{status}/stream"):
            yield row("GET", path, 500, {LENGTH: str(len(FAILED))}, FAILED)
            yield row("HEAD", path, 500, {LENGTH: str(len(FAILED))})
    yield row("GET", "/any/200", 200, {LENGTH: "12"}, "some content")
    yield row("GET", "/any/200/stream", 200, {LENGTH: ABSENT}, "some content")
    yield row("GET", "/any/404", 404, {LENGTH: "12"}, "some content")
    yield row("GET", "/either/else", 200, {LENGTH: "6"}, "a page")
    yield row("GET", "/packed/page.html", 200, {LENGTH: str(len(PAGE))}, PAGE)
    yield row("POST", "/sum", 200, {}, re.compile('{"length":5,.*\n'), data="12345")
    yield row("POST", "/small", 200, {}, re.compile('{"length":10,.*\n'), data="1234567890")
    rejected = "405 Method Not Allowed\n"
    yield row("DELETE", "/files/twelve.txt", 405, {"allow": "GET, HEAD"}, rejected)
    grpc = {"content-type": "application/grpc"}
    refused = {**grpc, "grpc-status": "12"}
    yield row("POST", "/files/twelve.txt", 200, refused, "", grpc, "12345", ONE)
    # curl 7.88 waits for ever if a response without content ends before it has sent its own.
    yield row("POST", "/files/twelve.txt", 200, refused, "", grpc, versions=("2",))
    # HTTP/2 has neither transfer codings nor, from curl, a CONNECT without a path.
    yield row("POST", "/sum", 501, {}, None, {"transfer-encoding": "gzip, chunked"}, "12345", ONE)
    yield row("CONNECT", "/", 501, {}, "501 Not Implemented\n", versions=ONE, target="example.org:80")


def files(tag, packed_tag, date):
    """Ranges by conditions, and codings by conditions (RFC 9110, sections 13 and 14)."""
    path, packed, old = "/files/twelve.txt", "/packed/page.html", "Mon, 02 Jan 2006 15:04:05 GMT"
    whole = {LENGTH: "12", "content-range": ABSENT}
    same = {LENGTH: ABSENT, TYPE: ABSENT, "etag": tag}

    def part(first, last):
        return {LENGTH: str(last - first + 1), "content-range": f"bytes {first}-{last}/12", "etag": tag}

    def get(status, headers, body, **sent):
        return row("GET", path, status, headers, body, {name.replace("_", "-"): sent[name] for name in sent})

    yield get(200, {**whole, "accept-ranges": "bytes", "etag": tag, "last-modified": date}, TWELVE)
    yield get(206, part(0, 3), "0123", range="bytes=0-3")
    yield get(206, part(4, 11), "456789ab", range="bytes=4-")
    yield get(206, part(8, 11), "89ab", range="bytes=-4")
    yield get(206, part(0, 11), TWELVE, range="bytes=-50")
    yield get(206, part(0, 11), TWELVE, range="bytes=0-99")
    yield get(206, part(0, 11), TWELVE, range="bytes=0-99999999999999999999999")
    yield get(206, part(0, 3), "0123", range="BYTES=0-3")
    yield get(200, whole, TWELVE, range="bytes=0-1,4-5")
    yield get(200, whole, TWELVE, range="items=0-1")
    beyond = {"content-range": "bytes */12", CODING: ABSENT}
    yield get(416, beyond, None, range="bytes=12-")
    yield get(416, beyond, None, range="bytes=-0")
    yield row("HEAD", path, 200, whole, "", {"range": "bytes=0-3"})
    # A part of another version must not be joined to what the client has.
    yield get(200, whole, TWELVE, range="bytes=0-3", if_range='"other"')
    yield get(200, whole, TWELVE, range="bytes=0-3", if_range="W/" + tag)
    yield get(200, whole, TWELVE, range="bytes=0-3", if_range=old)
    yield get(200, whole, TWELVE, range="bytes=50-", if_range='"other"')
    yield get(206, part(0, 3), "0123", range="bytes=0-3", if_range=tag)
    yield get(206, part(0, 3), "0123", range="bytes=0-3", if_range=date)
    yield get(304, same, "", if_none_match=tag)
    yield get(304, same, "", if_none_match="W/" + tag)
    yield get(304, same, "", if_none_match="*")
    yield get(304, same, "", if_none_match=f'"other", {tag}')
    yield get(304, same, "", if_none_match=['"other"', tag])
    yield get(304, same, "", if_none_match=tag, range="bytes=0-3")
    yield get(304, same, "", if_none_match=tag, range="bytes=50-")
    yield get(200, whole, TWELVE, if_none_match='"other"', if_modified_since=date)
    yield get(304, same, "", if_modified_since=date)
    yield get(200, whole, TWELVE, if_modified_since=old)
    yield row("HEAD", path, 304, same, "", {"if-none-match": tag})
    yield get(412, {}, None, if_match='"other"')
    yield get(412, {}, None, if_match="W/" + tag)
    yield get(412, {}, None, if_match='"other"', if_none_match=tag)
    yield get(412, {}, None, if_unmodified_since=old)
    yield get(200, whole, TWELVE, if_match=tag)
    yield get(200, whole, TWELVE, if_match=["\"other\"", tag])
    yield get(200, whole, TWELVE, if_match=tag, if_unmodified_since=old)
    yield row("GET", "/files/missing", 404, {}, None, {"if-match": "*"})
    yield row("GET", "/files/empty", 200, {LENGTH: "0"})
    # A range may always be ignored; no part of nothing can be sent.
    none = re.compile("(416 Range Not Satisfiable\n)?")
    yield row("GET", "/files/empty", (200, 416), {}, none, {"range": "bytes=0-"})
    gzip = {"accept-encoding": "gzip"}
    varies = {"vary": re.compile("accept-encoding", re.I)}
    yield row("GET", packed, 200, {**varies, CODING: ABSENT}, PAGE)
    yield row("GET", packed, 200, {**varies, CODING: "gzip", "etag": packed_tag}, None, gzip)
    yield row("GET", packed, 304, varies, "", {**gzip, "if-none-match": packed_tag})
    yield row("GET", packed, 304, varies, "", {**gzip, "if-modified-since": date})
    yield row("HEAD", packed, 304, varies, "", {**gzip, "if-none-match": packed_tag})


class Site:
    def __init__(self, folder):
        self.folder = folder
        (folder / "site.ini").write_text(SITE)
        (folder / "files").mkdir()
        changed = int(time.time()) - 3600
        for name, text in (("twelve.txt", TWELVE), ("page.html", PAGE), ("empty", "")):
            (folder / "files" / name).write_text(text)
            os.utime(folder / "files" / name, (changed, changed))
        self.log = open(folder / "log", "w+")
        args = [COMMAND, "serve", folder / "site.ini", "--bind", "127.0.0.1:0"]
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=self.log, text=True)
        for line in self.process.stdout:
            if found := re.match(r"listening on (.*)", line):
                self.url = found[1]
                return
        self.log.seek(0)
        sys.exit(f"the site did not start:\n{self.log.read()}")

    def ask(self, row, version):
        """curl's exit code, the status, the headers, and the body."""
        head, body = self.folder / "head", self.folder / "body"
        head.write_text("")
        body.write_text("")
        how = "--http1.1" if version == "1.1" else "--http2-prior-knowledge"
        args = ["curl", "-sS", "-m", "10", how, "-D", head, "-o", body]
        args += ["--head"] if row["method"] == "HEAD" else ["-X", row["method"]]
        for name, values in row["sent"].items():
            for value in values if isinstance(values, list) else [values]:
                args += ["-H", f"{name}: {value}"]
        if row["data"] is not None:
            args += ["--data-binary", row["data"]]
        if row["target"]:
            args += ["--request-target", row["target"]]
        curl = subprocess.run([*args, self.url + row["path"]], capture_output=True, text=True)
        # The last head: there may be a 100 before it.
        lines = head.read_text().strip().split("\n\n")[-1].splitlines() or [""]
        status = re.match(rf"HTTP/{re.escape(version)} (\d+)", lines[0])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        # With --head, the head is the output.
        got = b"" if row["method"] == "HEAD" else body.read_bytes()
        return curl.returncode, status and int(status[1]), headers, got, curl.stderr.strip()

    def check(self, row, version):
        """What is wrong with the response."""
        code, status, headers, body, said = self.ask(row, version)
        wrong = []
        if code:
            wrong.append(f"curl ends with {code}: {said}")
        expected = row["status"] if isinstance(row["status"], tuple) else (row["status"],)
        if status not in expected:
            wrong.append(f"status {status}, not {' or '.join(map(str, expected))}")
        for name, value in row["headers"].items():
            got = ", ".join(headers[name]) if name in headers else None
            is_right = got is not None and value.search(got) if isinstance(value, re.Pattern) else got == value
            if not is_right:
                wrong.append(f"{name} is {got!r}, not {getattr(value, 'pattern', value)!r}")
        if row["body"] is not None:
            text = body.decode(errors="replace")
            pattern = row["body"] if isinstance(row["body"], re.Pattern) else re.compile(re.escape(row["body"]))
            if not pattern.fullmatch(text):
                wrong.append(f"body {text[:60]!r}")
        return wrong

    def header(self, path, name, sent={}):
        headers = self.ask(row("GET", path, 200, sent=sent), "1.1")[2]
        return headers.get(name, [f"no {name}"])[0]


def run(site, title, rows):
    rows = list(rows)
    failed = 0
    for line in rows:
        for version in line["versions"]:
            if wrong := site.check(line, version):
                failed += 1
                sent = "".join(f" {name}={value}" for name, value in line["sent"].items())
                print(f"  {line['method']} {line['path']}{sent} over HTTP/{version}: {'; '.join(wrong)}")
    asked = sum(len(line["versions"]) for line in rows)
    print(f"{title}: {len(rows)} rows, {asked} requests, {failed} of them with another response")
    return failed


def main():
    curl = subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout
    print(curl.splitlines()[0])
    with tempfile.TemporaryDirectory() as folder:
        site = Site(pathlib.Path(folder))
        try:
            failed = run(site, "any app", server())
            tag, date = (site.header("/files/twelve.txt", name) for name in ("etag", "last-modified"))
            plain_tag = site.header("/packed/page.html", "etag")
            packed_tag = site.header("/packed/page.html", "etag", {"accept-encoding": "gzip"})
            if packed_tag == plain_tag:
                failed += 1
                print(f"  two codings have the tag {plain_tag}")
            failed += run(site, "files", files(tag, packed_tag, date))
            site.log.seek(0)
            told = site.log.read().count("the response is not final")
            expected = sum(row["status"] == 500 for row in server()) * 2
            if told != expected:
                failed += 1
                print(f"  {told} lines about responses that are not final, not {expected}")
            if site.process.poll() is not None:
                sys.exit("the site has ended")
        finally:
            site.process.terminate()
            if site.process.wait(20):
                sys.exit("the site did not end well")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
