"""Who was refused is seen in the admin: over HTTP, at the WebSocket, at the admin's door."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from redis import Redis
from websockets.asyncio.client import connect

from realtime.admission import Admission
from realtime.allowance import SharedAllowance
from swapstats import bootstrap
from swapstats.adapters.redis.refusal_log import RedisRefusalLog
from swapstats.adapters.system.rate_limiter import LocalRateLimiter
from swapstats.ports.rate_limiter import BucketSize
from swapstats.refusals import Refusals
from tests.parts.live_feed import LiveFeed, traded
from tests.parts.operators import client_of, text_of
from tests.parts.tokens import bearer, token
from tests.parts.web_socket import ending, hear, say, service_of, serving

pytestmark = pytest.mark.redis

PAGE = "/admin/api/refusal/"
STATS = "/api/tokens/usdc/stats"


@pytest.fixture
def refusals(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Refusals]:
    """Counted anew, and told to the test's Redis."""
    cache.clear()
    refusals, limiter, feed = Refusals(), LocalRateLimiter(lambda: 1_000.0), LiveFeed()
    feed.begin({"1:0xa0": traded(1)})
    monkeypatch.setattr("api.views.stats.live_view", lambda: feed.view)
    monkeypatch.setattr("api.throttling.rate_limiter", lambda: limiter)
    for module in ("api.views.base", "api.guessing"):
        monkeypatch.setattr(f"{module}.refusals", lambda: refusals)
    with Redis.from_url(redis_url) as client:
        log = RedisRefusalLog(client, "test:")
        monkeypatch.setattr(bootstrap, "refusal_log", lambda: log)
        yield refusals


def seen(refusals: Refusals) -> dict[tuple[str, str], int]:
    refusals.tell(bootstrap.refusal_log())
    return {(each.who, each.code): each.times for each in bootstrap.refusal_log().recent()}


def test_requests(refusals: Refusals, db: None) -> None:
    client, secret = Client(), token("greedy")
    for _ in range(205):
        client.get(STATS, headers={"Authorization": f"Bearer {secret}"})
    stale = token("late", exp=1)
    for _ in range(3):
        client.get(STATS, headers={"Authorization": f"Bearer {stale}"}, REMOTE_ADDR="192.0.2.7")
    client.get(STATS, REMOTE_ADDR="2001:db8::7", headers={"X-Forwarded-For": "198.51.100.1"})
    client.get(STATS, REMOTE_ADDR="192.0.2.8", headers={"Authorization": "Bearer rubbish"})
    client.get("/api/tokens/nope/stats", headers=bearer("fine"))
    assert seen(refusals) == {
        ("sub:greedy", "rate_limited"): 5,
        ("ip:192.0.2.7", "token_expired"): 3,
        ("ip:2001:db8::/64", "not_authenticated"): 1,
        ("ip:192.0.2.8", "bad_token"): 1,
    }
    page = text_of(client_of("view_refusal").get(PAGE))
    assert "sub:greedy" in page
    assert "within a day: 4" in page
    for told in (secret, stale, secret.rpartition(".")[2], "rubbish", "late"):
        assert told not in page


def test_passwords(refusals: Refusals, db: None) -> None:
    guess = {"username": "root", "password": "guess"}
    for _ in range(11):
        Client().post("/admin/login/", guess)
        Client().post("/api/auth/token", json.dumps(guess), content_type="application/json")
    found = seen(refusals)
    assert found.keys() == {
        ("ip:127.0.0.1", "admin:rate_limited"),
        ("ip:127.0.0.1", "not_authenticated"),
        ("ip:127.0.0.1", "rate_limited"),
    }


async def test_websockets(refusals: Refusals) -> None:
    feed, limiter = LiveFeed(), LocalRateLimiter(lambda: 1_000.0)
    feed.begin({"1:0xa": traded(1)})
    allowance = SharedAllowance(lambda: limiter, BucketSize(0.001, 2), lambda _: "192.0.2.9")
    admission = Admission(bootstrap.token_verifier, lambda: None)  # type: ignore[arg-type, return-value]
    service = service_of(feed, admission, allowance)
    service.note_refusal = refusals.note
    async with serving(service) as running:
        for headers in ({"Authorization": "Bearer x"}, bearer(exp=1), {}):
            async with connect(running.url, additional_headers=headers) as client:
                await ending(client)
        async with connect(running.url, additional_headers=bearer("busy")) as client:
            for number in range(2):
                await say(client, subscribe="token:USDC", id=number)
            await hear(client, "error")
    assert seen(refusals) == {
        ("ip:192.0.2.9", "ws:not_authenticated"): 1,
        ("ip:192.0.2.9", "ws:token_expired"): 1,
        ("ip:192.0.2.9", "ws:rate_limited"): 1,
        ("sub:busy", "ws:rate_limited"): 1,
    }


def test_it_is_searched_by_whoever_may_look(refusals: Refusals, db: None) -> None:
    for number in range(300):
        refusals.note(f"ip:192.0.2.{number}", "bad_token")
    refusals.note("sub:<b>bold</b>", "rate_limited")
    refusals.tell(bootstrap.refusal_log())
    viewer = client_of("view_refusal")
    page = text_of(viewer.get(PAGE))
    assert "within a day: 301, of which these are the latest" in page
    assert "&lt;b&gt;bold" in page
    found = text_of(viewer.get(f"{PAGE}?q=rate_lim"))
    assert "within a day: 1<" in found
    assert client_of().get(PAGE).status_code == 403
    assert viewer.post(f"{PAGE}add/").status_code == 403


def test_without_redis_the_page_says_so(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    away = RedisRefusalLog(Redis.from_url("redis://127.0.0.1:1/0"), "test:")
    monkeypatch.setattr(bootstrap, "refusal_log", lambda: away)
    assert "Redis: " in text_of(client_of("view_refusal").get(PAGE), 503)


def test_refusing_waits_for_nobody(refusals: Refusals, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise AssertionError

    monkeypatch.setattr(bootstrap, "refusal_log", fail)
    assert Client().get(STATS).status_code == 401
