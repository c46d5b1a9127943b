"""Port swap_archive, write side, on ClickHouse."""

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import msgspec

from swapstats.adapters.clickhouse.connection import Connection, Settings
from swapstats.adapters.clickhouse.ground import EVERYWHERE, ClickHouseGround, outside, within
from swapstats.domain.errors import ArchiveRefused, ArchiveUnavailable
from swapstats.ports.swap_archive import MAX_BATCH, Row
from swapstats.ports.swap_source import SourceIdentity

COLUMNS = (
    *("is_buy", "usd_e6", "token_e18", "event_time", "removed", "block_hash", "block_number", "token_symbol"),
    *("chain_id", "tx_hash", "log_index", "token_address", "pool_address", "trader"),
    *("late", "source", "source_partition", "source_offset", "record_time"),
)
EVENT_TIME, PARTITION, OFFSET, RECORD_TIME = map(
    COLUMNS.index, ("event_time", "source_partition", "source_offset", "record_time")
)
INSERT_SETTINGS = {"max_partitions_per_insert_block": 0, "throw_on_max_partitions_per_insert_block": 0}
"""A batch may hold swaps of many days, each of which is a partition."""

REFRESH_SETTINGS = {**INSERT_SETTINGS, "do_not_merge_across_partitions_select_final": 1, "max_execution_time": 60}
CLUSTER_SETTINGS: Settings = {"insert_quorum": "auto", "insert_quorum_parallel": 0, "select_sequential_consistency": 1}
"""On a cluster: what is acknowledged is on a majority, and what is read includes all that was acknowledged."""

Stretches = Mapping[int, tuple[int, int]]
REFRESH_OFFSETS = 4 * MAX_BATCH
LAST_MOMENT_MS = 4_260_211_200_000
"""2105-01-01: ClickHouse's Date and DateTime, in which rows age and candles start, do not reach much further."""


def _sql(name: str, **values: str) -> str:
    """A statement of the folder `candles`, with what stands in braces filled in."""
    text = resources.files(__package__).joinpath("candles", f"{name}.sql").read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace("{" + key + "}", value)
    return text


_CANDLES = (
    _sql("minutes"),
    _sql("wider", narrower="minute_candles", wider="hour_candles", rounding="toStartOfHour"),
    _sql("wider", narrower="hour_candles", wider="day_candles", rounding="toStartOfDay"),
)
"""In this order: each is computed from the one before."""


class ClickHouseArchive(ClickHouseGround):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._hot: dict[int, int] = {}
        """Up to which offsets candles were computed without the cold volume."""

    def set_aside(self, named: SourceIdentity, source: SourceIdentity) -> None:
        number = int(source.incarnation.rpartition("~")[2]) if source != named else 0
        self._connection.insert("log_incarnations", ("log", "number"), [[named.key], [number + 1]])

    def note_missing(self, source: SourceIdentity, partition: int, first: int, end: int) -> None:
        names = ("source", "source_partition", "first_offset", "end_offset")
        self._connection.insert("missing_offsets", names, [[source.key], [partition], [first], [end]])

    def insert(self, source: SourceIdentity, rows: Sequence[Row]) -> None:
        columns = _columns(source.key, rows)
        event_times, record_times = columns[EVENT_TIME], columns[RECORD_TIME]
        if max(*event_times, *record_times) >= LAST_MOMENT_MS or min(record_times) < 0:
            raise ArchiveRefused("its time is before 1970 or after 2104, more than the archive's dates can hold")
        token = {"insert_deduplication_token": _token(source, columns[PARTITION], columns[OFFSET])}
        self._connection.insert("raw_swaps", COLUMNS, columns, {**INSERT_SETTINGS, **token})

    def reject(self, source: SourceIdentity, row: Row, error: str) -> None:
        names = ("source", "source_partition", "source_offset", "record_time", "event", "error")
        event = msgspec.json.encode(row.swap._asdict(), enc_hook=str).decode(errors="replace")
        values = (source.key, row.partition, row.offset, min(max(row.record_ms, 0), LAST_MOMENT_MS), event, error)
        self._connection.insert("rejected_records", names, [[value] for value in values])

    def refresh(self, source: SourceIdentity, written: Mapping[int, int]) -> bool:
        done = self.refreshed(source, list(written))
        stretches = _next_stretches(done, written)
        if stretches:
            self._compute_or_hot(source, stretches, written)
            columns = zip(*((source.key, p, end) for p, (_, end) in stretches.items()), strict=True)
            self._connection.insert(
                "candle_progress", ("source", "source_partition", "next_offset"), list(map(list, columns))
            )
        return all(end == written[partition] for partition, (_, end) in stretches.items())

    def _compute_or_hot(self, source: SourceIdentity, stretches: Stretches, written: Mapping[int, int]) -> None:
        """Without the cold volume, days that have nothing there are computed on and on, in advance of the progress that
        is kept: once it is back, all since then are computed anew, for others may have changed too."""
        try:
            self._compute(source, stretches, EVERYWHERE)
        except ArchiveUnavailable:
            if cold := self._cold_days():
                self._compute_hot(source, {p: first for p, (first, _) in stretches.items()}, written, outside(cold))
            raise
        self._hot.clear()

    def _compute_hot(
        self, source: SourceIdentity, done: Mapping[int, int], written: Mapping[int, int], reach: str
    ) -> None:
        """What it has done is kept in memory only, and forgotten where the progress is behind by another's doing."""
        self._hot = {p: max(first, self._hot.get(p, 0)) for p, first in done.items()}
        while stretches := _next_stretches(self._hot, {p: written[p] for p in done}):
            self._compute(source, stretches, reach)
            self._hot |= {partition: end for partition, (_, end) in stretches.items()}

    def _compute(self, source: SourceIdentity, stretches: Stretches, reach: str) -> None:
        for statement in _CANDLES:
            touched = f"source = %(source)s AND {within(stretches)} AND {reach}"
            sql = statement.replace("{touched}", touched).replace("{reach}", reach)
            self._connection.query(sql, {"source": source.key}, REFRESH_SETTINGS)


def _next_stretches(done: Mapping[int, int], written: Mapping[int, int]) -> Stretches:
    """What one step computes."""
    stretches = {p: (done.get(p, 0), min(end, done.get(p, 0) + REFRESH_OFFSETS)) for p, end in written.items()}
    return {partition: span for partition, span in stretches.items() if span[0] < span[1]}


def _token(source: SourceIdentity, partitions: Sequence[int], offsets: Sequence[int]) -> str:
    """Tells a block by the positions in it, so that the same block is known when it comes again."""
    digest = hashlib.blake2b(source.key.encode(), digest_size=16)
    digest.update(array("Q", [*partitions, *offsets]))
    return digest.hexdigest()


def _columns(source: str, rows: Sequence[Row]) -> list[Sequence[Any]]:
    """In the order of COLUMNS; what an event lacks is empty."""
    partitions, offsets, record_times, late, swaps = zip(*rows, strict=True)
    fields = list(zip(*swaps, strict=True))[2:]  # event id and token id are told by the others
    is_buy, usd, token, event_time, removed, block_hash, block_number, symbol, *identity, pool, trader = fields
    texts = [_texts(block_hash), block_number, _texts(symbol), *identity, _texts(pool), _texts(trader)]
    position = [late, [source] * len(rows), partitions, offsets, record_times]
    return [is_buy, usd, token, list(event_time), removed, *texts, *position]


def _texts(column: Sequence[str | None]) -> Sequence[str | None]:
    return [text or "" for text in column] if None in column else column
