"""Segments: the sums of all tokens in one time bucket.

An open segment is a dict token → row, quick to add to. A closed one is packed into columns, about a fifth of the
size, and opened again if a retraction or a late swap still finds it.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import add, mul
from sys import intern
from typing import Any, NamedTuple, Union

BUY_USD, SELL_USD, TOKEN, BUYS, SELLS, LAST_MS, SYMBOL = range(7)
"""Positions in a row: [buy USD, sell USD, token amount, buys, sells, newest event time, symbol]. The side's USD and
count stand three places apart, so that `row[side]` and `row[BUYS + side]` belong to side 0 (buy) or 1 (sell)."""

Row = list[Any]  # of the seven values above; a list, because rows are added to a million times a second
OpenSegment = dict[str, Row]


def add_sums(row: Row, sums: Row) -> None:
    """Add the first five values, which are sums; one by one, for a loop takes twice as long."""
    row[0] += sums[0]
    row[1] += sums[1]
    row[2] += sums[2]
    row[3] += sums[3]
    row[4] += sums[4]


_LOW_BITS = 60
_LOW_MASK = (1 << _LOW_BITS) - 1


class SplitColumn:
    """Integers of up to ±2^123 in two arrays of 64 bits, read like a sequence."""

    __slots__ = ("high", "low")

    def __init__(self, high: "array[int]", low: "array[int]") -> None:
        self.high = high
        self.low = low

    @classmethod
    def of(cls, values: Sequence[int]) -> "SplitColumn":
        """Raises OverflowError where a value does not fit."""
        high = array("q", [value >> _LOW_BITS for value in values])
        return cls(high, array("q", [value & _LOW_MASK for value in values]))

    def __getitem__(self, i: int) -> int:
        return (self.high[i] << _LOW_BITS) + self.low[i]

    def __iter__(self) -> Iterator[int]:
        return map(add, map(mul, self.high, repeat(1 << _LOW_BITS)), self.low)

    def __len__(self) -> int:
        return len(self.high)


Column = Union["array[int]", SplitColumn, tuple[int, ...]]


def pack_column(values: Sequence[int]) -> Column:
    """The smallest column that holds `values`: 64-bit integers, else 123-bit ones, else any."""
    try:
        return array("q", values)
    except OverflowError:
        pass
    try:
        return SplitColumn.of(values)
    except OverflowError:
        return tuple(values)


class PackedSegment(NamedTuple):
    """A segment in columns, ordered by token."""

    tokens: tuple[str, ...]
    symbols: tuple[str | None, ...]
    last_ms: Column
    buys: Column
    sells: Column
    buy_usd: Column
    sell_usd: Column
    amounts: Column

    @classmethod
    def of(cls, segment: OpenSegment) -> "PackedSegment":
        tokens = sorted(segment)
        columns = list(zip(*(segment[token] for token in tokens), strict=True)) or [()] * 7
        return cls(
            tuple(tokens),
            columns[SYMBOL],
            pack_column(columns[LAST_MS]),
            pack_column(columns[BUYS]),
            pack_column(columns[SELLS]),
            pack_column(columns[BUY_USD]),
            pack_column(columns[SELL_USD]),
            pack_column(columns[TOKEN]),
        )

    def items(self) -> Iterator[tuple[str, Row]]:
        """Token and row, one after the other."""
        columns = (self.buy_usd, self.sell_usd, self.amounts, self.buys, self.sells, self.last_ms, self.symbols)
        return zip(self.tokens, map(list, zip(*columns, strict=True)), strict=True)

    def get(self, token: str) -> Row | None:
        i = bisect_left(self.tokens, token)
        if i == len(self.tokens) or self.tokens[i] != token:
            return None
        return [
            self.buy_usd[i],
            self.sell_usd[i],
            self.amounts[i],
            self.buys[i],
            self.sells[i],
            self.last_ms[i],
            self.symbols[i],
        ]

    def opened(self) -> OpenSegment:
        return dict(self.items())

    def interned(self) -> "PackedSegment":
        """The same with shared token and symbol strings: a token of a thousand segments keeps one name in memory."""
        symbols = [intern(symbol) if symbol else None for symbol in self.symbols]
        return self._replace(tokens=tuple(map(intern, self.tokens)), symbols=tuple(symbols))
