"""A WSGI application within `wsgiref.validate`: as CGI program, and as `app:application` of a server.

What the validator finds, and each warning, is a line of the file that WSGI_NOTES names.
"""

import json
import os
import sys
import traceback
import warnings
from wsgiref.handlers import CGIHandler
from wsgiref.validate import validator

NOTES = os.environ["WSGI_NOTES"]


def note(text):
    with open(NOTES, "a") as notes:
        notes.write(text.replace("\n", " ") + "\n")


def warned(message, category, *_):
    note(f"{category.__name__}: {message}")


warnings.simplefilter("always")
warnings.showwarning = warned


def inner(environ, start_response):
    method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
    # A stream may have no end, so the length counts (PEP 3333), unless the server says otherwise.
    left = int(environ.get("CONTENT_LENGTH") or 0)
    if environ.get("wsgi.input_terminated"):
        left = sys.maxsize
    body = b""
    while left > 0 and (piece := environ["wsgi.input"].read(min(left, 65536))):
        body += piece
        left -= len(piece)
    if path == "/not-valid":
        # A type is missing: the validator has to notice.
        start_response("200 OK", [])
        return [b"content"]
    if path == "/status":
        status = environ["QUERY_STRING"].replace("+", " ")
        has_content = status[:3] not in ("204", "304")
        start_response(status, [("Content-Type", "text/plain")] if has_content else [])
        return [b"content"] if has_content and method != "HEAD" else [b""]
    seen = {name: environ.get(name) for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING")}
    content = json.dumps({**seen, "length": len(body)}).encode()
    headers = [("Content-Type", "application/json"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    if environ["QUERY_STRING"] != "stream":
        headers.append(("Content-Length", str(len(content))))
    start_response("200 OK", headers)
    # In two pieces, of which a server has to send the first one at once.
    return [b""] if method == "HEAD" else iter([content[:5], content[5:]])


def application(environ, start_response):
    try:
        result = validator(inner)(environ, start_response)
        try:
            yield from iter(result)
        finally:
            result.close()
    except AssertionError as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        note(f"AssertionError: {error} ({where.name}, line {where.lineno})")
        raise


if __name__ == "__main__":
    CGIHandler().run(application)
