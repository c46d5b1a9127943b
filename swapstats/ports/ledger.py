"""The ledger: what was decided about each occurrence, once and for all.

An entry, found by the 16-byte digest of an occurrence, holds for the addition and for the removal the position of the
record that was decided, and its outcome. `decide` looks at a batch in order and gives each record its outcome:

| record | the entry says | outcome |
| --- | --- | --- |
| addition | nothing | APPLIED, or LATE where the claim says late |
| addition | removal parked | CANCELLED: its retraction came first |
| addition | decided at the same position | the recorded outcome again: a replay |
| addition | decided at another position | DUPLICATE, but: |
| addition in time | addition LATE in another partition, and no removal | APPLIED, unless late swaps count |
| removal | addition APPLIED | RETRACTED |
| removal | addition LATE | RETRACTED_LATE |
| removal | no addition | PARKED |
| removal | decided at the same position | the recorded outcome again |
| removal | decided at another position | DUPLICATE |

Partitions are read in no particular order, so which copy of a swap comes first must not matter to what is counted: one
in time counts even if a late one in another partition was read before it.

A retraction takes effect where the swap was counted. Where addition and removal lie in different partitions, the
outcome of the removal is marked ELSEWHERE, and the same atomic step puts the retraction into the mail of the addition's
partition. The mark is recorded with the outcome, so a replay neither acts nor posts again. Where the windows of a
partition were begun behind the addition, a removal in the same partition is marked too: there is nothing to take out.

The same position always gets the same answer, whoever asks and however often, for as long as entries are kept (at
least the longest window plus grace plus skew). So whoever replays a stretch of the log reaches the same state.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from swapstats.domain.swap import Retraction


class Claim(NamedTuple):
    """A record that asks for its outcome. `late` is decided by the record alone and only counts for additions;
    a removal, and no other, says in `retraction` what it takes out."""

    occurrence: bytes
    partition: int
    offset: int
    removed: bool
    late: bool
    retraction: Retraction | None = None


class Stand(NamedTuple):
    """How a caller stands in a partition: the epoch that it holds, and the offset at which its windows begin."""

    epoch: int
    begins_at: int


Decision = Callable[[], Sequence[int]]
"""Waits for a batch to be decided and gives the number of an `Outcome` per claim, in order; ELSEWHERE is added to that
of a removal that has no effect in the windows of its own partition."""


class Mail(NamedTuple):
    """A retraction decided in another partition than the swap, which was decided at `offset` of this one; `is_late`
    where the swap was LATE. `id` is the mail's place in the order of the partition's mail."""

    id: str
    offset: int
    is_late: bool
    retraction: Retraction


MAIL_AT_ONCE = 1_000
"""So many of each partition are read at most; where fewer come, there are no more for now."""


class Mailbox(Protocol):
    def mail(self, after: Mapping[int, str]) -> Mapping[int, Sequence[Mail]]:
        """The next mail of each partition, at most MAIL_AT_ONCE, after the id given for it ("": from the beginning);
        partitions without any may be missing. Reading does not take it away: it is kept as long as entries are.
        Raises StoreUnavailable."""


class Ledger(Mailbox, Protocol):
    """Shared by all workers of one log. One batch is one atomic step: all of it is recorded, or nothing."""

    def decide(self, claims: Sequence[Claim], stands: Mapping[int, Stand]) -> Decision:
        """Begin to decide a batch; the caller may go on with other work before it waits for the outcomes, but asks
        nothing else of the store meanwhile. `stands` says how the caller stands in each partition of the batch.

        Both steps may raise StoreUnavailable, where it is not known whether anything was recorded; waiting raises
        Fenced where a partition was taken by another worker, and then nothing is recorded.
        """
