"""The API against its own description: schemathesis asks whatever the schema allows, and what it does not.

Some tens of cases an address by default; thousands with `--hypothesis-profile=thorough --timeout=0`.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api.direct.wsgi import DirectWsgi
from swapstats.adapters.system.rate_limiter import LocalRateLimiter
from swapstats.ports.rate_limiter import BucketSize, Verdict
from tests.parts.api_site import api_over, trade
from tests.parts.live_feed import LiveFeed
from tests.parts.tokens import bearer

pytestmark = pytest.mark.django_db

QUICK = 20
EXAMPLES = QUICK if settings.get_current_profile_name() == "quick" else settings().max_examples
CASES = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


class Generous:
    """Says what is left as a limiter does, and never refuses."""

    def __init__(self) -> None:
        self._limiter = LocalRateLimiter()

    def take(self, key: str, size: BucketSize, cost: int = 1) -> Verdict:
        return self._limiter.take(key, size, cost)._replace(is_allowed=True)


@pytest.fixture
def schema(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    feed, generous = LiveFeed(), Generous()
    trade(feed)
    api_over(feed, monkeypatch)
    monkeypatch.setattr("api.direct.prepared.live_view", lambda: feed.view)
    monkeypatch.setattr("api.throttling.rate_limiter", lambda: generous)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/schema/", DirectWsgi(get_wsgi_application()))
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


TOKENS = {"good": lambda: bearer("fuzz"), "broken": lambda: {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("token", TOKENS)
def test_every_address_does_as_described(schema: Any, token: str, mode: GenerationMode) -> None:
    headers = TOKENS[token]()
    for found in schema.get_all_operations():
        _try(found.ok(), headers, mode)


def _excluded(case: Any) -> list[Any]:
    """An archive or a store that is away is a 503, as described. What makes a cursor or a span of time a good one is
    more than a schema can say."""
    checks = [not_a_server_error]
    if "cursor" in (case.query or {}) or case.path.endswith(("/candles", "/daily", "/trades")):
        checks.append(positive_data_acceptance)
    return checks


def _try(operation: Any, headers: dict[str, str], mode: GenerationMode) -> None:
    @CASES
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        response = case.call(headers=headers | {"Accept-Encoding": "identity"})
        assert response.status_code != 500
        case.validate_response(response, headers=headers, excluded_checks=_excluded(case))

    run()
