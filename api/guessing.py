"""Passwords are not to be guessed, neither for tokens nor at the admin's door."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from api.client_address import client_address, rate_key
from settings.config import load_config
from swapstats.bootstrap import login_attempts

WAIT_SECONDS = 60
ANSWER = "Too many attempts to log in. Wait a minute, then try again."


def is_guessing(request: HttpRequest, name: str) -> bool:
    """Counts this attempt."""
    peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    address = rate_key(client_address(peer, forwarded, load_config().rate_limit.trusted_proxies))
    return login_attempts().are_too_many(address, name)


def admin_login(request: HttpRequest) -> HttpResponseBase:
    """The admin's log-in page."""
    if request.method == "POST" and is_guessing(request, request.POST.get("username", "")):
        return HttpResponse(ANSWER, status=429, content_type="text/plain", headers={"Retry-After": str(WAIT_SECONDS)})
    return admin.site.login(request)
