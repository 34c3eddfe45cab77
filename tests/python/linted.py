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


application = checker(os.environ["LINT"])(plain)
