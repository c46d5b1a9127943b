"""The ledger: what was decided about each occurrence, once and for all.

An entry, found by the 16-byte digest of an occurrence, holds for the addition and for the removal the position of the
record that was decided, and its outcome. `decide` looks at a batch in order and gives each record its outcome:

| record | the entry says | outcome |
| --- | --- | --- |
| addition | nothing | APPLIED, or LATE where the claim says late |
| addition | removal parked | CANCELLED: its retraction came first |
| addition | decided at the same position | the recorded outcome again: a replay |
| addition | decided at another position | DUPLICATE |
| removal | addition APPLIED | RETRACTED |
| removal | addition LATE | RETRACTED_LATE |
| removal | no addition | PARKED |
| removal | decided at the same position | the recorded outcome again |
| removal | decided at another position | DUPLICATE |

The same position always gets the same answer, whoever asks and however often, for as long as entries are kept (at
least the longest window plus grace plus skew). So whoever replays a stretch of the log reaches the same state.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol


class Claim(NamedTuple):
    """A record that asks for its outcome. `late` is decided by the record alone and only counts for additions."""

    occurrence: bytes
    partition: int
    offset: int
    removed: bool
    late: bool


Decision = Callable[[], Sequence[int]]
"""Waits for a batch to be decided and gives the number of an `Outcome` per claim, in order."""


class Ledger(Protocol):
    """Shared by all workers of one log. One batch is one atomic step: all of it is recorded, or nothing."""

    def decide(self, claims: Sequence[Claim], epochs: Mapping[int, int]) -> Decision:
        """Begin to decide a batch; the caller may go on with other work before it waits for the outcomes, but asks
        nothing else of the store meanwhile. `epochs` holds the caller's epoch of each partition in the batch.

        Both steps may raise StoreUnavailable, where it is not known whether anything was recorded; waiting raises
        Fenced where a partition was taken by another worker, and then nothing is recorded.
        """
