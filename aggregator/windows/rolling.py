"""Rolling sums: what a window holds of every token, kept up to date by what enters and what leaves."""

from collections.abc import Iterable

from aggregator.windows.segments import BUYS, PackedSegment, Row, add_sums
from swapstats.domain.window import Window

_SUMS = slice(0, 5)


class RollingWindow:
    """Sums per token over the buckets from `first` up to the ring's current one."""

    __slots__ = ("first", "totals", "window")

    def __init__(self, window: Window, now_ms: int) -> None:
        self.window = window
        self.first = window.first_bucket(now_ms)
        self.totals: dict[str, Row] = {}
        """token → [buy USD, sell USD, token amount, buys, sells]; tokens with nothing in the window are absent."""

    def add(self, token: str, sums: Row) -> None:
        """What a row begins with, or sums of swaps as they come."""
        total = self.totals.get(token)
        if total is None:
            total = self.totals[token] = sums[_SUMS]
        else:
            add_sums(total, sums)
        if not total[BUYS] and not any(total):
            del self.totals[token]

    def enter(self, rows: Iterable[tuple[str, Row]]) -> None:
        """A segment's rows come into the window."""
        for token, row in rows:
            self.add(token, row)

    def enter_packed(self, segment: PackedSegment) -> None:
        """As `enter`, straight from the columns: a restore takes in millions of rows."""
        totals = self.totals
        columns = (segment.buy_usd, segment.sell_usd, segment.amounts, segment.buys, segment.sells)
        for token, buy_usd, sell_usd, amount, buys, sells in zip(segment.tokens, *columns, strict=True):
            total = totals.get(token)
            if total is None:
                totals[token] = [buy_usd, sell_usd, amount, buys, sells]
                continue
            total[0] += buy_usd
            total[1] += sell_usd
            total[2] += amount
            total[3] += buys
            total[4] += sells
            if not total[3] and not any(total):
                del totals[token]

    def leave(self, rows: Iterable[tuple[str, Row]]) -> None:
        """A segment's rows go out of the window."""
        totals = self.totals
        for token, row in rows:
            total = totals.get(token)
            if total is None:
                total = totals[token] = [0, 0, 0, 0, 0]
            total[0] -= row[0]
            total[1] -= row[1]
            total[2] -= row[2]
            total[3] -= row[3]
            total[4] -= row[4]
            if not any(total):
                del totals[token]
