"""How much each caller may ask for: a token bucket by `sub`, with limits of its own where it is an API client that has
some, else by the client's address (CONTRACT §3)."""

import math
from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from api.auth import caller_of
from api.client_address import client_address, rate_key
from settings.config import Bucket, load_config
from swapstats.bootstrap import client_registry, rate_limiter
from swapstats.ports.rate_limiter import BucketSize, Verdict
from swapstats.ports.token_verifier import Caller

VERDICT = "swapstats.rate_verdict"
"""Where a WSGI environment or an ASGI scope holds the verdict on a request that was counted already."""


class TokenBucketThrottle(BaseThrottle):
    """Leaves its verdict on the request, for the answer's headers."""

    def allow_request(self, request: Request, view: Any) -> bool:
        known: Verdict | None = getattr(request._request, "scope", request.META).get(VERDICT)
        self._verdict = known or take(caller_of(request), request.META)
        request._request.rate_verdict = self._verdict  # type: ignore[attr-defined]
        return self._verdict.is_allowed

    def wait(self) -> float:
        return self._verdict.retry_after_s


def who_asks(caller: Caller | None, environ: Mapping[str, Any]) -> str:
    """Whose allowance a request is of: the caller's, or else that of the address that it comes from."""
    if caller:
        return f"sub:{caller.subject}"
    peer, forwarded = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
    return f"ip:{rate_key(client_address(peer, forwarded, load_config().rate_limit.trusted_proxies))}"


def take(caller: Caller | None, environ: Mapping[str, Any]) -> Verdict:
    """Count one request."""
    limits, who = load_config().rate_limit, who_asks(caller, environ)
    if not caller:
        return _take(who, limits.by_ip)
    terms = client_registry().terms(caller.subject)
    return _take(who, (terms.limits if terms else None) or limits.by_jwt)


def _take(key: str, bucket: Bucket | BucketSize) -> Verdict:
    return rate_limiter().take(key, BucketSize(bucket.refill_per_sec, bucket.burst))


def limit_headers(verdict: Verdict) -> list[tuple[str, str]]:
    """In whole seconds and requests, as draft-ietf-httpapi-ratelimit-headers-03 has them."""
    headers = [
        ("RateLimit-Limit", str(verdict.limit)),
        ("RateLimit-Remaining", str(verdict.remaining)),
        ("RateLimit-Reset", str(math.ceil(verdict.reset_s))),
    ]
    if not verdict.is_allowed:
        headers.append(("Retry-After", str(max(1, math.ceil(verdict.retry_after_s)))))
    return headers
