"""The hot path answers as the framework does: the same requests both ways, over WSGI and over ASGI."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

import pytest
from asgiref.sync import async_to_sync
from django.core.asgi import get_asgi_application
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from prometheus_client import REGISTRY

from api.direct.asgi import DirectAsgi
from api.direct.wsgi import DirectWsgi
from settings.config import load_config
from swapstats.adapters.system.rate_limiter import LocalRateLimiter
from swapstats.metrics.noted import tell_noted
from tests.parts.api_site import OTHER_USDC, USDC, WETH, Api, api_over, trade
from tests.parts.live_feed import LiveFeed, traded
from tests.parts.tokens import bearer, token

STATS = f"/api/tokens/{USDC}/stats"
OVERVIEW = "/api/overview"
BATCH = "/api/tokens/stats"
NAMED = {"X-Request-ID": "given-by-a-proxy"}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Limits:
    """The process's limiter, new for each request that is compared. Counts how often it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("api.throttling.rate_limiter", lambda: self)
        self.renew()

    def renew(self) -> None:
        self.limiter, self.asked = LocalRateLimiter(lambda: 1_000.0), 0

    def take(self, *arguments: Any) -> Any:
        self.asked += 1
        return self.limiter.take(*arguments)


class Site:
    """One application with the hot path in front of it, and without."""

    def __init__(self, ask: Callable[..., Answer], framework: Any, direct: type) -> None:
        self.forwarded = 0
        self._ask = ask
        self._framework = framework
        self._direct = direct(self._forward)

    def _forward(self, *arguments: Any) -> Any:
        self.forwarded += 1
        return self._framework(*arguments)

    def framework(self, path: str, **headers: str) -> Answer:
        return self._ask(self._framework, path, headers)

    def direct(self, path: str, **headers: str) -> Answer:
        return self._ask(self._direct, path, headers)


def ask_wsgi(application: Any, address: str, headers: dict[str, str]) -> Answer:
    path, _, query = address.partition("?")
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items() if name != "method"}
    environ = {
        "REQUEST_METHOD": headers.get("method", "GET"),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_HOST": "testserver",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        **named,
    }
    told: list[Any] = []
    chunks = application(environ, lambda status, headers, *_: told.extend([status, headers]))
    return Answer(int(told[0][:3]), {name.lower(): value for name, value in told[1]}, b"".join(chunks))


def ask_asgi(application: Any, address: str, headers: dict[str, str]) -> Answer:
    path, _, query = address.partition("?")
    named = {"host": "testserver"} | {name.lower(): value for name, value in headers.items() if name != "method"}
    scope = {
        "type": "http",
        "method": headers.get("method", "GET"),
        "path": unquote_to_bytes(path).decode(),
        "query_string": query.encode(),
        "client": ("192.0.2.1", 4711),
        "scheme": "http",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items()],
    }
    sent: list[Any] = []
    bodies = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not bodies:
            await asyncio.Event().wait()
        return bodies.pop()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async_to_sync(application)(scope, receive, send)
    told = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.fixture(autouse=True)
def _connections_stay() -> Iterator[None]:
    """As Django's own test client has it: a request ends no connection to the tests' database."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    feed = LiveFeed()
    trade(feed)
    api = api_over(feed, monkeypatch)
    monkeypatch.setattr("api.direct.prepared.live_view", lambda: feed.view)
    return api


@pytest.fixture
def limits(api: Api, monkeypatch: pytest.MonkeyPatch) -> Limits:
    return Limits(monkeypatch)


@pytest.fixture(params=["wsgi", "asgi"])
def site(request: pytest.FixtureRequest, limits: Limits) -> Site:
    if request.param == "wsgi":
        return Site(ask_wsgi, get_wsgi_application(), DirectWsgi)
    return Site(ask_asgi, get_asgi_application(), DirectAsgi)


def compared(site: Site, limits: Limits, path: str, headers: dict[str, str]) -> bool:
    """Asks both ways, once more after what was to be learned is known; whether the answer was direct."""
    limits.renew()
    expected, expected_asked = site.framework(path, **headers), limits.asked
    site.direct(path, **headers)
    limits.renew()
    before = site.forwarded
    answer = site.direct(path, **headers)
    assert answer == expected
    assert limits.asked == expected_asked
    return site.forwarded == before


PLAIN = [
    (STATS, {}),
    ("/api/tokens/usdc/stats", {}),
    ("/api/tokens/1%3A0xa0b86991/stats", {}),
    (f"{STATS}?windows=1h,5m", {}),
    (f"{STATS}?windows=5m&fields=trades", {}),
    (f"{STATS}?unknown=1", {}),
    (STATS, {"Accept": "*/*"}),
    (STATS, {"Accept": "application/json"}),
    (STATS, {"Accept-Encoding": "gzip, br"}),
    (STATS, {"If-None-Match": "*"}),
    (STATS, {"If-None-Match": '"another"'}),
    (STATS, {"Cookie": "sessionid=of-no-session"}),
    (STATS, {"X-Forwarded-For": "203.0.113.1"}),
    (OVERVIEW, {}),
    (OVERVIEW, {"Accept-Encoding": "gzip"}),
    (OVERVIEW, {"Accept-Encoding": "gzip;q=0"}),
    (f"{OVERVIEW}?windows=5m&limit=1", {"Accept-Encoding": "gzip"}),
    (f"{OVERVIEW}?sort=trades&order=asc&chain_id=137&fields=trades", {}),
    (f"{BATCH}?ids=usdc", {}),
    (f"{BATCH}?ids={USDC},weth&ids=usdc&windows=5m", {}),
    (f"{BATCH}?ids=usdc,weth&windows=5m,1h&fields=from,trades", {"If-None-Match": "*"}),
    (f"{BATCH}?ids=usdc,nothing,%00,1:0xdead,{'x' * 300}", {"Accept-Encoding": "gzip"}),
    (f"{BATCH}?ids={','.join([USDC] * 100)}", {"Accept-Encoding": "gzip"}),
]

ODD = [
    ("/api/tokens/1:0xdead/stats", {}),
    ("/api/tokens/%C3%A4%C3%B6%2Fx/stats", {}),
    (f"/api/tokens/{'x' * 600}/stats", {}),
    (f"{STATS}?windows=7m", {}),
    (f"{STATS}?windows=", {}),
    (f"{STATS}?fields=profit", {}),
    (f"{STATS}?format=json", {}),
    (f"{STATS}?format=nonsense", {}),
    (f"{STATS}?windows=%00", {}),
    (f"{STATS}?windows=5m&a={'x' * 600}", {}),
    (f"{OVERVIEW}?sort=profit", {}),
    (f"{OVERVIEW}?limit=101", {}),
    (STATS, {"Authorization": ""}),
    (STATS, {"Authorization": "Basic bWU6bWU="}),
    (STATS, {"Authorization": "Bearer nonsense"}),
    (STATS, {"Authorization": "Bearer "}),
    (STATS, {"Accept": "text/html"}),
    (STATS, {"Accept": "application/json; indent=4"}),
    (STATS, {"Origin": "https://elsewhere.example.org"}),
    (STATS, {"X-Requested-With": "XMLHttpRequest"}),
    (STATS, {"method": "HEAD"}),
    (STATS, {"method": "OPTIONS"}),
    (STATS, {"method": "POST"}),
    (BATCH, {}),
    (f"{BATCH}?ids=,", {}),
    (f"{BATCH}?ids={','.join([USDC] * 101)}", {}),
    (f"{BATCH}?ids=usdc&windows=7m", {}),
    (f"{BATCH}?ids=usdc&format=json", {}),
    (f"{BATCH}?ids={'x' * 8_200}", {}),
    (f"{OVERVIEW}?a={'x' * 600}", {}),
    ("/api/tokens", {}),
    ("/api/nothing", {}),
    ("/healthz", {}),
]


@pytest.mark.parametrize(("path", "headers"), PLAIN)
def test_plain_requests_are_answered_directly(site: Site, limits: Limits, path: str, headers: dict[str, str]) -> None:
    assert compared(site, limits, path, bearer() | NAMED | headers)


@pytest.mark.parametrize(("path", "headers"), ODD)
def test_all_else_is_for_the_framework(site: Site, limits: Limits, path: str, headers: dict[str, str]) -> None:
    assert not compared(site, limits, path, bearer() | NAMED | headers)


def test_what_is_held_is_not_sent_again(site: Site, limits: Limits) -> None:
    for path in (STATS, OVERVIEW):
        tag = site.framework(path, **bearer()).headers["etag"]
        assert compared(site, limits, path, bearer() | NAMED | {"If-None-Match": tag})


def test_expired_and_foreign_tokens_are_for_the_framework(site: Site, limits: Limits) -> None:
    for claims in ({"exp": 1}, {"aud": "another"}, {"nbf": 2**40}):
        assert not compared(site, limits, STATS, {"Authorization": f"Bearer {token('x', **claims)}"} | NAMED)


def test_hosts_that_are_not_ours_are_for_the_framework(site: Site, limits: Limits, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    assert compared(site, limits, STATS, bearer() | NAMED)
    assert not compared(site, limits, STATS, bearer() | NAMED | {"Host": "elsewhere.example.org"})


def test_production_sends_everybody_to_https(limits: Limits, settings: Any, api: Api) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 3600
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    for ask, framework, direct in (
        (ask_wsgi, get_wsgi_application(), DirectWsgi),
        (ask_asgi, get_asgi_application(), DirectAsgi),
    ):
        site = Site(ask, framework, direct)
        assert compared(site, limits, STATS, bearer() | NAMED | {"X-Forwarded-Proto": "https"})
        assert not compared(site, limits, STATS, bearer() | NAMED | {"X-Forwarded-Proto": "http"})
        assert not compared(site, limits, STATS, bearer() | NAMED)


def test_answers_follow_the_view(site: Site, limits: Limits, api: Api) -> None:
    assert compared(site, limits, STATS, bearer() | NAMED)
    for change in (
        lambda: api.feed.pass_time(100),
        lambda: api.feed.step({USDC: traded(9)}),
        lambda: api.feed.step(gone=[OTHER_USDC]),
        lambda: api.feed.pass_time(60_000),
    ):
        change()
        assert compared(site, limits, STATS, bearer() | NAMED)
    api.feed.step(gone=[USDC])
    assert not compared(site, limits, STATS, bearer() | NAMED)


def test_each_answer_has_an_id_of_its_own(site: Site, limits: Limits) -> None:
    ids = {site.direct(STATS, **bearer()).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5
    assert site.direct(STATS, **bearer(), **{"X-Request-ID": "not an id"}).headers["x-request-id"] != "not an id"


def test_what_is_left_is_told_and_ends(site: Site, limits: Limits) -> None:
    """The framework tells those who are refused, and they are not counted again."""
    headers, burst = bearer("greedy"), load_config().rate_limit.by_jwt.burst
    left = [int(site.direct(STATS, **headers).headers["ratelimit-remaining"]) for _ in range(burst)]
    assert left == list(range(burst - 1, -1, -1))
    asked = limits.asked
    refused = site.direct(STATS, **headers)
    assert (refused.status, json.loads(refused.body)["code"]) == (429, "rate_limited")
    assert refused.headers["retry-after"] == "1"
    assert limits.asked == asked + 1


def test_where_nobody_needs_a_token_the_address_counts(
    site: Site, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    security = load_config().security
    jwt = security.jwt.model_copy(update={"enabled": False})
    config = load_config().model_copy(update={"security": security.model_copy(update={"jwt": jwt})})
    for module in ("api.direct.plain", "api.throttling", "api.auth"):
        monkeypatch.setattr(f"{module}.load_config", lambda: config)
    assert compared(site, limits, STATS, NAMED)
    assert compared(site, limits, STATS, NAMED | {"Authorization": "Bearer of-no-matter"})
    assert site.direct(STATS).headers["ratelimit-limit"] == str(config.rate_limit.by_ip.burst)


def counted() -> dict[tuple[str, ...], float]:
    tell_noted()
    samples = (sample for metric in REGISTRY.collect() for sample in metric.samples)
    counts = (sample for sample in samples if sample.name.startswith("django_http_"))
    skipped = ("_created", "_sum", "_bucket")
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for sample in counts
        if not sample.name.endswith(skipped)
    }


@pytest.mark.parametrize("headers", [{}, {"If-None-Match": "*"}])
@pytest.mark.parametrize("path", [STATS, OVERVIEW])
def test_metrics_count_both_alike(site: Site, limits: Limits, path: str, headers: dict[str, str]) -> None:
    headers |= bearer()
    site.direct(path, **headers)

    def growth(ask: Callable[..., Answer]) -> dict[tuple[str, ...], float]:
        before = counted()
        ask(path, **headers)
        return {key: value - before.get(key, 0) for key, value in counted().items() if value != before.get(key, 0)}

    assert growth(site.direct) == growth(site.framework) != {}


def test_a_view_that_is_not_loaded_is_for_the_framework(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = LiveFeed()
    for module in ("api.views.stats", "api.views.overview", "api.direct.prepared"):
        monkeypatch.setattr(f"{module}.live_view", lambda: empty.view)
    site = Site(ask_wsgi, get_wsgi_application(), DirectWsgi)
    for path in (STATS, OVERVIEW, f"/api/tokens/{WETH}/stats"):
        assert not compared(site, limits, path, bearer() | NAMED)
