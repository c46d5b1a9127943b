"""Port swap_archive, read side, on ClickHouse: parameterised queries, each bounded in time, rows and memory."""

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from swapstats.adapters.clickhouse.pool import Pool
from swapstats.adapters.clickhouse.swap_archive import LAST_MOMENT_MS
from swapstats.domain.errors import ArchiveUnavailable
from swapstats.domain.swap import Swap, event_id, token_id
from swapstats.ports.swap_archive import Candle, Interval, Price, Token, Trade, TradeKey

SETTINGS = {
    "max_execution_time": 5,
    "max_result_rows": 100_000,
    "max_memory_usage": 2_000_000_000,
    "do_not_merge_across_partitions_select_final": 1,
}
REACHES_MS = (Interval.DAY.value, 30 * Interval.DAY.value)
MAX_COPIES = 100_000
"""How many copies of its trades one page may have in the log."""

_STORED_IN = {
    Interval.MINUTE: "minute_candles",
    Interval.MINUTES_5: "minute_candles",
    Interval.MINUTES_15: "minute_candles",
    Interval.HOUR: "hour_candles",
    Interval.HOURS_4: "hour_candles",
    Interval.DAY: "day_candles",
}

_CANDLES = """
WITH
    open_token_e18 > 0 AS priced,
    toFloat64(high_usd_e6) / toFloat64(high_token_e18) AS high,
    toFloat64(low_usd_e6) / toFloat64(low_token_e18) AS low
SELECT
    intDiv(toUnixTimestamp(start), %(width)s) * %(width)s AS span,
    sum(swaps), sum(buys), sum(buy_usd_e6), sum(sell_usd_e6), sum(token_e18),
    argMinIf(open_usd_e6, open_place, priced), argMinIf(open_token_e18, open_place, priced),
    argMaxIf(high_usd_e6, high, priced), argMaxIf(high_token_e18, high, priced),
    argMinIf(low_usd_e6, low, priced), argMinIf(low_token_e18, low, priced),
    argMaxIf(close_usd_e6, close_place, priced), argMaxIf(close_token_e18, close_place, priced),
    uniqCombined64Merge(traders)
FROM {table} FINAL
WHERE chain_id = %(chain_id)s AND token_address = %(address)s AND late <= %(late)s
  AND start >= toDateTime(%(first)s, 'UTC') AND start < toDateTime(%(end)s, 'UTC')
GROUP BY span
HAVING sum(swaps) > 0
ORDER BY span
"""

_KNOWN = "SELECT 1 FROM {table} WHERE chain_id = %(chain_id)s AND token_address = %(address)s LIMIT 1"

_BLOCK = """if(block_hash != '', concat('#', block_hash),
    if(isNull(block_number), '', concat('@', toString(assumeNotNull(block_number)))))"""

_TRADES = f"""
SELECT
    toUnixTimestamp64Milli(event_time), ifNull(block_number, 0), log_index, tx_hash, {_BLOCK} AS block,
    is_buy, usd_e6, token_e18, block_hash, block_number, token_symbol, pool_address, trader, removed, late,
    (toUnixTimestamp64Milli(record_time), source_partition, source_offset)
FROM raw_swaps
WHERE chain_id = %(chain_id)s AND token_address = %(address)s
    AND event_time >= fromUnixTimestamp64Milli(%(since)s, 'UTC') AND {{earlier}}
ORDER BY event_time DESC, ifNull(block_number, 0) DESC, log_index DESC, tx_hash DESC, block DESC
LIMIT %(limit)s
"""  # noqa: S608 - constants

_EARLIER = """event_time <= fromUnixTimestamp64Milli(%(event_time_ms)s, 'UTC') AND
    (toUnixTimestamp64Milli(event_time), ifNull(block_number, 0), log_index, tx_hash, block)
    < (%(event_time_ms)s, %(height)s, %(log_index)s, %(tx_hash)s, %(block)s)"""


class _Copy(NamedTuple):
    """A record of a trade, in the order of the columns above."""

    event_time_ms: int
    height: int
    log_index: int
    tx_hash: str
    block: str
    is_buy: bool
    usd: int
    token: int
    block_hash: str
    block_number: int | None
    symbol: str
    pool: str
    trader: str
    removed: bool
    late: bool
    position: tuple[int, int, int]
    """Record time, partition and offset."""

    @property
    def key(self) -> TradeKey:
        return TradeKey(self.event_time_ms, self.height, self.log_index, self.tx_hash, self.block)


class ClickHouseHistory:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def candles(self, token: Token, interval: Interval, from_ms: int, to_ms: int, late: bool) -> list[Candle]:
        sql = _CANDLES.replace("{table}", _STORED_IN[interval])
        values = {
            **token._asdict(),
            "width": interval.value // 1000,
            "first": _second(from_ms),
            "end": _second(to_ms),
            "late": late,
        }
        with self._pool.connection() as connection:
            rows = connection.query(sql, values, {**SETTINGS, "max_threads": 1})
        return [_candle(row) for row in rows]

    def trades(self, token: Token, before: TradeKey | None, limit: int) -> list[Trade]:
        """Looks at the latest days first: most pages need no others, and others may lie on the cold volume."""
        newest_ms = before.event_time_ms if before else int(time.time() * 1000)
        for reach_ms in REACHES_MS:
            page = self._page(token, before, newest_ms - reach_ms, limit)
            if len(page) == limit:
                return page
        return self._page(token, before, 0, limit)

    def _page(self, token: Token, before: TradeKey | None, since_ms: int, limit: int) -> list[Trade]:
        """All copies of a trade are of one moment. The last moment read may have more of them, unless all were read."""
        most = 2 * limit + 100
        while most <= MAX_COPIES:
            copies = self._copies(token, before, since_ms, most)
            is_all = len(copies) < most
            whole = [copy for copy in copies if is_all or copy.event_time_ms > copies[-1].event_time_ms]
            trades = _trades(token, whole)
            if is_all or len(trades) >= limit:
                return trades[:limit]
            most *= 8
        raise ArchiveUnavailable("too many copies of the same swaps to read a page of them")

    def _copies(self, token: Token, before: TradeKey | None, since_ms: int, limit: int) -> list[_Copy]:
        values: dict[str, object] = {**token._asdict(), "since": max(0, since_ms), "limit": limit}
        if before is not None:
            values |= before._asdict()
        sql = _TRADES.replace("{earlier}", _EARLIER if before else "1")
        with self._pool.connection() as connection:
            return [_Copy(*row) for row in connection.query(sql, values, SETTINGS)]

    def knows(self, token: Token) -> bool:
        """Candles know all but the swaps of the last moment, and need no cold volume."""
        with self._pool.connection() as connection:
            return any(
                connection.query(_KNOWN.replace("{table}", table), token._asdict(), SETTINGS)
                for table in ("day_candles", "raw_swaps")
            )

    def close(self) -> None:
        self._pool.close()


def _second(time_ms: int) -> int:
    """The first whole second from that moment on, within what a DateTime can hold."""
    return -(-min(max(time_ms, 0), LAST_MOMENT_MS) // 1000)


def _candle(row: Sequence[Any]) -> Candle:
    span, swaps, buys, buy_usd, sell_usd, token, *amounts, traders = row
    open_, high, low, close = (Price(usd, of) if of else None for usd, of in zip(*[iter(amounts)] * 2, strict=True))
    return Candle(span * 1000, swaps, buys, buy_usd, sell_usd, token, open_, high, low, close, traders)


def _trades(token: Token, copies: Iterable[_Copy]) -> list[Trade]:
    """The occurrences that these are all copies of, in the same order."""
    groups: dict[tuple[object, ...], list[_Copy]] = {}
    for copy in copies:
        groups.setdefault((copy.event_time_ms, copy.log_index, copy.tx_hash, copy.block), []).append(copy)
    trades = [trade for group in groups.values() if (trade := _trade(token, group))]
    return sorted(trades, key=lambda trade: trade.key, reverse=True)


def _trade(token: Token, copies: Sequence[_Copy]) -> Trade | None:
    """One occurrence from its copies; None where there are only retractions of it."""
    additions = [copy for copy in copies if not copy.removed]
    if not additions:
        return None
    first = min(additions, key=lambda copy: copy.position)
    is_late = all(copy.late for copy in additions)
    return Trade(first.key, _swap(token, first), is_late, len(additions) < len(copies))


def _swap(token: Token, copy: _Copy) -> Swap:
    return Swap(
        event_id(token.chain_id, copy.tx_hash, copy.log_index),
        token_id(token.chain_id, token.address),
        copy.is_buy,
        copy.usd,
        copy.token,
        copy.event_time_ms,
        copy.removed,
        copy.block_hash or None,
        copy.block_number,
        copy.symbol or None,
        token.chain_id,
        copy.tx_hash,
        copy.log_index,
        token.address,
        copy.pool or None,
        copy.trader or None,
    )
