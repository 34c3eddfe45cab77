"""The same five layers in Python: Paste's cascade, a prefix, a key adder, exceptions, and dispatch, around a page of 4 KiB.

gunicorn --chdir tests/load --bind 127.0.0.1:9000 --workers 1 stack:application
"""

import re

from paste.cascade import Cascade
from paste.exceptions.errormiddleware import ErrorMiddleware

PAGE = b"x" * 4096


def first(environ, start_response):
    if environ["PATH_INFO"] == "/about":
        return page(environ, start_response)
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b""]


def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(PAGE)))])
    return [PAGE]


URLS = [(re.compile(r"^hello/(.+)$"), page)]


def dispatch(environ, start_response):
    path = environ.get("PATH_INFO", "").lstrip("/")
    for regex, app in URLS:
        match = regex.search(path)
        if match is not None:
            environ["url_args"] = match.groups()
            return app(environ, start_response)
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"Not Found"]


class Prefix:
    """Before each piece of text."""

    def __init__(self, app, prefix):
        self.app, self.prefix = app, prefix

    def __call__(self, environ, start_response):
        types = []

        def start(status, headers, exc_info=None):
            types.extend(value for name, value in headers if name.lower() == "content-type")
            return start_response(status, headers, exc_info)

        body = self.app(environ, start)
        return [self.prefix + piece for piece in body] if types and types[0].startswith("text/plain") else body


class KeyAdder:
    def __init__(self, app, key, value):
        self.app, self.key, self.value = app, key, value

    def __call__(self, environ, start_response):
        environ[self.key] = self.value
        return self.app(environ, start_response)


application = ErrorMiddleware(KeyAdder(Prefix(Cascade([first, dispatch]), b"yikes: "), "hello", "Hello World"), debug=False)
