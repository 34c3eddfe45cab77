"""The application of flask/app.py in Pyramid."""

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import Response


def item(request):
    return {
        "client": request.client_addr,
        "scheme": request.scheme,
        "host": request.host,
        "link": request.route_url("item", number=2),
        "path": request.route_path("item", number=2),
    }


def go(request):
    return HTTPFound(request.route_url("item", number=1))


def nowhere(request):
    return Response("nothing here", status=404)


config = Configurator()
config.add_route("item", r"/items/{number:\d+}")
config.add_view(item, route_name="item", renderer="json")
config.add_route("dir", "/dir/")
config.add_view(lambda request: Response("a directory"), route_name="dir")
config.add_route("go", "/go")
config.add_view(go, route_name="go")
config.add_route("form", "/form")
config.add_view(lambda request: Response("a form"), route_name="form", request_method="GET")
config.add_view(go, route_name="form", request_method="POST")
config.add_notfound_view(nowhere, append_slash=True)
app = config.make_wsgi_app()
