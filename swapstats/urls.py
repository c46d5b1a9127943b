"""Every address of the site."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from api.guessing import admin_login
from api.urls import api_urls, health_urls

urlpatterns: list[URLPattern | URLResolver] = [
    *health_urls,
    path("api/", include(api_urls)),
    path("admin/login/", admin_login),
    path("admin/", admin.site.urls),
    path("", include("realtime.urls")),
]

handler400 = "api.views.errors.bad_request"
handler404 = "api.views.errors.not_found"
handler500 = "api.views.errors.server_error"
