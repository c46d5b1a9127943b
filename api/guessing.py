"""Passwords are not to be guessed: attempts are counted by address and by user name (django-ratelimit)."""

import logging
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django_ratelimit.core import is_ratelimited
from redis.exceptions import RedisError

from api.client_address import client_address, rate_key
from settings.config import load_config

log = logging.getLogger(__name__)

BY_ADDRESS = "20/m"
BY_NAME = "5/m"
WAIT_SECONDS = 60
ANSWER = "Too many attempts to log in. Wait a minute, then try again."


def is_guessing(request: HttpRequest, name: str) -> bool:
    """Counts this attempt. Without the cache nothing is counted here; the rate limit of the API still is."""
    try:
        by_address = _is_over(request, BY_ADDRESS, lambda _, request: _address_key(request))
        by_name = _is_over(request, BY_NAME, lambda *_: name.casefold()[:150])
        return by_address or by_name
    except (RedisError, OSError) as error:
        log.warning("log-in attempts are not counted: %s", error or type(error).__name__)
        return False


def admin_login(request: HttpRequest) -> HttpResponseBase:
    """The admin's log-in page."""
    if request.method == "POST" and is_guessing(request, request.POST.get("username", "")):
        return HttpResponse(ANSWER, status=429, content_type="text/plain", headers={"Retry-After": str(WAIT_SECONDS)})
    return admin.site.login(request)


def _is_over(request: HttpRequest, rate: str, key: Any) -> bool:
    over: bool = is_ratelimited(request, group=f"log-in {rate}", key=key, rate=rate, increment=True)
    return over


def _address_key(request: HttpRequest) -> str:
    peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    return rate_key(client_address(peer, forwarded, load_config().rate_limit.trusted_proxies))
