"""A ring of segments of one bucket width, with the windows that roll over it.

Segments are found by the index of their bucket, so an event never touches a bucket that is not its own, however
old or new it is. Memory follows activity: a bucket in which nothing happened has no segment, a silent
token no row.
"""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from sys import intern

from aggregator.windows.rolling import RollingWindow
from aggregator.windows.segments import (
    BUY_USD,
    LAST_MS,
    SELL_USD,
    SYMBOL,
    TOKEN,
    OpenSegment,
    PackedSegment,
    Row,
    add_sums,
)
from swapstats.domain.stats import Edge
from swapstats.domain.window import Window, longest_ms

Rows = Iterable[tuple[str, Row]]


class Ring:
    """All segments of width `width_ms`. `current` is the bucket that holds now; later ones wait outside the windows."""

    __slots__ = (
        "_active",
        "_held",
        "_open",
        "_packed",
        "changed",
        "current",
        "dirty",
        "dropped",
        "rolling",
        "width_ms",
    )

    def __init__(self, width_ms: int, windows: Sequence[Window], margin_ms: int, now_ms: int) -> None:
        self.width_ms = width_ms
        self.current = now_ms // width_ms
        self.rolling = [RollingWindow(window, now_ms) for window in windows]
        self._held = (longest_ms(windows) + margin_ms) // width_ms
        self._open: dict[int, OpenSegment] = {}
        self._packed: dict[int, PackedSegment] = {}
        self._active: defaultdict[str, list[int]] = defaultdict(list)
        """token → sorted indices of the buckets with a row of it"""
        self.dirty: set[int] = set()
        self.dropped: set[int] = set()
        self.changed: set[str] = set()

    @property
    def held_ms(self) -> int:
        """How long a bucket is kept."""
        return self._held * self.width_ms

    @property
    def first_held(self) -> int:
        """The oldest bucket that is kept; what is older is outside every window for good."""
        return self.current - self._held

    @property
    def segment_count(self) -> int:
        """How many buckets with swaps in them are held."""
        return len(self._open) + len(self._packed)

    @property
    def token_count(self) -> int:
        """How many tokens have trades in any bucket held."""
        return len(self._active)

    def add(self, token: str, time_ms: int, sums: Row) -> None:
        """Add sums of a token's swaps, all of the bucket that holds `time_ms`, to it and the windows over it. Sums are
        negative where more was retracted than came."""
        index = time_ms // self.width_ms
        if index < self.current - self._held:
            return
        segment = self._open.get(index)
        row = segment.get(token) if segment is not None else None
        if row is None:
            row = self._new_row(index, token, sums[LAST_MS])
        self.dirty.add(index)
        add_sums(row, sums)
        if sums[LAST_MS] > row[LAST_MS]:  # noqa: PLR1730 - half the time of max()
            row[LAST_MS] = sums[LAST_MS]
        if sums[SYMBOL]:
            row[SYMBOL] = sums[SYMBOL]
        if not any(row[:LAST_MS]):
            self._drop_row(token, index)
        if index <= self.current:
            for rolling in self.rolling:
                if rolling.first <= index:
                    rolling.add(token, sums)

    def _new_row(self, index: int, token: str, event_ms: int) -> Row:
        """The token's row of a bucket that has no open segment, or none with the token."""
        segment = self._open.get(index)
        if segment is None:
            segment = self._reopen(index)
        row = segment.get(token)
        if row is None:
            row = segment[intern(token)] = [0, 0, 0, 0, 0, event_ms, None]
            self._activate(token, index)
        return row

    def _reopen(self, index: int) -> OpenSegment:
        packed = self._packed.pop(index, None)
        segment = self._open[index] = packed.opened() if packed else {}
        return segment

    def _activate(self, token: str, index: int) -> None:
        indices = self._active[intern(token)]
        if not indices or indices[-1] < index:
            indices.append(index)
        else:
            insort(indices, index)

    def _deactivate(self, token: str, index: int) -> None:
        indices = self._active[token]
        indices.remove(index)
        if not indices:
            del self._active[token]

    def _drop_row(self, token: str, index: int) -> None:
        """A row that retractions brought back to nothing is forgotten. One whose trades add up to none is not, if its
        amounts do not: then a retraction was not sent as its swap was."""
        self._deactivate(token, index)
        del self._open[index][token]

    def advance(self, now_ms: int) -> None:
        """Move on to the bucket that holds `now_ms`: buckets enter the windows, leave them, and are dropped."""
        current = now_ms // self.width_ms
        if current <= self.current:
            return
        for rolling in self.rolling:
            first = rolling.window.first_bucket(now_ms)
            for index in self._present(rolling.first, min(first - 1, self.current)):
                rolling.leave(self._noticed(index))
            for index in self._present(max(first, self.current + 1), current):
                rolling.enter(self._noticed(index))
            rolling.first = first
        self.current = current
        self._drop_old()

    def _present(self, first: int, last: int) -> list[int]:
        """Indices from `first` to `last` that have a segment."""
        if last - first > len(self._open) + len(self._packed):
            return [index for index in (*self._packed, *self._open) if first <= index <= last]
        return [index for index in range(first, last + 1) if index in self._open or index in self._packed]

    def _rows(self, index: int) -> Rows:
        segment = self._open.get(index)
        return self._packed[index].items() if segment is None else segment.items()

    def _noticed(self, index: int) -> Iterator[tuple[str, Row]]:
        """The rows of a segment, each token noted as changed."""
        for token, row in self._rows(index):
            self.changed.add(token)
            yield token, row

    def _drop_old(self) -> None:
        first_held = self.first_held
        for index in [index for index in (*self._packed, *self._open) if index < first_held]:
            for token, _ in self._noticed(index):
                self._deactivate(token, index)
            self._forget(index)

    def pack(self, before_ms: int) -> None:
        """Pack the segments whose buckets ended before this time."""
        for index in [index for index in self._open if (index + 1) * self.width_ms <= before_ms]:
            if segment := self._open.pop(index):
                self._packed[index] = PackedSegment.of(segment)
            else:
                self._forget(index)

    def _forget(self, index: int) -> None:
        self._open.pop(index, None)
        self._packed.pop(index, None)
        self.dirty.discard(index)
        self.dropped.add(index)

    def take_dirty(self) -> Iterator[tuple[int, PackedSegment]]:
        """The segments that changed since this was last asked; those without a row are dropped instead."""
        dirty, self.dirty = self.dirty, set()
        for index in sorted(dirty):
            packed = self._packed.get(index) or PackedSegment.of(self._open[index])
            if packed.tokens:
                yield index, packed
            else:
                self._forget(index)

    def take_dropped(self) -> set[int]:
        """The segments that ceased to be since this was last asked."""
        dropped, self.dropped = self.dropped, set()
        return dropped - self._open.keys() - self._packed.keys()

    def load(self, index: int, segment: PackedSegment) -> bool:
        """Take in a segment of a checkpoint; they come in the order of their index. False where it is too old."""
        if index < self.first_held:
            self.dropped.add(index)
            return False
        self._packed[index] = segment
        active = self._active
        for token in segment.tokens:
            active[token].append(index)
        for rolling in self.rolling:
            if rolling.first <= index <= self.current:
                rolling.enter_packed(segment)
        return True

    def holds(self, token: str) -> bool:
        """Whether any bucket has trades of the token, also one that waits outside the windows."""
        return token in self._active

    def oldest(self, token: str, rolling: RollingWindow) -> Edge | None:
        """The oldest bucket of a window in which the token has trades."""
        indices = self._active.get(token)
        if not indices:
            return None
        i = bisect_left(indices, rolling.first)
        return self._edge(token, indices[i]) if i < len(indices) and indices[i] <= self.current else None

    def newest(self, token: str) -> tuple[Edge, int] | None:
        """The newest bucket in which the token has trades, if any window still covers it, and the newest event time
        seen there."""
        indices = self._active.get(token)
        if not indices:
            return None
        i = bisect_right(indices, self.current) - 1
        first = min(rolling.first for rolling in self.rolling)
        if i < 0 or indices[i] < first:
            return None
        return self._edge(token, indices[i]), self._row(token, indices[i])[LAST_MS]

    def symbol(self, token: str) -> str | None:
        """What the newest bucket whose swaps name one calls the token."""
        rows = (self._row(token, index) for index in reversed(self._active.get(token, ())))
        return next((row[SYMBOL] for row in rows if row[SYMBOL]), None)

    def _edge(self, token: str, index: int) -> Edge:
        row = self._row(token, index)
        return Edge(index * self.width_ms, self.width_ms, row[BUY_USD] + row[SELL_USD], row[TOKEN])

    def _row(self, token: str, index: int) -> Row:
        """The token's row of a bucket in which it has trades."""
        segment = self._open.get(index)
        row = self._packed[index].get(token) if segment is None else segment[token]
        assert row is not None  # noqa: S101 - `_active` lists the buckets that have a row
        return row
