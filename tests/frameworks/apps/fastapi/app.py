"""The application of flask/app.py in FastAPI."""

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, RedirectResponse

app = FastAPI()


@app.get("/items/{number}")
def item(request: Request, number: int):
    link = request.url_for("item", number=2)
    return {
        "client": request.client.host if request.client else None,
        "scheme": request.url.scheme,
        "host": request.url.netloc,
        "link": str(link),
        "path": link.path,
    }


@app.get("/dir/")
def directory():
    return PlainTextResponse("a directory")


@app.get("/go")
def go(request: Request):
    return RedirectResponse(request.url_for("item", number=1))


@app.get("/form")
def form():
    return PlainTextResponse("a form")


@app.post("/form")
def sent(request: Request):
    return RedirectResponse(request.url_for("item", number=1), 303)
