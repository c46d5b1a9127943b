"""Passwords are not to be guessed, neither for tokens nor at the admin's door."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from api.throttling import who_asks
from swapstats.bootstrap import login_attempts, refusals

WAIT_SECONDS = 60
ANSWER = "Too many attempts to log in. Wait a minute, then try again."


def is_guessing(request: HttpRequest, name: str) -> bool:
    """Counts this attempt."""
    return login_attempts().are_too_many(who_asks(None, request.META), name)


def admin_login(request: HttpRequest) -> HttpResponseBase:
    """The admin's log-in page."""
    if request.method == "POST" and is_guessing(request, request.POST.get("username", "")):
        refusals().note(who_asks(None, request.META), "admin:rate_limited")
        return HttpResponse(ANSWER, status=429, content_type="text/plain", headers={"Retry-After": str(WAIT_SECONDS)})
    return admin.site.login(request)
