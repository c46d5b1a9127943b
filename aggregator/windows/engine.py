"""The window engine of one partition: swaps in, exact rolling windows of every token out. Pure; time is passed in.

What it holds is the sum of the swaps applied, whatever their order; `now` only chooses which buckets a window covers.
Retractions come to the partition that counted the swap, so a part holds what its own log added and nothing else.
"""

from collections.abc import Collection, Iterator, Sequence
from math import gcd
from typing import NamedTuple

from aggregator.windows.ring import Ring
from aggregator.windows.segments import BUYS, LAST_MS, SYMBOL, TOKEN, PackedSegment, Row
from swapstats.domain.stats import EMPTY_WINDOW, Part, WindowPart
from swapstats.domain.swap import Retraction, Swap
from swapstats.domain.window import Window

PACK_AFTER_MS = 180_000
"""Segments are packed this long after their bucket ended: by then hardly anything touches them."""


class Changes(NamedTuple):
    """Tokens whose part may differ from what was last taken, and those among them that a retraction touched."""

    tokens: set[str]
    reorged: set[str]


class WindowEngine:
    """All windows of all tokens of one partition.

    Swaps first add up per token and grain, the widest stretch of time that no bucket of any width divides; the rings
    take in these sums when somebody asks for what they hold. So a swap costs the same however many windows there are,
    and much less where many of a token come at once.

    `margin_ms` is how long buckets are kept after they left the longest window of their width, so that a successor
    whose time is a little behind still finds them.
    """

    def __init__(self, windows: Sequence[Window], margin_ms: int, now_ms: int) -> None:
        self._windows = tuple(windows)
        widths = sorted({window.bucket_ms for window in windows})
        self._rings = [Ring(width, [w for w in windows if w.bucket_ms == width], margin_ms, now_ms) for width in widths]
        rolling = {r.window.name: (ring, r) for ring in self._rings for r in ring.rolling}
        self._rolling = [rolling[window.name] for window in windows]
        self._longest = max(self._rings, key=lambda ring: ring.held_ms)
        self._grain_ms = gcd(*widths)
        self._fresh: dict[tuple[str, int], Row] = {}  # (token, grain) → what came since the rings took it in
        self._symbols: dict[str, str] = {}
        self._changed: set[str] = set()
        self._reorged: set[str] = set()

    def apply(self, swap: Swap) -> None:
        """Count a swap in the bucket of its event time."""
        self._add(swap, swap.amount_usd, swap.amount_token, 1)

    def retract(self, swap: Swap | Retraction) -> None:
        """Take a swap out again, exactly as it was added."""
        self._add(swap, -swap.amount_usd, -swap.amount_token, -1)
        self._reorged.add(swap.token_id)

    def _add(self, swap: Swap | Retraction, usd: int, amount: int, count: int) -> None:
        event_ms, symbol = swap.event_time_ms, swap.token_symbol
        side = 0 if swap.is_buy else 1
        key = swap.token_id, event_ms // self._grain_ms
        row = self._fresh.get(key)
        if row is None:
            row = self._fresh[key] = [0, 0, 0, 0, 0, event_ms, symbol]
        row[side] += usd
        row[TOKEN] += amount
        row[BUYS + side] += count
        if event_ms > row[LAST_MS]:  # noqa: PLR1730 - half the time of max()
            row[LAST_MS] = event_ms
        if symbol:
            row[SYMBOL] = symbol

    def _settle(self) -> None:
        """Let the rings take in what came."""
        fresh, self._fresh = self._fresh, {}
        for (token, grain), row in fresh.items():
            for ring in self._rings:
                ring.add(token, grain * self._grain_ms, row)
            self._changed.add(token)
            symbol = row[SYMBOL]
            if symbol and symbol != self._symbols.get(token):
                self._symbols[token] = self._longest.symbol(token) or symbol

    def advance(self, now_ms: int) -> None:
        """Let windows cover what they cover at `now_ms`; earlier times than the last are ignored."""
        self._settle()
        for ring in self._rings:
            ring.advance(now_ms)
            ring.pack(now_ms - PACK_AFTER_MS)
            if ring.changed:
                self._changed |= ring.changed
                ring.changed = set()

    def take_changes(self) -> Changes:
        """What changed since this was last asked."""
        self._settle()
        changes = Changes(self._changed, self._reorged)
        self._changed, self._reorged = set(), set()
        return changes

    def part(self, token: str) -> Part | None:
        """The token's part as of the last `advance`; None where no window holds anything of it."""
        self._settle()
        totals = [rolling.totals.get(token) for _, rolling in self._rolling]
        if not any(totals):
            self._forget_unless_held(token)
            return None
        newest, last_event_ms = next((found for ring in self._rings if (found := ring.newest(token))), (None, 0))
        windows = tuple(
            WindowPart._make((*total, ring.oldest(token, rolling))) if total else EMPTY_WINDOW
            for total, (ring, rolling) in zip(totals, self._rolling, strict=True)
        )
        return Part(self._symbols.get(token), last_event_ms, newest, windows)

    def _forget_unless_held(self, token: str) -> None:
        if not any(ring.holds(token) for ring in self._rings):
            self._symbols.pop(token, None)

    def tokens(self) -> set[str]:
        """All tokens of which some window holds something."""
        self._settle()
        return {token for _, rolling in self._rolling for token in rolling.totals}

    @property
    def token_count(self) -> int:
        """How many tokens have swaps in any bucket held."""
        self._settle()
        return self._longest.token_count

    def segment_counts(self) -> dict[int, int]:
        """How many buckets with swaps in them are held, by their width in ms."""
        self._settle()
        return {ring.width_ms: ring.segment_count for ring in self._rings}

    def take_dirty(self) -> Iterator[tuple[int, int, PackedSegment]]:
        """Width, index and content of each segment that changed since the last checkpoint."""
        self._settle()
        for ring in self._rings:
            for index, segment in ring.take_dirty():
                yield ring.width_ms, index, segment

    def take_dropped(self) -> list[tuple[int, int]]:
        """Width and index of each segment that the last checkpoint may hold and we no longer do."""
        self._settle()
        return [(ring.width_ms, index) for ring in self._rings for index in sorted(ring.take_dropped())]

    def replace(self, stored: Collection[tuple[int, int]]) -> None:
        """What was stored before, by width and index of its segments, is not ours: at the next checkpoint those that we
        do not have are dropped."""
        for ring in self._rings:
            ring.dropped.update(index for width_ms, index in stored if width_ms == ring.width_ms)

    def load(self, width_ms: int, index: int, segment: PackedSegment) -> None:
        """Take in a segment of a checkpoint, in the order of (width, index). Widths that no window uses any more
        are left out."""
        rings = [ring for ring in self._rings if ring.width_ms == width_ms]
        shared = segment.interned()
        if not rings or not rings[0].load(index, shared):
            return
        if rings[0] is self._longest:
            named = zip(shared.tokens, shared.symbols, strict=True)
            self._symbols.update([(token, symbol) for token, symbol in named if symbol])
        self._changed.update(shared.tokens)
