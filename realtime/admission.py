"""Who is at the door of the WebSocket: a bearer token in the `Authorization` header or among the subprotocols, or a
ticket in the address, for browsers can send neither header nor token there."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from realtime.protocol import TOKEN_SUBPROTOCOL_PREFIX
from swapstats.domain.errors import BadToken
from swapstats.ports.ticket_store import TicketStore
from swapstats.ports.token_verifier import Caller, TokenVerifier

MAX_TICKET = 256

Scope = Mapping[str, Any]


class Admission(NamedTuple):
    """How callers are known. Verifier and tickets are asked in a thread, for they may wait for a store or for keys;
    `accepts` says at once whether a caller's token is not one that was revoked meanwhile."""

    verifier: Callable[[], TokenVerifier]
    tickets: Callable[[], TicketStore]
    accepts: Callable[[Caller], bool] = lambda _: True

    async def caller(self, scope: Scope) -> Caller:
        """Raises TokenRefused, and StoreUnavailable where a ticket cannot be looked up now."""
        if token := _bearer_token(scope):
            return await asyncio.to_thread(self.verifier().verify, token)
        if ticket := _ticket(scope):
            caller = await asyncio.to_thread(self.tickets().redeem, ticket)
            if caller and self.accepts(caller):
                return caller
            raise BadToken("the ticket is unknown, used or too old")
        raise BadToken("a bearer token or a ticket is asked for")


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this name, which is in lower case."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def _bearer_token(scope: Scope) -> str | None:
    scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    offered = (name for name in scope.get("subprotocols", ()) if name.startswith(TOKEN_SUBPROTOCOL_PREFIX))
    return next((name.removeprefix(TOKEN_SUBPROTOCOL_PREFIX) for name in offered), None)


def _ticket(scope: Scope) -> str | None:
    tickets = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("ticket", [])
    return tickets[0] if tickets and len(tickets[0]) <= MAX_TICKET else None
