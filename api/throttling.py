"""How much each caller may ask for: a token bucket by `sub`, else by the client's address (CONTRACT §3)."""

import math
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from api.auth import caller_of
from api.client_address import client_address, rate_key
from settings.config import Bucket, load_config
from swapstats.bootstrap import rate_limiter
from swapstats.ports.rate_limiter import BucketSize, Verdict


class TokenBucketThrottle(BaseThrottle):
    """Leaves its verdict on the request, for the answer's headers."""

    def allow_request(self, request: Request, view: Any) -> bool:
        key, bucket = _bucket_of(request)
        self._verdict: Verdict = rate_limiter().take(key, BucketSize(bucket.refill_per_sec, bucket.burst))
        request._request.rate_verdict = self._verdict  # type: ignore[attr-defined]
        return self._verdict.is_allowed

    def wait(self) -> float:
        return self._verdict.retry_after_s


def _bucket_of(request: Request) -> tuple[str, Bucket]:
    limits = load_config().rate_limit
    caller = caller_of(request)
    if caller:
        return f"sub:{caller.subject}", limits.by_jwt
    address = client_address(
        request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""), limits.trusted_proxies
    )
    return f"ip:{rate_key(address)}", limits.by_ip


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
