"""Tokens for Django's users, tickets, minted tokens; and that passwords cannot be guessed."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from redis import Redis

from swapstats.adapters.redis.ticket_store import RedisTicketStore
from swapstats.adapters.system.rate_limiter import LocalRateLimiter
from swapstats.bootstrap import token_verifier
from swapstats.domain.errors import BadToken
from tests.parts.live_feed import LiveFeed, traded
from tests.parts.tokens import bearer

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def _site(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    feed, limiter = LiveFeed(), LocalRateLimiter()
    feed.begin({"1:0xa0": traded(1)})
    monkeypatch.setattr("api.views.stats.live_view", lambda: feed.view)
    monkeypatch.setattr("api.throttling.rate_limiter", lambda: limiter)


@pytest.fixture
def ann(django_user_model: Any) -> Any:
    return django_user_model.objects.create_user("ann", password=PASSWORD)


def post(client: Client, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    response = client.post(path, body, content_type="application/json", headers=headers)
    return response.status_code, json.loads(response.content)


def log_in(client: Client, password: str = PASSWORD, name: str = "ann") -> tuple[int, Any]:
    return post(client, "/api/auth/token", {"username": name, "password": password})


def test_a_user_gets_tokens_that_let_him_in(client: Client, ann: Any) -> None:
    status, tokens = log_in(client)
    assert (status, set(tokens)) == (200, {"access", "refresh"})
    assert token_verifier().verify(tokens["access"]).subject == str(ann.pk)
    assert (
        client.get("/api/tokens/usdc/stats", headers={"Authorization": f"Bearer {tokens['access']}"}).status_code == 200
    )
    with pytest.raises(BadToken, match="not for access"):
        token_verifier().verify(tokens["refresh"])


def test_a_refresh_token_is_good_for_one_use(client: Client, ann: Any) -> None:
    _, tokens = log_in(client)
    status, renewed = post(client, "/api/auth/refresh", {"refresh": tokens["refresh"]})
    assert (status, set(renewed)) == (200, {"access", "refresh"})
    assert token_verifier().verify(renewed["access"]).subject == str(ann.pk)
    for refused in (tokens["refresh"], tokens["access"], "rubbish"):
        status, body = post(client, "/api/auth/refresh", {"refresh": refused})
        assert (status, body["code"]) == (401, "bad_token")
    assert post(client, "/api/auth/refresh", {"refresh": renewed["refresh"]})[0] == 200


def test_whoever_was_dismissed_gets_no_new_tokens(client: Client, ann: Any) -> None:
    _, tokens = log_in(client)
    ann.is_active = False
    ann.save()
    assert post(client, "/api/auth/refresh", {"refresh": tokens["refresh"]})[0] == 401
    assert log_in(client)[0] == 401


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"username": "ann", "password": "wrong"}, 401, "not_authenticated"),
        ({"username": "nobody", "password": "x"}, 401, "not_authenticated"),
        ({"username": "ann"}, 400, "bad_parameter"),
        ([], 400, "bad_parameter"),
        ("{", 400, "malformed_body"),
        ({"username": {"a": 1}, "password": ["x"]}, 400, "bad_parameter"),
    ],
)
def test_what_is_no_login(client: Client, ann: Any, body: Any, status: int, code: str) -> None:
    answered, problem = post(client, "/api/auth/token", body)
    assert (answered, problem["code"]) == (status, code)


def guess_until_refused(guess: Callable[[], int], wrong: int, most: int) -> None:
    """A minute may begin in between; then it is twice as many."""
    answers: list[int] = []
    while 429 not in answers:
        assert len(answers) <= 2 * most
        answers.append(guess())
    assert len(answers) > most
    assert set(answers) == {wrong, 429}


def test_passwords_cannot_be_guessed(client: Client, ann: Any) -> None:
    guess_until_refused(lambda: log_in(client, "guess")[0], 401, 5)
    status, problem = log_in(client)
    assert (status, problem["code"]) == (429, "rate_limited")
    assert "Wait a minute" in problem["detail"]
    assert log_in(client, "x", "bob")[0] == 401


def test_one_address_cannot_try_many_names(client: Client) -> None:
    names = (f"user {number}" for number in range(100))
    guess_until_refused(lambda: log_in(client, "x", next(names))[0], 401, 20)


def test_nor_at_the_admins_door(client: Client) -> None:
    guess = {"username": "root", "password": "x"}
    guess_until_refused(lambda: client.post("/admin/login/", guess).status_code, 200, 5)
    assert client.get("/admin/login/").status_code == 200


def test_a_ticket_stands_for_its_caller(client: Client, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Redis.from_url(redis_url) as redis:
        tickets = RedisTicketStore(redis, "test:")
        monkeypatch.setattr("api.views.auth.ticket_store", lambda: tickets)
        assert client.post("/api/ws/ticket").status_code == 401
        response = client.post("/api/ws/ticket", headers=bearer("machine"))
        body = json.loads(response.content)
        assert (body["expires_in"], response["Cache-Control"]) == (30, "no-store")
        caller = tickets.redeem(body["ticket"])
        assert caller is not None
        assert caller.subject == "machine"
        assert tickets.redeem(body["ticket"]) is None


def test_a_machine_gets_a_token_from_the_command_line() -> None:
    printed = StringIO()
    call_command("mint_token", "--sub", "machine", "--ttl", "1h", stdout=printed)
    assert token_verifier().verify(printed.getvalue().strip()).subject == "machine"
    for_others = StringIO()
    call_command("mint_token", "--sub", "machine", "--ttl", "1h", "--aud", "other", stdout=for_others)
    with pytest.raises(BadToken, match="audience"):
        token_verifier().verify(for_others.getvalue().strip())


def test_a_time_to_live_needs_its_unit() -> None:
    with pytest.raises(CommandError, match="duration with its unit"):
        call_command("mint_token", "--sub", "machine", "--ttl", "60")
