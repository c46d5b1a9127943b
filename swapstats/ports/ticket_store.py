"""Tickets: what a browser shows in place of a bearer token where it cannot send a header."""

from typing import Protocol

from swapstats.ports.token_verifier import Caller


class TicketStore(Protocol):
    """Shared by all web processes. Any call may raise StoreUnavailable."""

    def issue(self, caller: Caller, seconds: int) -> str:
        """A ticket nobody can guess, for one use within `seconds`."""

    def redeem(self, ticket: str) -> Caller | None:
        """Whom it was issued to, once; None for one that is unknown, used or too old."""
