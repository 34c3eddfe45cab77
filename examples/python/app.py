"""An existing WSGI application, which python.ini starts and proxy.ini finds."""

import hashlib
import os
import time


def application(environ, start_response):
    path = environ.get("PATH_INFO", "/")
    page = PAGES.get(path, nowhere)
    pieces = page(environ, start_response)
    # gunicorn sends what it gets, also in response to HEAD.
    return [] if environ["REQUEST_METHOD"] == "HEAD" else pieces


def text(start_response, body, status="200 OK"):
    body = body.encode()
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


def index(environ, start_response):
    return text(start_response, "the old front page, in Python\n")


def who(environ, start_response):
    seen = [environ.get(name, "-") for name in ("HTTP_HOST", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST")]
    return text(start_response, " ".join(seen) + "\n")


def upload(environ, start_response):
    """Responds with the length and the hash of the body, read piece by piece."""
    body, length, sha256 = environ["wsgi.input"], 0, hashlib.sha256()
    while chunk := body.read(65536):
        length += len(chunk)
        sha256.update(chunk)
    return text(start_response, "%d %s\n" % (length, sha256.hexdigest()))


def stream(environ, start_response):
    """Sends ten lines, one after the other, without a length."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (("line %d\n" % number).encode() for number in counted())


def counted():
    for number in range(10):
        yield number
        time.sleep(0.05)


def dies(environ, start_response):
    """Sends a part of a body, and then ends its process."""
    start_response("200 OK", [("Content-Type", "text/plain")])

    def body():
        yield b"some of it\n" * 1000
        time.sleep(0.2)
        os._exit(1)

    return body()


def sleeps(environ, start_response):
    time.sleep(3600)
    return text(start_response, "late\n")


def nowhere(environ, start_response):
    return text(start_response, "not in Python either\n", "404 Not Found")


PAGES = {"/": index, "/who": who, "/upload": upload, "/stream": stream, "/dies": dies, "/sleeps": sleeps}
