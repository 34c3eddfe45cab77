"""What the layer of each application makes of a response: everything else stays as it was."""

import dataclasses
import json

# The fields that describe content, which a document replaces.
OF_CONTENT = ("content-length", "content-type", "content-encoding", "content-language", "transfer-encoding")
OF_CONTENT += ("etag", "last-modified", "accept-ranges")
# The type of a document for an `Accept`.
TYPES = {
    None: "text/plain; charset=utf-8",
    "text/html": "text/html; charset=utf-8",
    "application/json": "application/json",
    "*/*;q=0.1, text/plain": "text/plain; charset=utf-8",
}


class Unexpected(Exception):
    pass


def of_mdbook(ask, before, after):
    if ask.sort == "outside":
        # `/guide` is the book, and nothing else is.
        if ask.target == "/guide":
            return after if after.status == 200 else before
        if after.status != 404 or b"nothing is mounted at this path" not in after.content:
            raise Unexpected("this is outside of the mount")
        return after
    fields = [(name, "/guide" + value if name == "location" else value) for name, value in before.fields]
    return dataclasses.replace(before, fields=fields)


def of_live_server(ask, before, _):
    if not (before.field("content-type") or "").startswith("text/html"):
        return before
    content = before.content.replace(b"<h1>", b"<h1>draft: ").replace(b"</h1>", b"!</h1>")
    whole = dataclasses.replace(before, content=content).without("content-length")
    # A response to HEAD has no body to be rewritten, so its length is not known.
    return whole if ask.method == "HEAD" else whole.plus(("content-length", str(len(content))))


def of_basic_http_server(ask, before, after):
    if ask.sort == "first router":
        content = {"GET": b"more", "HEAD": b""}.get(ask.method)
        if content is None:
            # The first router knows the path and not the method.
            right = after.status == 405 and after.field("allow") == "GET,HEAD"
        else:
            right = after.status == 200 and after.content == content
        if not right:
            raise Unexpected("this is a response of the first router")
        return after
    return before


def of_dufs(_, before, __):
    return before


def of_static_web_server(ask, before, after):
    if not 400 <= before.status < 500:
        return before
    kind = TYPES[next((value for name, value in ask.fields if name == "Accept"), None)]
    if ask.method == "HEAD":
        # Of the document there is only the length.
        length = after.field("content-length")
        if not length or length == "0":
            raise Unexpected("expected the length of the document")
    else:
        length = str(len(after.content))
        if kind == "application/json" and json.loads(after.content)["status"] != before.status:
            raise Unexpected("the document has another status")
        if str(before.status).encode() not in after.content:
            raise Unexpected("the document does not show its status")
    kept = before.without(*OF_CONTENT, "vary")
    vary = [("vary", "accept"), *(field for field in before.fields if field[0] == "vary")]
    wanted = kept.plus(("content-type", kind), ("content-length", length), *vary)
    for name, value in (("cache-control", "no-store"), ("x-content-type-options", "nosniff")):
        if before.field(name) is None:
            wanted = wanted.plus((name, value))
    return dataclasses.replace(wanted, content=after.content)


def of_throttlecrab(_, before, __):
    return before


def of_panic(before, after):
    """A call that panics: INTERNAL, and an id that the report has, too."""
    status, text = after.field("grpc-status"), after.field("grpc-message") or ""
    if after.status != 200 or status != "13" or after.content:
        raise Unexpected(f"a panic is 13 of gRPC (found {after.status}, {status})")
    return text
