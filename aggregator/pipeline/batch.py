"""A batch of records on its way: decoded, decided, applied."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aggregator.pipeline.decode import Decoder
from aggregator.pipeline.partition import Partition
from swapstats.domain.outcome import ELSEWHERE, Outcome
from swapstats.domain.swap import Invalid, Retraction, Swap, occurrence_digest
from swapstats.ports.dead_letters import DeadLetter
from swapstats.ports.ledger import Claim
from swapstats.ports.swap_source import Record


@dataclass
class Batch:
    """Records as decoded: `claims` and `swaps` belong together; `last` is the last record of each partition."""

    records: int
    swaps: list[Swap]
    claims: list[Claim]
    dead_letters: list[DeadLetter]
    last: dict[int, Record]
    oldest_timestamp_ms: int


def decode_batch(records: Sequence[Record], decoder: Decoder, grace_ms: int) -> Batch:
    """Decode each record; whether it is late is a matter of the record alone."""
    swaps: list[Swap] = []
    claims: list[Claim] = []
    dead_letters: list[DeadLetter] = []
    last: dict[int, Record] = {}
    decode = decoder.decode
    for record in records:
        swap = decode(record)
        partition, offset, timestamp_ms, _, _ = record
        last[partition] = record
        if isinstance(swap, Invalid):
            dead_letters.append(DeadLetter(record, swap))
            continue
        late = timestamp_ms - swap.event_time_ms > grace_ms
        swaps.append(swap)
        claims.append(claim_of(swap, partition, offset, late))
    return Batch(len(records), swaps, claims, dead_letters, last, records[0].timestamp_ms)


def claim_of(swap: Swap, partition: int, offset: int, late: bool) -> Claim:
    """What the ledger is asked about a swap."""
    retraction = Retraction.of(swap) if swap.removed else None
    claim = (occurrence_digest(swap), partition, offset, swap.removed, late, retraction)
    return tuple.__new__(Claim, claim)  # twice as fast as Claim(...)


_NAMES = {outcome.value: outcome.name.lower() for outcome in Outcome}


def apply_batch(
    batch: Batch, outcomes: Sequence[int], partitions: Mapping[int, Partition], *, counts_late: bool
) -> Counter[str]:
    """Let the decided swaps act on their partitions' windows; what takes effect ELSEWHERE only counts. Gives the
    batch's outcomes by name, which add up to its records; each partition's own counts and offset move along."""
    adding = {Outcome.APPLIED, Outcome.LATE} if counts_late else {Outcome.APPLIED}
    removing = {Outcome.RETRACTED, Outcome.RETRACTED_LATE} if counts_late else {Outcome.RETRACTED}
    for swap, claim, outcome in zip(batch.swaps, batch.claims, outcomes, strict=True):
        if outcome in adding:
            partitions[claim.partition].engine.apply(swap)
        elif outcome in removing:
            partitions[claim.partition].engine.retract(swap)
    return _account(batch, _count(batch, outcomes), partitions)


def _count(batch: Batch, outcomes: Sequence[int]) -> Mapping[int, Counter[str]]:
    """How often each outcome came, by partition and name."""
    counts: dict[int, Counter[str]] = {number: Counter() for number in batch.last}
    decided = Counter(zip([claim.partition for claim in batch.claims], outcomes, strict=True))
    decided.update((letter.record.partition, Outcome.DEAD_LETTERED.value) for letter in batch.dead_letters)
    for (number, outcome), count in decided.items():
        counts[number][_NAMES[outcome & ~ELSEWHERE]] += count
    return counts


def _account(batch: Batch, counts: Mapping[int, Counter[str]], partitions: Mapping[int, Partition]) -> Counter[str]:
    total: Counter[str] = Counter()
    for number, record in batch.last.items():
        partitions[number].outcomes.update(counts[number])
        partitions[number].next_offset = record.offset + 1
        total.update(counts[number])
    return total


Pending = tuple[Batch, Callable[[], Sequence[int]]]
"""A batch that the ledger is deciding, and what waits for its outcomes."""
