"""What is shown at the server's door."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple


class Token(NamedTuple):
    """A bearer token, sent in the `Authorization` header."""

    value: str


class Ticket(NamedTuple):
    """A single-use ticket, sent in the address."""

    value: str


Credentials = Callable[[], Awaitable[Token | Ticket | None]]
"""Called before each connection. An OSError is taken as a service that is away, and tried again; any other error ends
the client, and its readers get it."""


async def nothing() -> None:
    """Where everybody may connect."""
