"""Every address of the site."""

from typing import Any

from django.contrib import admin
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from api.guessing import admin_login
from api.urls import api_urls, health_urls


class Favicon(RedirectView):
    """Where browsers look for an icon on pages that name none."""

    def get_redirect_url(self, *_: Any, **__: Any) -> str:
        return static("realtime/icon.svg")


urlpatterns: list[URLPattern | URLResolver] = [
    *health_urls,
    path("api/", include(api_urls)),
    path("admin/login/", admin_login),
    path("admin/", admin.site.urls),
    path("favicon.ico", Favicon.as_view()),
    path("", include("realtime.urls")),
]

handler400 = "api.views.errors.bad_request"
handler404 = "api.views.errors.not_found"
handler500 = "api.views.errors.server_error"
