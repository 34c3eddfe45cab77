"""The files that the applications serve, what each is asked, and what its layer makes of a response."""

import dataclasses
import json
import os
import pathlib

from wire import Ask

# When all files were last modified.
MODIFIED = 1_700_000_000
PAGE = "<!DOCTYPE html><html><head><title>A page</title></head><body><h1>A page</h1><p>Text.</p></body></html>\n"
FILES = {
    "index.html": PAGE.replace("A page", "The start"),
    "page.html": PAGE,
    "notes.txt": "first\nsecond\nthird\n",
    "data.json": '{"a": [1, 2, 3]}\n',
    "readme.md": "# Read me\n\nA *word*.\n",
    "script.rs": "fn main() {}\n",
    "empty.txt": "",
    "a name with spaces.txt": "spaces\n",
    "grüße.txt": "grüße\n",
    "large.bin": bytes(range(256)) * 1200,
    "long.txt": "a line of a long text\n" * 2000,
    "sub/index.html": PAGE.replace("A page", "Below"),
    "sub/notes.txt": "below\n",
    "list/a.txt": "a\n",
    "list/b.txt": "b\n",
    "list/c/d.txt": "d\n",
}
BOOK = {
    "book.toml": '[book]\ntitle = "A book"\n',
    "src/SUMMARY.md": "# Summary\n\n- [One](one.md)\n- [Two](part/two.md)\n",
    "src/one.md": "# One\n\nSee [two](part/two.md).\n",
    "src/part/two.md": "# Two\n\nThe second chapter.\n",
    "src/part/notes.txt": "notes\n",
    "src/large.bin": bytes(range(256)) * 1200,
}


def write(folder, files):
    for name, content in files.items():
        path = pathlib.Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    settle(folder)


def settle(folder):
    """Gives all files and directories one time."""
    for parent, _, names in os.walk(folder):
        for name in [*names, "."]:
            os.utime(os.path.join(parent, name), (MODIFIED, MODIFIED))


def of_files(paths, directories, missing, redirected, large):
    """What any server of files can be asked."""
    for path in [*paths, *directories]:
        yield Ask("GET", "GET", path)
        yield Ask("HEAD", "HEAD", path)
    yield Ask("GET", "GET", paths[0] + "?a=b&c=%20")
    yield Ask("GET", "GET", paths[0], version="1.0")
    for path in missing:
        for method in ("GET", "HEAD"):
            for accept in (None, "text/html", "application/json", "*/*;q=0.1, text/plain"):
                yield Ask("missing", method, path, [("Accept", accept)] if accept else [])
    for path in redirected:
        yield Ask("redirects", "GET", path)
        yield Ask("redirects", "HEAD", path + "?a=b")
    early, late = "Tue, 14 Nov 2000 22:13:20 GMT", "Wed, 14 Nov 2035 22:13:20 GMT"
    for path in (paths[0], large):
        for name in ("If-Modified-Since", "If-Unmodified-Since"):
            for value in (early, late, "yesterday"):
                yield Ask("conditions", "GET", path, [(name, value)])
        for name in ("If-None-Match", "If-Match"):
            for value in ("*", '"other"', 'W/"other", "more"', "TAG"):
                yield Ask("conditions", "GET", path, [(name, value)])
        yield Ask("conditions", "HEAD", path, [("If-None-Match", "TAG")])
    for value in ("0-4", "5-", "-5", "0-0,2-3", "999999999-", "x", "4-2", "0-999999999"):
        yield Ask("ranges", "GET", large, [("Range", f"bytes={value}")])
        yield Ask("ranges", "HEAD", large, [("Range", f"bytes={value}")])
    for value in (late, early, '"other"', "TAG"):
        yield Ask("ranges", "GET", large, [("Range", "bytes=1-3"), ("If-Range", value)])
    for value in ("gzip", "br", "zstd", "deflate", "gzip, br;q=0.5", "identity;q=0", "*"):
        yield Ask("encodings", "GET", paths[0], [("Accept-Encoding", value)])
        yield Ask("encodings", "GET", large, [("Accept-Encoding", value), ("Range", "bytes=0-9")])
    for path in (paths[0], missing[0], directories[0]):
        yield Ask("kept connection", "GET", path)


def methods(path):
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "X-OWN"):
        yield Ask("methods", method, path)
    origin = [("Origin", "http://example.org"), ("Access-Control-Request-Method", "PUT")]
    yield Ask("methods", "OPTIONS", path, origin)
    for size in (1, 10_000):
        yield Ask("uploads", "POST", path, content=b"x" * size)
        yield Ask("uploads", "POST", path, content=b"x" * size, chunked=True)


def of_mdbook():
    yield from of_files(
        ["/one.html", "/part/two.html", "/toc.html", "/print.html", "/part/notes.txt", "/large.bin"],
        ["/", "/index.html"],
        ["/none", "/none.html", "/part/none", "/one.html/"],
        ["/part", "/css"],
        "/large.bin",
    )
    yield from methods("/one.html")
    for path in ("/", "/guide", "/guidebook/one.html", "/one.html", "/Guide/one.html"):
        yield Ask("outside", "GET", path)


def of_site():
    """Everything that a server of FILES is asked."""
    yield from of_files(
        ["/page.html", "/notes.txt", "/data.json", "/readme.md", "/script.rs", "/empty.txt"]
        + ["/a%20name%20with%20spaces.txt", "/gr%C3%BC%C3%9Fe.txt", "/large.bin", "/long.txt"],
        ["/", "/sub/", "/list/", "/list/c/"],
        ["/none", "/none.html", "/sub/none.txt", "/none/", "/page.html/x"],
        ["/sub", "/list/c"],
        "/large.bin",
    )
    yield from methods("/page.html")


def of_basic_http_server():
    yield from of_site()
    for method in ("GET", "HEAD", "POST"):
        yield Ask("first router", method, "/more")
    for size in (0, 1, 10_000, 60_000):
        yield Ask("replayed", "POST", "/read", content=b"x" * size)
        yield Ask("replayed", "POST", "/read", content=b"x" * size, chunked=True)
    yield Ask("replayed", "GET", "/read")


def of_dufs():
    yield from (ask for ask in of_site() if ask.sort not in ("methods", "uploads"))
    for path in ("/", "/page.html", "/large.bin", "/none", "/list", "/list/?zip"):
        yield Ask("HTTP/2", "GET", path)
    for value in ("0-4", "0-0,2-3", "999999999-"):
        yield Ask("HTTP/2", "GET", "/large.bin", [("Range", f"bytes={value}")])
    yield Ask("HTTP/2", "GET", "/page.html", [("If-None-Match", "TAG")])
    for method in ("PROPFIND", "OPTIONS", "X-OWN"):
        yield Ask("HTTP/2", method, "/page.html")
    for query in ("json", "simple", "q=notes", "sort=size&order=desc", "zip"):
        yield Ask("listings", "GET", f"/list/?{query}")
    yield Ask("listings", "GET", "/notes.txt?hash")
    yield Ask("methods", "OPTIONS", "/page.html")
    for method in ("POST", "X-OWN"):
        yield Ask("methods", method, "/page.html")
    props = b'<?xml version="1.0"?><propfind xmlns="DAV:"><allprop/></propfind>'
    for depth in ("0", "1"):
        yield Ask("WebDAV", "PROPFIND", "/list/", [("Depth", depth)], props)
    yield Ask("WebDAV", "PROPFIND", "/none", [("Depth", "1")])
    yield Ask("WebDAV", "PROPPATCH", "/notes.txt", content=props)
    yield Ask("WebDAV", "MKCOL", "/made")
    yield Ask("WebDAV", "MKCOL", "/made")
    to = lambda path: [("Destination", f"http://127.0.0.1{path}")]
    yield Ask("WebDAV", "COPY", "/notes.txt", to("/made/notes.txt"))
    yield Ask("WebDAV", "MOVE", "/made/notes.txt", to("/made/moved.txt"))
    yield Ask("WebDAV", "GET", "/made/moved.txt", fresh=("last-modified", "etag"))
    yield Ask("WebDAV", "COPY", "/none", to("/made/none"))
    yield Ask("WebDAV", "DELETE", "/made/moved.txt")
    yield Ask("WebDAV", "DELETE", "/made/moved.txt")
    lock = b'<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope></lockinfo>'
    yield Ask("WebDAV", "LOCK", "/notes.txt", [("Depth", "0")], lock)
    yield Ask("WebDAV", "UNLOCK", "/notes.txt", [("Lock-Token", "<none>")])
    for size in (0, 1, 10_000, 3_000_000):
        for chunked in (False, True):
            path = f"/made/{size}-{chunked}.bin"
            yield Ask("uploads", "PUT", path, content=b"y" * size, chunked=chunked)
            yield Ask("uploads", "GET", path, fresh=("last-modified", "etag"))
    yield Ask("uploads", "PATCH", "/made/1-True.bin", [("X-Update-Range", "append")], b"more")
    yield Ask("uploads", "GET", "/made/1-True.bin", fresh=("last-modified", "etag"))
    yield Ask("uploads", "PUT", "/made/expected.txt", [("Expect", "100-continue")], b"expected")


def throttle(key, burst=5, quantity=1, **more):
    """A message of ThrottleRequest, and the same as JSON."""
    period, count = 36_000, 10
    fields = [("key", key), ("max_burst", burst), ("count_per_period", count), ("period", period), ("quantity", quantity)]
    message = b""
    for number, (_, value) in enumerate(fields, 1):
        if isinstance(value, str):
            message += bytes([number << 3 | 2, len(value)]) + value.encode()
        else:
            message += bytes([number << 3]) + varint(value)
    return message, json.dumps(dict(fields, **more)).encode()


def varint(value):
    written = b""
    value &= (1 << 64) - 1
    while value > 127:
        written += bytes([value & 127 | 128])
        value >>= 7
    return written + bytes([value])


def framed(message, flag=0):
    return bytes([flag]) + len(message).to_bytes(4, "big") + message


def of_throttlecrab():
    """Requests of HTTP; those of gRPC are in `calls_of_throttlecrab`."""
    for path in ("/health", "/none", "/throttle"):
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            yield Ask("HTTP", method, path)
    json_type = [("Content-Type", "application/json")]
    for number in range(7):
        yield Ask("HTTP", "POST", "/throttle", json_type, throttle("of HTTP", quantity=number)[1])
    for content in (b"{}", b"[", throttle("k")[1][:-4]):
        yield Ask("HTTP", "POST", "/throttle", json_type, content)
    yield Ask("HTTP", "POST", "/throttle", content=throttle("k")[1])


METHOD = "/throttlecrab.RateLimiter/Throttle"
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]


def calls_of_throttlecrab():
    """The class, the path, the content, the fields and the method of each call."""
    for number in range(8):
        yield "gRPC calls", METHOD, framed(throttle(f"of gRPC {number // 4}", quantity=number % 4)[0]), GRPC, "POST"
    for burst in (0, -1):
        yield "gRPC calls", METHOD, framed(throttle("invalid", burst=burst)[0]), GRPC, "POST"
    yield "gRPC calls", METHOD, framed(throttle("in time")[0]), [*GRPC, ("grpc-timeout", "5S")], "POST"
    yield "gRPC calls", METHOD, framed(throttle("k" * 100)[0]), [*GRPC, ("x-own", "value")], "POST"
    whole = framed(throttle("k")[0])
    for content in (b"", whole[:3], whole[:-2], whole + whole, framed(b"\xff\xff"), framed(b"", 1)):
        yield "gRPC faults", METHOD, content, GRPC, "POST"
    for path in ("/throttlecrab.RateLimiter/None", "/none.Service/Throttle", "/"):
        yield "gRPC faults", path, whole, GRPC, "POST"
    for kind in ("application/json", "application/grpc-web", "application/grpc+proto"):
        yield "gRPC faults", METHOD, whole, [("content-type", kind), ("te", "trailers")], "POST"
    yield "gRPC faults", METHOD, b"", GRPC, "GET"
    yield "panics", METHOD, whole, [*GRPC, ("x-panic", "yes")], "POST"
    yield "panics", "/none.Service/Throttle", whole, [*GRPC, ("x-panic", "yes")], "POST"
