"""Archived records in the order in which they stood in the log."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from swapstats.adapters.clickhouse.ground import ClickHouseGround, within
from swapstats.domain.swap import Swap, event_id, token_id
from swapstats.ports.swap_archive import MAX_BATCH, Row, Slice
from swapstats.ports.swap_source import SourceIdentity

SLICE_RECORDS = 200_000
CHUNK_ROWS = 4_000
SETTINGS = {
    "max_execution_time": 600,
    "max_bytes_before_external_sort": 1_000_000_000,
    "max_block_size": CHUNK_ROWS,
}

_SINCE = """
SELECT source_partition, min(source_offset) FROM
(
    SELECT source_partition, source_offset FROM raw_swaps
    WHERE source = %(source)s AND source_partition IN %(partitions)s
        AND event_time >= fromUnixTimestamp64Milli(%(event_ms)s, 'UTC')
        AND record_time >= fromUnixTimestamp64Milli(%(record_ms)s, 'UTC')
    UNION ALL
    SELECT source_partition, source_offset FROM rejected_records
    WHERE source = %(source)s AND source_partition IN %(partitions)s
        AND record_time >= fromUnixTimestamp64Milli(%(record_ms)s, 'UTC')
)
GROUP BY source_partition
"""

_MINUTES = """
SELECT intDiv(toUnixTimestamp64Milli(record_time), 60000) AS minute, source_partition, min(source_offset), count()
FROM raw_swaps WHERE source = %(source)s AND {within}
GROUP BY minute, source_partition ORDER BY minute DESC
"""

# A partition keeps the order of its offsets, whatever its records' times; they only say how partitions interleave.
_ROWS = """
SELECT
    source_partition, source_offset, toUnixTimestamp64Milli(record_time), late,
    is_buy, usd_e6, token_e18, toUnixTimestamp64Milli(event_time), removed, block_hash, block_number, token_symbol,
    chain_id, tx_hash, log_index, token_address
FROM raw_swaps WHERE source = %(source)s AND {within}
ORDER BY max(record_time) OVER (PARTITION BY source_partition ORDER BY source_offset), source_partition, source_offset
LIMIT 1 BY source_partition, source_offset
"""

_REJECTED = """
SELECT source_partition, source_offset, toUnixTimestamp64Milli(record_time), event FROM rejected_records FINAL
WHERE source = %(source)s AND {within} ORDER BY source_partition, source_offset
"""


class ClickHouseReplay(ClickHouseGround):
    """Port swap_archive, to decide records anew."""

    def logs(self) -> list[str]:
        rows = self._connection.query("SELECT DISTINCT source FROM candle_progress ORDER BY source")
        return [source for (source,) in rows]

    def since(self, source: SourceIdentity, partitions: Sequence[int], record_ms: int, event_ms: int) -> dict[int, int]:
        times = {"record_ms": max(0, record_ms), "event_ms": max(0, event_ms)}
        values = {"source": source.key, "partitions": tuple(partitions), **times}
        return dict(self._connection.query(_SINCE, values))

    def before(self, source: SourceIdentity, partition: int, offset: int) -> int | None:
        return max(self.held(source, partition, max(0, offset - MAX_BATCH), offset - 1), default=None)

    def missing(self, source: SourceIdentity, partition: int) -> list[tuple[int, int]]:
        return self._connection.query(
            "SELECT first_offset, max(end_offset) FROM missing_offsets WHERE source = %(source)s "
            "AND source_partition = %(partition)s GROUP BY first_offset ORDER BY first_offset",
            {"source": source.key, "partition": partition},
        )

    def slices(self, source: SourceIdentity, stretches: Mapping[int, tuple[int, int]]) -> list[Slice]:
        """Backwards through the minutes: a slice begins, in each partition, with the first offset of its first minute
        or a later one. The oldest takes what is left."""
        found: list[Slice] = []
        end = {partition: stop for partition, (_, stop) in stretches.items()}
        first, records = dict(end), 0
        for counts in self._by_minute(source, stretches):
            for partition, offset, count in counts:
                first[partition] = min(first[partition], offset)
                records += count
            if records >= SLICE_RECORDS:
                found.append(_slice(records, first, end))
                end, records = dict(first), 0
        oldest = _slice(records, {partition: begin for partition, (begin, _) in stretches.items()}, end)
        return [part for part in (oldest, *reversed(found)) if part.stretches]

    def _by_minute(
        self, source: SourceIdentity, stretches: Mapping[int, tuple[int, int]]
    ) -> Iterable[list[tuple[int, int, int]]]:
        """Partition, first offset and number of records, for each minute that has some, the newest first."""
        minutes: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        if stretches:
            for minute, *counts in self._within(_MINUTES, source, stretches):
                minutes[minute].append((counts[0], counts[1], counts[2]))
        return minutes.values()

    def rows(self, source: SourceIdentity, part: Slice) -> Iterator[list[Row]]:
        rejected: dict[int, deque[Row]] = defaultdict(deque)
        for row in map(_rejected_row, self._within(_REJECTED, source, part.stretches)):
            rejected[row.partition].append(row)
        sql = _ROWS.replace("{within}", within(part.stretches))
        for chunk in self._connection.stream(sql, {"source": source.key}, SETTINGS, CHUNK_ROWS):
            rows = list(map(_row, chunk))
            yield list(_with_earlier(rejected, rows)) if rejected else rows
        if leftover := [row for waiting in rejected.values() for row in waiting]:
            yield leftover

    def _within(self, sql: str, source: SourceIdentity, stretches: Mapping[int, tuple[int, int]]) -> list[Any]:
        return self._connection.query(sql.replace("{within}", within(stretches)), {"source": source.key}, SETTINGS)


def _slice(records: int, first: Mapping[int, int], end: Mapping[int, int]) -> Slice:
    return Slice(records, {p: (first[p], end[p]) for p in first if first[p] < end[p]})


def _row(fields: tuple[Any, ...]) -> Row:
    """In the order of `_ROWS`."""
    partition, offset, record_ms, late, *swap, block_hash, number, symbol, chain_id, tx_hash, log_index, token = fields
    identity = event_id(chain_id, tx_hash, log_index), token_id(chain_id, token)
    block, event = (block_hash or None, number, symbol or None), (chain_id, tx_hash, log_index, token)
    whole = (*identity, *swap, *block, *event, None, None)
    return Row(partition, offset, record_ms, late, Swap._make(whole))


def _rejected_row(fields: tuple[int, int, int, str]) -> Row:
    """Whether it was late was not kept."""
    partition, offset, record_ms, event = fields
    return Row(partition, offset, record_ms, False, Swap(**msgspec.json.decode(event)))


def _with_earlier(rejected: Mapping[int, deque[Row]], rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, each after those rejected of its partition that stood before it."""
    for row in rows:
        waiting = rejected.get(row.partition)
        while waiting and waiting[0].offset < row.offset:
            yield waiting.popleft()
        yield row
