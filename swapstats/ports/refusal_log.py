"""Who was refused lately, and why: for operators."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Refused(NamedTuple):
    """`who` is `sub:…` or `ip:…`, as allowances are kept; `code` why. Nothing of any token."""

    who: str
    code: str


class Tally(NamedTuple):
    """So many, the last of them at `last_ms`."""

    times: int
    last_ms: int


class Refusal(NamedTuple):
    """So many `times` since `since_ms`, or since the last pause of a day."""

    who: str
    code: str
    times: int
    since_ms: int
    last_ms: int


class RefusalLog(Protocol):
    """Shared by all web processes, bounded: whoever was refused the longest time ago is forgotten first, and everybody
    after a day. Any call may raise StoreUnavailable."""

    def add(self, tallies: Mapping[Refused, Tally]) -> None:
        """What one process has counted since it last told."""

    def recent(self) -> Sequence[Refusal]:
        """The latest first."""
