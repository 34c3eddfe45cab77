"""The application of examples/python, wrapped in a checker of WSGI. `LINT` names it. A violation is a 500."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "python"))

from app import application as plain  # noqa: E402


def checker(name):
    if name == "wsgiref.validate":
        from wsgiref.validate import validator

        return validator
    if name == "paste.lint":
        from paste.lint import middleware

        return middleware
    from webtest.lint import middleware

    return middleware


def with_a_mistake(environ, start_response):
    """The application, and a page that no checker lets pass: a header may not be named Status."""
    if environ["PATH_INFO"] == "/wrong":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Status", "200 OK")])
        return [b""]
    return plain(environ, start_response)


application = checker(os.environ["LINT"])(with_a_mistake)
