"""How much each caller may ask for: a token bucket by `sub`, else by the client's address (CONTRACT §3)."""

import math
from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from api.auth import caller_of
from api.client_address import client_address, rate_key
from settings.config import Bucket, load_config
from swapstats.bootstrap import rate_limiter
from swapstats.ports.rate_limiter import BucketSize, Verdict


class TokenBucketThrottle(BaseThrottle):
    """Leaves its verdict on the request, for the answer's headers."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        key, bucket = _bucket_of(request)
        self._verdict: Verdict = rate_limiter().take(key, BucketSize(bucket.refill_per_sec, bucket.burst))
        request._request.rate_verdict = self._verdict  # type: ignore[attr-defined]
        return self._verdict.is_allowed

    def wait(self) -> float:
        return self._verdict.retry_after_s


class RateLimited(APIView):
    """Counts a request before anything else is looked at, but who sends it: so refused tokens count as well. Every
    answer says what is left."""

    throttle_classes = (TokenBucketThrottle,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        refused = self._authenticate(request)
        super().check_throttles(request)
        if refused:
            raise refused
        super().initial(request, *args, **kwargs)

    def check_throttles(self, request: Request) -> None:
        """That was done first."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        verdict = getattr(request, "rate_verdict", None)
        if verdict:
            for name, value in _headers(verdict):
                response.headers[name] = value
        return super().finalize_response(request, response, *args, **kwargs)

    def _authenticate(self, request: Request) -> APIException | None:
        try:
            self.perform_authentication(request)
        except APIException as error:
            return error
        return None


def _bucket_of(request: Request) -> tuple[str, Bucket]:
    limits = load_config().rate_limit
    caller = caller_of(request)
    if caller:
        return f"sub:{caller.subject}", limits.by_jwt
    address = client_address(
        request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""), limits.trusted_proxies
    )
    return f"ip:{rate_key(address)}", limits.by_ip


def _headers(verdict: Verdict) -> list[tuple[str, str]]:
    """In whole seconds and requests, as draft-ietf-httpapi-ratelimit-headers-03 has them."""
    headers = [
        ("RateLimit-Limit", str(verdict.limit)),
        ("RateLimit-Remaining", str(verdict.remaining)),
        ("RateLimit-Reset", str(math.ceil(verdict.reset_s))),
    ]
    if not verdict.is_allowed:
        headers.append(("Retry-After", str(max(1, math.ceil(verdict.retry_after_s)))))
    return headers
