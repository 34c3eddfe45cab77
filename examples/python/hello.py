"""The hello application of Armin Ronacher's WSGI introduction, written again: the part that is still in Python."""

import html
import re
import urllib.parse


def index(environ, start_response):
    """Greets the name in the query string."""
    query = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""))
    subject = html.escape(query.get("subject", ["World"])[0])
    return page(start_response, f'<p>Hello {subject}!</p>\n<p><a href="hello/">continue</a></p>\n')


def hello(environ, start_response):
    """Greets the name in the path."""
    subject = environ["hello.url_args"][0] or "World"
    return page(start_response, f"<p>Hello {html.escape(subject)}!</p>\n")


def fails(environ, start_response):
    raise RuntimeError("there is nothing to greet")


def missing(environ, start_response):
    return page(start_response, "<p>Not found</p>\n", "404 Not Found")


def page(start_response, text, status="200 OK"):
    body = text.encode()
    start_response(status, [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


URLS = [(r"^$", index), (r"^hello/fails$", fails), (r"^hello/?()$", hello), (r"^hello/(.+)$", hello)]


def application(environ, start_response):
    path = environ.get("PATH_INFO", "").lstrip("/")
    pieces = chosen(path, environ)(environ, start_response)
    # gunicorn sends what it gets, also in response to HEAD.
    return [] if environ["REQUEST_METHOD"] == "HEAD" else pieces


def chosen(path, environ):
    for pattern, view in URLS:
        if found := re.search(pattern, path):
            environ["hello.url_args"] = found.groups()
            return view
    return missing
