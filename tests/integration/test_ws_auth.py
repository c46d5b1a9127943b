"""Who may open a WebSocket where tokens are asked for, and for how long."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from websockets.asyncio.client import connect

from realtime.admission import Admission
from realtime.protocol import CloseCode
from realtime.service import Service
from settings.config import RedisStore
from swapstats.adapters.jwt.keys import SharedSecret
from swapstats.adapters.jwt.verifier import JwtVerifier
from swapstats.adapters.redis.clients import sync_client
from swapstats.adapters.redis.ticket_store import RedisTicketStore
from swapstats.ports.ticket_store import TicketStore
from swapstats.ports.token_verifier import Caller
from tests.parts.live_feed import LiveFeed, traded
from tests.parts.tokens import bearer, token
from tests.parts.web_socket import ending, hear, service_of, serving, until

pytestmark = pytest.mark.redis


@pytest.fixture
def tickets(redis_url: str) -> Iterator[RedisTicketStore]:
    client = sync_client(RedisStore(url=redis_url), socket_timeout=0.25)
    yield RedisTicketStore(client, "test:")
    client.close()


@pytest.fixture
def guarded(tickets: TicketStore) -> Service:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(1)})
    verifier = JwtVerifier("HS256", SharedSecret(settings.SIMPLE_JWT["SIGNING_KEY"]), "swapstats", None)
    return service_of(feed, Admission(lambda: verifier, lambda: tickets))


async def test_a_token_in_the_header(guarded: Service) -> None:
    async with serving(guarded) as running, connect(running.url, additional_headers=bearer()) as client:
        await hear(client, "welcome")


async def test_a_token_among_the_subprotocols(guarded: Service) -> None:
    offered: Any = ["swapstats.v1", f"bearer.{token()}"]
    async with serving(guarded) as running, connect(running.url, subprotocols=offered) as client:
        await hear(client, "welcome")
        assert client.subprotocol == "swapstats.v1"


async def test_a_ticket_opens_one_connection_and_no_second(guarded: Service, tickets: TicketStore) -> None:
    ticket = tickets.issue(Caller("somebody", int(time.time()) + 60), 30)
    async with serving(guarded) as running:
        async with connect(f"{running.url}?ticket={ticket}") as client:
            await hear(client, "welcome")
        async with connect(f"{running.url}?ticket={ticket}") as client:
            assert await ending(client) == ("not_authenticated", CloseCode.NOT_AUTHENTICATED)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "not_authenticated"),
        ({"Authorization": "Bearer nonsense"}, "not_authenticated"),
        ({"Authorization": "Basic dTpw"}, "not_authenticated"),
        ({"aud": "others"}, "not_authenticated"),
        ({"exp": -60}, "token_expired"),
    ],
)
async def test_whoever_has_no_valid_token_is_told_and_refused(
    guarded: Service, headers: dict[str, Any], reason: str
) -> None:
    if "exp" in headers:
        headers = bearer(exp=int(time.time()) + headers["exp"])
    elif "aud" in headers:
        headers = bearer(**headers)
    async with serving(guarded) as running, connect(running.url, additional_headers=headers) as client:
        assert await ending(client) == (reason, CloseCode.NOT_AUTHENTICATED)
        assert not guarded.clients


async def test_a_session_ends_when_its_token_does(guarded: Service) -> None:
    headers = bearer(exp=int(time.time()) + 2)
    async with serving(guarded) as running, connect(running.url, additional_headers=headers) as client:
        await hear(client, "welcome")
        assert await ending(client) == ("token_expired", CloseCode.NOT_AUTHENTICATED)


async def test_a_token_that_has_just_expired_is_still_taken(guarded: Service) -> None:
    headers = bearer(exp=int(time.time()) - 10)
    async with serving(guarded) as running, connect(running.url, additional_headers=headers) as client:
        await hear(client, "welcome")


async def test_without_the_store_of_tickets_one_may_try_again(guarded: Service, redis_server: Any) -> None:
    away = RedisTicketStore(sync_client(RedisStore(url="redis://127.0.0.1:1/0"), socket_timeout=0.25), "test:")
    assert guarded.admission is not None
    guarded.admission = guarded.admission._replace(tickets=lambda: away)
    async with serving(guarded) as running, connect(f"{running.url}?ticket=some") as client:
        assert await ending(client) == ("not_ready", CloseCode.TRY_AGAIN_LATER)


async def test_who_leaves_before_being_known_leaves_nothing_behind(guarded: Service) -> None:
    async with serving(guarded) as running:
        for _ in range(5):
            client = await connect(running.url, additional_headers=bearer())
            client.transport.abort()
        await asyncio.sleep(0)
        await until(lambda: not running.server.server_state.connections)
        await until(lambda: not guarded.clients)
