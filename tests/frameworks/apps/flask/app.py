"""What each application of this directory has: an item that reports the client and a link, a directory
that redirects to its slash, a redirect to an item, and a form."""

from flask import Flask, redirect, request, url_for

app = Flask(__name__)


@app.get("/items/<int:number>")
def item(number):
    return {
        "client": request.remote_addr,
        "scheme": request.scheme,
        "host": request.host,
        "link": url_for("item", number=2, _external=True),
        "path": url_for("item", number=2),
    }


@app.get("/dir/")
def directory():
    return "a directory"


@app.get("/go")
def go():
    return redirect(url_for("item", number=1))


@app.get("/form")
def form():
    return "<form method=post></form>"


@app.post("/form")
def sent():
    return redirect(url_for("item", number=1))
