"""The application of flask/app.py in Django, with its checks of forms."""

from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.urls import path, reverse


def item(request, number):
    address = reverse("item", args=[2])
    return JsonResponse(
        {
            "client": request.META["REMOTE_ADDR"],
            "scheme": request.scheme,
            "host": request.get_host(),
            "link": request.build_absolute_uri(address),
            "path": address,
        }
    )


def directory(request):
    return HttpResponse("a directory")


def go(request):
    return redirect("item", 1)


def form(request):
    if request.method == "POST":
        return redirect("item", 1)
    return HttpResponse(get_token(request))


urlpatterns = [
    path("items/<int:number>", item, name="item"),
    path("dir/", directory),
    path("go", go),
    path("form", form),
]
