"""API clients: made in the admin, with a token that is shown once and limits of their own, and revoked everywhere."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import DatabaseError
from django.test import Client
from websockets.asyncio.client import connect

from api.models import ApiClient
from realtime.admission import Admission
from realtime.protocol import CloseCode
from swapstats.adapters.database.client_registry import DatabaseClientRegistry
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.system.rate_limiter import LocalRateLimiter
from swapstats.bootstrap import client_registry, token_verifier
from swapstats.domain.errors import BadToken, DatabaseUnavailable
from swapstats.ports.token_verifier import Caller
from tests.parts.live_feed import LiveFeed, traded
from tests.parts.operators import client_of
from tests.parts.tokens import bearer, token
from tests.parts.web_process import WebProcess
from tests.parts.web_socket import ending, hear, service_of, serving

CLIENTS = "/admin/api/apiclient/"
STATS = "/api/tokens/usdc/stats"
NEW = {"subject": "desk-7", "purpose": "the desk's own board", "refill_per_sec": "", "burst": "", "valid_for": "30d"}
LATEST_S = 5.0
"""A look every two seconds, a sweep every second, and a slow machine."""


@pytest.fixture
def registry() -> Iterator[DatabaseClientRegistry]:
    """This process's, read when the test says so."""
    registry = client_registry()
    yield registry
    registry.__init__()  # type: ignore[misc]  # nothing of this test is known to others


@pytest.fixture
def site(registry: DatabaseClientRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    feed, limiter = LiveFeed(), LocalRateLimiter(lambda: 1_000.0)
    feed.begin({"1:0xa0": traded(1)})
    monkeypatch.setattr("api.views.stats.live_view", lambda: feed.view)
    monkeypatch.setattr("api.throttling.rate_limiter", lambda: limiter)


@pytest.fixture
def operator(db: None, site: None) -> Client:
    return client_of("add_apiclient", "view_apiclient", "change_apiclient")


def shown_token(response: Any) -> str:
    assert response.status_code == 200, response.content
    found = re.search(r'id="token">([\w.-]+)<', response.content.decode())
    assert found, response.content.decode()
    return found[1]


def made(operator: Client, **changes: str) -> tuple[ApiClient, str]:
    token = shown_token(operator.post(f"{CLIENTS}add/", NEW | changes))
    return ApiClient.objects.get(subject=changes.get("subject", NEW["subject"])), token


def asked(bearer_token: str) -> Any:
    return Client().get(STATS, headers={"Authorization": f"Bearer {bearer_token}"})


# In the admin


def test_a_token_is_shown_once_and_kept_nowhere(operator: Client) -> None:
    response = operator.post(f"{CLIENTS}add/", NEW)
    token = shown_token(response)
    assert "no-store" in response["Cache-Control"]
    assert token_verifier().verify(token).subject == "desk-7"
    assert asked(token).status_code == 200
    client = ApiClient.objects.get()
    assert client.token_expires_at
    assert client.token_expires_at.timestamp() == pytest.approx(time.time() + 30 * 86_400, abs=60)
    kept = [
        *map(str, ApiClient.objects.values_list()),
        *map(str, LogEntry.objects.values_list()),
        *(str(session.get_decoded()) for session in Session.objects.all()),
    ]
    for page in (CLIENTS, f"{CLIENTS}{client.pk}/change/", f"{CLIENTS}{client.pk}/history/", "/admin/"):
        kept.append(operator.get(page).content.decode())
    assert not any(token in text or token.rpartition(".")[2] in text for text in kept)
    assert [entry.is_addition() for entry in LogEntry.objects.all()] == [True]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"subject": "7"}, "Begin with a letter"),
        ({"subject": "user:7"}, "Begin with a letter"),
        ({"subject": "a b"}, "Begin with a letter"),
        ({"refill_per_sec": "5"}, "both limits, or none"),
        ({"refill_per_sec": "0", "burst": "5"}, "greater than or equal to 0.01"),
        ({"refill_per_sec": "nan", "burst": "5"}, "Enter a number"),
        ({"refill_per_sec": "5", "burst": "0"}, "greater than or equal to 1"),
        ({"valid_for": "30"}, "Expected a duration with its unit"),
        ({"valid_for": "0s"}, "for ten years at most"),
        ({"valid_for": "99999d"}, "for ten years at most"),
    ],
)
def test_what_is_no_client(operator: Client, changes: dict[str, str], complaint: str) -> None:
    page = operator.post(f"{CLIENTS}add/", NEW | changes)
    assert complaint in page.content.decode()
    assert not ApiClient.objects.exists()


def test_who_may_only_look_changes_nothing(operator: Client) -> None:
    client, _ = made(operator)
    viewer, nobody = client_of("view_apiclient"), client_of()
    page = viewer.get(f"{CLIENTS}{client.pk}/change/").content.decode()
    assert "/revoke/" not in page
    assert "/token/" not in page
    for user in (viewer, nobody):
        assert user.post(f"{CLIENTS}add/", NEW | {"subject": "x"}).status_code == 403
        for action in ("revoke", "token"):
            assert user.post(f"{CLIENTS}{client.pk}/{action}/", {"valid_for": "1d"}).status_code == 403
    assert nobody.get(CLIENTS).status_code == 403
    assert operator.post(f"{CLIENTS}{client.pk}/delete/", {"post": "yes"}).status_code == 403
    assert ApiClient.objects.get().revoked_at is None


@pytest.mark.parametrize("key", ["0", "x", "9" * 30, "_"])
def test_a_client_that_is_not_there(operator: Client, key: str) -> None:
    assert operator.post(f"{CLIENTS}{key}/revoke/").status_code == 404
    assert operator.get(f"{CLIENTS}{key}/token/").status_code == 404


def test_without_a_key_to_sign_with_a_client_has_no_token(operator: Client, settings: Any) -> None:
    settings.SIMPLE_JWT = settings.SIMPLE_JWT | {"SIGNING_KEY": ""}
    fields = {name: value for name, value in NEW.items() if name != "valid_for"}
    assert "valid_for" not in operator.get(f"{CLIENTS}add/").content.decode()
    assert "was added successfully" in operator.post(f"{CLIENTS}add/", fields, follow=True).content.decode()
    client = ApiClient.objects.get()
    assert client.token_expires_at is None
    assert "/token/" not in operator.get(f"{CLIENTS}{client.pk}/change/").content.decode()
    assert operator.post(f"{CLIENTS}{client.pk}/token/", {"valid_for": "1d"}).status_code == 404


# What is agreed counts


def test_limits_of_its_own(operator: Client, registry: DatabaseClientRegistry) -> None:
    client, token = made(operator, refill_per_sec="0.5", burst="3")
    registry.refresh()
    answers = [asked(token) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert (answers[0]["RateLimit-Limit"], answers[-1]["Retry-After"]) == ("3", "2")
    changed = {"purpose": "", "refill_per_sec": "1000", "burst": "1000"}
    assert operator.post(f"{CLIENTS}{client.pk}/change/", changed).status_code == 302
    registry.refresh()
    assert asked(token)["RateLimit-Limit"] == "1000"
    assert asked(bearer("another")["Authorization"].partition(" ")[2])["RateLimit-Limit"] == "200"


def test_a_revoked_client_is_refused(operator: Client, registry: DatabaseClientRegistry) -> None:
    client, token = made(operator)
    revoke = f"{CLIENTS}{client.pk}/revoke/"
    assert "Yes, revoke it" in operator.get(revoke).content.decode()
    registry.refresh()
    assert asked(token).status_code == 200
    assert "Revoked desk-7" in operator.post(revoke, follow=True).content.decode()
    registry.refresh()
    refused = asked(token)
    body = json.loads(refused.content)
    assert (refused.status_code, body["code"], body["detail"]) == (401, "bad_token", "The token was revoked.")
    assert 'error="invalid_token"' in refused["WWW-Authenticate"]
    assert "Revoked." in [entry.get_change_message() for entry in LogEntry.objects.all()]
    assert operator.post(f"{CLIENTS}{client.pk}/token/", {"valid_for": "1d"}).status_code == 404
    assert "/revoke/" not in operator.get(f"{CLIENTS}{client.pk}/change/").content.decode()
    listed = {
        state: "desk-7" in operator.get(f"{CLIENTS}?state={state}").content.decode() for state in ("live", "revoked")
    }
    assert listed == {"live": False, "revoked": True}
    assert operator.get(f"{CLIENTS}?q=board&o=3.4.5").status_code == 200


def test_a_new_token_beside_the_old_or_in_its_place(operator: Client, registry: DatabaseClientRegistry) -> None:
    client, _ = made(operator)
    old = token("desk-7", iat=int(time.time()) - 60)
    page = f"{CLIENTS}{client.pk}/token/"
    assert "Yes, issue it" in operator.get(page).content.decode()
    second = shown_token(operator.post(page, {"valid_for": "1h"}))
    registry.refresh()
    assert [asked(each).status_code for each in (old, second)] == [200, 200]
    third = shown_token(operator.post(page, {"valid_for": "1h", "ends_earlier": "on"}))
    registry.refresh()
    without_date = token("desk-7")
    assert [asked(each).status_code for each in (old, without_date, third)] == [401, 401, 200]
    assert any("All tokens before it are refused" in entry.get_change_message() for entry in LogEntry.objects.all())


def test_a_machine_that_is_no_client_goes_on(operator: Client, registry: DatabaseClientRegistry) -> None:
    printed = StringIO()
    call_command("mint_token", "--sub", "cron", "--ttl", "1h", stdout=printed)
    registry.refresh()
    assert asked(printed.getvalue().strip()).status_code == 200
    client, _ = made(operator, subject="cron")
    client.revoke()
    registry.refresh()
    with pytest.raises(BadToken, match="revoked"):
        token_verifier().verify(printed.getvalue().strip())


def test_no_request_asks_the_database(
    operator: Client, registry: DatabaseClientRegistry, django_assert_num_queries: Callable[..., Any]
) -> None:
    _, token = made(operator, refill_per_sec="5", burst="30")
    with django_assert_num_queries(1):
        registry.refresh()
    with django_assert_num_queries(0):
        assert asked(token)["RateLimit-Limit"] == "30"


def test_while_the_database_is_away_what_was_known_counts(
    operator: Client, registry: DatabaseClientRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, token = made(operator)
    client.revoke()
    registry.refresh()

    def fail(*_: object) -> None:
        raise DatabaseError("no route")

    monkeypatch.setattr("django.db.models.query.QuerySet.values_list", fail)
    with pytest.raises(DatabaseUnavailable, match="no route"):
        registry.refresh()
    assert asked(token).status_code == 401


def test_a_process_that_does_not_know_yet_is_not_ready(db: None, registry: DatabaseClientRegistry) -> None:
    def check() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(Client().get("/readyz").content)["checks"]["api_clients"]
        return found

    assert check() == {"status": "unavailable", "detail": "not read yet"}
    registry.refresh()
    assert check()["status"] == "ok"


# WebSockets


class Registry:
    def __init__(self) -> None:
        self.revoked: set[str] = set()

    def accepts(self, caller: Caller) -> bool:
        return caller.subject not in self.revoked


class Tickets:
    def redeem(self, ticket: str) -> Caller | None:
        return Caller(ticket, int(time.time()) + 60)


async def test_an_open_session_ends_when_its_token_is_revoked() -> None:
    feed, registry = LiveFeed(), Registry()
    feed.begin({"1:0xa": traded(1)})
    admission = Admission(token_verifier, Tickets, registry.accepts)  # type: ignore[arg-type, return-value]
    async with serving(service_of(feed, admission)) as running:
        async with (
            connect(running.url, additional_headers=bearer("good")) as good,
            connect(running.url, additional_headers=bearer("bad")) as bad,
            connect(f"{running.url}?ticket=bad") as by_ticket,
        ):
            for client in (good, bad, by_ticket):
                await hear(client, "welcome")
            registry.revoked.add("bad")
            for client in (bad, by_ticket):
                assert await ending(client) == ("token_revoked", CloseCode.NOT_AUTHENTICATED)
            await good.send('{"ping": 1}')
            await hear(good, "pong")
        async with connect(f"{running.url}?ticket=bad") as client:
            assert await ending(client) == ("not_authenticated", CloseCode.NOT_AUTHENTICATED)


# All processes


@pytest.fixture
def webs(redis_server: RedisServer, redis_url: str, tmp_path: Path) -> Iterator[list[WebProcess]]:
    """Two of one deployment: the same database, the same secrets."""
    with ExitStack() as stack:
        settings = {"SWAPSTATS_SECURITY__JWT__ENABLED": "true", "SWAPSTATS_METRICS__PPROF": "null"}
        webs = [WebProcess(tmp_path, redis_server.url(2), redis_server.url(3), **settings) for _ in range(2)]
        webs[0].manage("migrate", "--verbosity", "0")
        for web in webs:
            stack.enter_context(web)
        yield webs


@pytest.mark.redis
async def test_all_processes_refuse_within_seconds(webs: list[WebProcess]) -> None:
    subject = "from api.models import ApiClient; ApiClient.objects"
    webs[0].manage("shell", "-c", f"{subject}.create(subject='desk-7', refill_per_sec=5, burst=7)")
    headers = {"Authorization": f"Bearer {webs[0].printed('mint_token', '--sub', 'desk-7', '--ttl', '1h')}"}

    def ask(web: WebProcess) -> httpx.Response:
        return httpx.get(f"{web.url}/api/tokens", headers=headers)

    until_all(webs, lambda web: ask(web).headers["RateLimit-Limit"] == "7")
    async with (
        connect(webs[0].socket_url, additional_headers=headers) as one,
        connect(webs[1].socket_url, additional_headers=headers) as other,
    ):
        webs[1].manage("shell", "-c", f"{subject}.get().revoke()")
        revoked = time.monotonic()
        for client in (one, other):
            assert await ending(client) == ("token_revoked", CloseCode.NOT_AUTHENTICATED)
        until_all(webs, lambda web: ask(web).status_code == 401)
        assert time.monotonic() - revoked < LATEST_S


def until_all(webs: list[WebProcess], condition: Callable[[WebProcess], bool]) -> None:
    deadline = time.monotonic() + LATEST_S
    while not all(condition(web) for web in webs):
        assert time.monotonic() < deadline
        time.sleep(0.1)
