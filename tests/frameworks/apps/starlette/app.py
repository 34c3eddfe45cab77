"""The application of flask/app.py in Starlette."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route


def item(request):
    link = request.url_for("item", number=2)
    return JSONResponse(
        {
            "client": request.client.host if request.client else None,
            "scheme": request.url.scheme,
            "host": request.url.netloc,
            "link": str(link),
            "path": link.path,
        }
    )


def directory(request):
    return PlainTextResponse("a directory")


def go(request):
    return RedirectResponse(request.url_for("item", number=1))


def form(request):
    if request.method == "POST":
        return RedirectResponse(request.url_for("item", number=1), 303)
    return PlainTextResponse("a form")


app = Starlette(
    routes=[
        Route("/items/{number:int}", item, name="item"),
        Route("/dir/", directory),
        Route("/go", go),
        Route("/form", form, methods=["GET", "POST"]),
    ]
)
