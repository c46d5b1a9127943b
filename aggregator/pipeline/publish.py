"""Telling readers: the changed tokens of each partition, as absolute values, once a tick."""

from collections.abc import Iterable, Sequence

from aggregator.pipeline.partition import Partition
from swapstats.domain.part_codec import encode_part
from swapstats.ports.live_store import Step


def make_steps(partitions: Iterable[Partition], now_ms: int) -> list[tuple[Partition, Step]]:
    """Advance each partition that is caught up to `now_ms` and say what that and its new records changed."""
    return [(partition, _step(partition, now_ms)) for partition in partitions if partition.is_caught_up]


def _step(partition: Partition, now_ms: int) -> Step:
    engine, live = partition.engine, partition.live
    as_of_ms = max(now_ms, live.as_of_ms)
    engine.advance(as_of_ms)
    changes = engine.take_changes()
    whole = not partition.is_known_whole
    tokens = engine.tokens() if whole else changes.tokens
    parts, gone = _parts(partition, tokens)
    reorged = [token for token in changes.reorged if token in parts or token in gone]
    moved = bool(parts or gone or whole)
    meta = live._replace(
        seq=live.seq + moved,
        as_of_ms=as_of_ms,
        offset=partition.next_offset,
        complete_since_ms=partition.complete_since_ms,
    )
    return Step(partition.number, live.seq, meta, parts, gone, reorged, whole)


def _parts(partition: Partition, tokens: Iterable[str]) -> tuple[dict[str, bytes], Sequence[str]]:
    parts: dict[str, bytes] = {}
    gone: list[str] = []
    for token in tokens:
        part = partition.engine.part(token)
        if part is not None:
            parts[token] = encode_part(part)
        elif token in partition.published:
            gone.append(token)
    return parts, gone


def note_published(steps: Iterable[tuple[Partition, Step]]) -> None:
    """After the steps were written: the partitions' live views stand where the steps say."""
    for partition, step in steps:
        partition.live = step.meta
        partition.is_known_whole = True
        partition.published.update(step.parts)
        partition.published.difference_update(step.gone)
