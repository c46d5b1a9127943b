"""The API's addresses, over a live view that the test drives."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from api.pagination import FrozenOrders
from realtime.ranking import Ranking
from swapstats.adapters.system.rate_limiter import LocalRateLimiter
from swapstats.ports.order_store import Place
from tests.parts.live_feed import LiveFeed, traded
from tests.parts.tokens import bearer

USDC, OTHER_USDC, WETH = "1:0xa0b86991", "137:0x27f8d03b", "1:0xc02aaa39"
SOLANA = "501:So11111111111111111111111111111111111111112"
ODD = "7:a/stats/ü:x"


class Api:
    def __init__(self, feed: LiveFeed) -> None:
        self.feed = feed
        self.client = Client(raise_request_exception=False, headers=bearer())

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.client.get(path, headers=headers)

    def json(self, path: str) -> Any:
        response = self.get(path)
        assert response.status_code == 200, response.content
        return json.loads(response.content)


class _Never:
    """Keeps nothing, so that each answer is of now."""

    def get(self, key: object, make: Any) -> Any:
        return make()


class Shelf:
    """No other process is there to keep orders for."""

    def keep(self, places: Sequence[Place]) -> str | None:
        return None

    def find(self, name: str) -> Sequence[Place] | None:
        return None


def api_over(feed: LiveFeed, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The test's view in place of the process's own, and limits of its own."""
    ranking = Ranking(feed.view)
    for module in ("stats", "overview", "token_list"):
        monkeypatch.setattr(f"api.views.{module}.live_view", lambda: feed.view)
    for module in ("overview", "token_list"):
        monkeypatch.setattr(f"api.views.{module}.token_ranking", lambda: ranking)
    monkeypatch.setattr("api.throttling.rate_limiter", LocalRateLimiter)
    monkeypatch.setattr("api.views.overview._recent", _Never())
    monkeypatch.setattr("api.views.token_list._matching", _Never())
    monkeypatch.setattr("api.views.token_list._frozen", FrozenOrders(Shelf))
    return Api(feed)


def trade(feed: LiveFeed) -> None:
    """Five tokens, two of which carry the same symbol and one none."""
    feed.begin(
        {
            USDC: traded(5, 3),
            OTHER_USDC: traded(2),
            WETH: traded(1, price=2_000, symbol="WETH"),
            SOLANA: traded(4, symbol=None),
            ODD: traded(1, symbol="ÄÖ/x"),
        }
    )


def problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """What the answer says, which is a problem with this status and code."""
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json"), response.content
    body = json.loads(response.content)
    assert set(body) == {"type", "title", "status", "detail", "code", "request_id"}
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:swapstats:problem:{code}")
    assert body["request_id"] == response["X-Request-ID"] != ""
    return body
