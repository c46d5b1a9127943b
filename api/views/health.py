"""Whether this process lives, and whether it can do its work. Open to all."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from api.rendering import encode
from realtime.feed import FeedHealth
from settings.config import load_config
from swapstats.bootstrap import client_registry, view_feed

NO_STORE = {"Cache-Control": "no-store"}


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Touches nothing that could be away."""
    return HttpResponse(b'{"status":"ok"}', content_type="application/json", headers=NO_STORE)


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 where live answers are fresh, else 503; either way the state of each thing that they depend on."""
    checks = _checks(view_feed().health(), load_config().api.http.stale_after_ms)
    if load_config().security.jwt.enabled:
        checks["api_clients"] = _api_clients()
    is_ready = all(check["status"] == "ok" for check in checks.values())
    body = {"status": "ok" if is_ready else "unavailable", "checks": checks}
    response = HttpResponse(
        encode(body), status=200 if is_ready else 503, content_type="application/json", headers=NO_STORE
    )
    response._has_been_logged = True  # type: ignore[attr-defined]  # not to be ready is an answer, not an error
    return response


def _checks(health: FeedHealth, stale_after_ms: int) -> dict[str, dict[str, object]]:
    return {
        "redis": {"status": "unavailable" if health.trouble else "ok", "detail": health.trouble},
        "live_view": _live_view(health, stale_after_ms),
    }


def _api_clients() -> dict[str, object]:
    """Whoever does not know yet whose tokens were revoked is not to be asked."""
    is_read = client_registry().is_read()
    return {"status": "ok" if is_read else "unavailable", "detail": None if is_read else "not read yet"}


def _live_view(health: FeedHealth, stale_after_ms: int) -> dict[str, object]:
    detail = None
    if not health.is_loaded:
        detail = "not loaded yet"
    elif health.lag_ms is None:
        detail = "no worker has published yet"
    elif health.lag_ms > stale_after_ms:
        detail = f"the stalest partition is more than {stale_after_ms} ms old"
    return {
        "status": "unavailable" if detail else "ok",
        "lag_ms": health.lag_ms,
        "detail": detail,
        "ticks": health.ticks,
        "reloads": health.reloads,
    }
