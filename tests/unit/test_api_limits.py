"""Who is let in, and how often: tokens, sessions, addresses, allowances."""

import json
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from api.client_address import client_address, rate_key
from realtime.view import LiveView
from settings.config import load_config
from swapstats.adapters.system.rate_limiter import MAX_BUCKETS, LocalRateLimiter
from swapstats.domain.token_bucket import draw
from swapstats.ports.rate_limiter import BucketSize
from tests.parts.live_feed import LiveFeed, traded
from tests.parts.tokens import bearer, token

PATH = "/api/tokens/usdc/stats"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A site with one token, whose limits are this process's own and go by the clock."""
    clock, feed = Clock(), LiveFeed()
    feed.begin({"1:0xa0": traded(1)})
    limiter = LocalRateLimiter(clock)
    monkeypatch.setattr("api.views.stats.live_view", lambda: feed.view)
    monkeypatch.setattr("api.throttling.rate_limiter", lambda: limiter)
    return clock


def configure(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    config = load_config()
    changed = config.model_copy(update=changes)
    for module in ("auth", "throttling"):
        monkeypatch.setattr(f"api.{module}.load_config", lambda: changed)


def code(response: Any) -> str:
    return json.loads(response.content)["code"]


# Tokens


def test_nobody_without_a_token(clock: Clock, client: Client) -> None:
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}):
        response = client.get(PATH, headers=headers)
        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith('Bearer realm="swapstats"')
        assert code(response) in ("not_authenticated", "bad_token")
    assert client.get(PATH, headers=bearer()).status_code == 200
    assert client.get(PATH, headers={"authorization": f"bearer  {token()}"}).status_code == 200


def test_why_a_token_is_refused(clock: Clock, client: Client) -> None:
    for claims, expected in (
        ({"exp": 1}, "token_expired"),
        ({"aud": "other"}, "bad_token"),
        ({"token_type": "refresh"}, "bad_token"),
    ):
        response = client.get(PATH, headers=bearer(**claims))
        assert (response.status_code, code(response)) == (401, expected)
        assert 'error="invalid_token"' in response["WWW-Authenticate"]


def test_everybody_where_tokens_are_not_asked_for(
    clock: Clock, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    security = load_config().security
    open_to_all = security.model_copy(update={"jwt": security.jwt.model_copy(update={"enabled": False})})
    configure(monkeypatch, security=open_to_all)
    assert client.get(PATH).status_code == 200
    assert client.get(PATH, headers={"Authorization": "Bearer rubbish"}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/api/schema/", "/api/schema/websocket/", "/api/docs/"])
def test_what_is_open_to_all(clock: Clock, client: Client, path: str) -> None:
    assert client.get(path).status_code == 200


def test_whoever_is_logged_in_needs_no_token(clock: Clock, client: Client, db: None, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("ann", password="x"))
    response = client.get(PATH)
    assert (response.status_code, response["RateLimit-Limit"]) == (200, "200")


# Allowances


def test_every_answer_says_what_is_left(clock: Clock, client: Client) -> None:
    headers = bearer("machine")
    response = client.get(PATH, headers=headers)
    assert [response[f"RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")] == ["200", "199", "1"]
    for path, status in (("/api/tokens/nope/stats", 404), ("/api/tokens/stats", 400), ("/api/nothing", 404)):
        response = client.get(path, headers=headers)
        assert response.status_code == status
        assert response["RateLimit-Limit"] == "200"
    assert client.post(PATH, headers=headers)["RateLimit-Remaining"] == "195"
    assert client.get(PATH, headers={"Authorization": "Bearer rubbish"})["RateLimit-Limit"] == "60"


def test_a_burst_and_what_is_refilled_and_not_one_more(clock: Clock, client: Client) -> None:
    headers = bearer("machine")
    allowed = 0
    for number in range(400):
        clock.now = 1_000 + number / 400
        allowed += client.get(PATH, headers=headers).status_code == 200
    assert allowed == 249
    clock.now = 1_001
    assert client.get(PATH, headers=headers).status_code == 200
    response = client.get(PATH, headers=headers)
    assert (response.status_code, code(response)) == (429, "rate_limited")
    assert (response["RateLimit-Remaining"], response["RateLimit-Reset"], response["Retry-After"]) == ("0", "4", "1")
    assert client.get(PATH, headers=bearer("another")).status_code == 200


def test_without_a_token_the_address_counts(clock: Clock, client: Client) -> None:
    answers = [client.get(PATH, REMOTE_ADDR="192.0.2.1").status_code for _ in range(61)]
    assert answers == [401] * 60 + [429]
    assert client.get(PATH, REMOTE_ADDR="192.0.2.2").status_code == 401
    spoofed = client.get(PATH, REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": "198.51.100.7"})
    assert spoofed.status_code == 429


def test_refused_tokens_count(clock: Clock, client: Client) -> None:
    answers = [client.get(PATH, headers={"Authorization": f"Bearer {n}"}).status_code for n in range(61)]
    assert answers == [401] * 60 + [429]


def test_behind_a_trusted_proxy_its_client_counts(
    clock: Clock, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = load_config().rate_limit.model_copy(update={"trusted_proxies": (ip_network("10.0.0.0/8"),)})
    configure(monkeypatch, rate_limit=limits)
    for number in range(61):
        response = client.get(PATH, REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": f"198.51.100.{number}"})
        assert response.status_code == 401
    for number in range(61):
        forwarded = {"X-Forwarded-For": f"203.0.113.{number}, 192.0.2.9, 10.1.1.1"}
        response = client.get(PATH, REMOTE_ADDR="10.0.0.1", headers=forwarded)
    assert response.status_code == 429


TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1 , 10.2.2.2", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, rubbish, 10.2.2.2", "10.2.2.2"),
        ("10.0.0.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", ""),
        ("unix:", "198.51.100.1", ""),
    ],
)
def test_whose_address(peer: str, forwarded: str, expected: str) -> None:
    address = client_address(peer, forwarded, TRUSTED)
    assert str(address or "") == expected


@given(st.text(max_size=60), st.text(max_size=200))
def test_no_header_makes_it_fail(peer: str, forwarded: str) -> None:
    client_address(peer, forwarded, TRUSTED)
    client_address("10.0.0.1", forwarded, TRUSTED)


def test_one_customer_of_ipv6_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {rate_key(client_address(f"2001:db8::{n:x}", "", ())) for n in range(5)}
    assert keys == {"2001:db8::/64"}
    assert rate_key(None) == ""


# The bucket


@given(
    st.floats(0.1, 1_000),
    st.integers(1, 300),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 3)), max_size=60),
)
def test_a_bucket_never_gives_more_than_burst_and_refill(
    refill: float, burst: int, draws: list[tuple[float, int]]
) -> None:
    now, full_at, given_out = 100.0, 0.0, 0
    for pause, cost in draws:
        now += pause
        drawn = draw(full_at, now, refill, burst, cost)
        full_at = drawn.full_at
        if drawn.is_allowed:
            given_out += cost
        elif cost <= burst:
            assert draw(full_at, now + drawn.wait, refill, burst, cost).is_allowed
        assert given_out <= burst + (now - 100.0) * refill + 0.01
        assert 0 <= drawn.remaining <= burst


def test_what_is_asked_for_too_often_costs_nothing() -> None:
    clock = Clock()
    limiter = LocalRateLimiter(clock)
    size = BucketSize(10, 5)
    assert [limiter.take("a", size).is_allowed for _ in range(20)] == [True] * 5 + [False] * 15
    clock.now += 0.1
    assert limiter.take("a", size).is_allowed


def test_only_so_many_buckets_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swapstats.adapters.system.rate_limiter.MAX_BUCKETS", 10)
    limiter = LocalRateLimiter()
    for number in range(100):
        limiter.take(str(number), BucketSize(1, 1))
    assert len(limiter._full_at) == 10
    assert MAX_BUCKETS == 100_000


def test_the_view_is_not_asked_for_those_who_are_refused(
    clock: Clock, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> LiveView:
        raise AssertionError

    monkeypatch.setattr("api.views.stats.live_view", fail)
    assert client.get(PATH).status_code == 401
