"""Orders of tokens, frozen for whoever pages through them, so that any web process can give the next page."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Place(NamedTuple):
    """A token in an order, and the value that put it there: a number as text, exact; empty where it had none."""

    token_id: str
    value: str


class OrderStore(Protocol):
    """Shared by all web processes, and bounded: an order may be gone before its time, or not be taken at all. Any call
    may raise StoreUnavailable."""

    def keep(self, places: Sequence[Place]) -> str | None:
        """The name to find it by; None where it is too long, or orders are frozen too often."""

    def find(self, name: str) -> Sequence[Place] | None:
        """None for one that is not kept, or not any more."""
