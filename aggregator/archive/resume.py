"""Where to go on reading: the archive's rows themselves say it."""

from collections.abc import Sequence
from typing import NamedTuple

from swapstats.ports.swap_archive import MAX_BATCH, ArchiveGround
from swapstats.ports.swap_source import SourceIdentity


class Start(NamedTuple):
    """Where a partition is read from, which offsets from there on the archive holds already, and where those end."""

    offset: int
    held: frozenset[int]
    end: int


BEGINNING = Start(0, frozenset(), 0)


class Ground(NamedTuple):
    """What the archive says about the log: the name that rows carry, and where each partition goes on."""

    source: SourceIdentity
    starts: dict[int, Start]


def survey(archive: ArchiveGround, named: SourceIdentity, partitions: Sequence[int]) -> Ground:
    """Of the log that its broker names so."""
    source = archive.incarnation(named)
    return Ground(source, locate(archive, source, partitions))


def locate(archive: ArchiveGround, source: SourceIdentity, partitions: Sequence[int]) -> dict[int, Start]:
    """The first offset of each partition that may be missing; BEGINNING where the archive has none of it.

    A crash may have left the last batch written in part: one insert makes a part per day, and the parts are
    committed one by one. Whatever lies further back than a batch is complete, by the promise of all who write, and so
    is what the candles know.
    """
    highest = archive.highest(source, partitions)
    refreshed = archive.refreshed(source, partitions)
    return {
        p: _locate(archive, source, p, highest[p], refreshed.get(p, 0)) if p in highest else BEGINNING
        for p in partitions
    }


def _locate(archive: ArchiveGround, source: SourceIdentity, partition: int, highest: int, refreshed: int) -> Start:
    first = max(0, highest + 1 - MAX_BATCH, refreshed)
    held = archive.held(source, partition, first, highest)
    missing = next((offset for offset in range(first, highest + 1) if offset not in held), highest + 1)
    return Start(missing, frozenset(offset for offset in held if offset > missing), highest + 1)
