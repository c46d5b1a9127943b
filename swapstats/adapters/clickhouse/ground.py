"""What the archive on ClickHouse knows about its own reach: the part of port swap_archive that writing and replaying
share.

Finding rows by their offsets looks at every part, for only the rows themselves know where in the log they stood. While
the cold volume is away it has to do without the days that lie there. Nothing is lost by that: who does not see what is
held there writes it again, and copies count once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from swapstats.adapters.clickhouse.connection import Connection
from swapstats.domain.errors import ArchiveUnavailable
from swapstats.ports.swap_source import SourceIdentity

_COLD_DAYS = """
SELECT DISTINCT partition_id FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'raw_swaps'
    AND disk_name IN (SELECT arrayJoin(disks) FROM system.storage_policies WHERE volume_name = 'cold')
ORDER BY partition_id
"""
EVERYWHERE = "1"


class ClickHouseGround:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def incarnation(self, named: SourceIdentity) -> SourceIdentity:
        rows = self._connection.query(
            "SELECT max(number) FROM log_incarnations WHERE log = %(log)s", {"log": named.key}
        )
        number = rows[0][0]
        return named._replace(incarnation=f"{named.incarnation}~{number}") if number else named

    def highest(self, source: SourceIdentity, partitions: Sequence[int]) -> Mapping[int, int]:
        """The candles know everything below their progress, so only what came since is looked at."""
        done = self.refreshed(source, partitions)
        found = {partition: end - 1 for partition, end in done.items()}
        for partition in partitions:
            rows = self._within_reach(
                "SELECT count(), max(source_offset) FROM raw_swaps WHERE source = %(source)s "
                "AND source_partition = %(partition)s AND source_offset >= %(first)s AND {reach}",
                {"source": source.key, "partition": partition, "first": done.get(partition, 0)},
            )
            if rows[0][0]:
                found[partition] = rows[0][1]
        return found

    def held(self, source: SourceIdentity, partition: int, first: int, last: int) -> set[int]:
        """Rejected ones included."""
        where = (
            "source = %(source)s AND source_partition = %(partition)s AND source_offset BETWEEN %(first)s AND %(last)s"
        )
        rows = self._within_reach(
            f"SELECT source_offset FROM raw_swaps WHERE {where} AND {{reach}} "  # noqa: S608 - constants
            f"UNION DISTINCT SELECT source_offset FROM rejected_records WHERE {where}",
            {"source": source.key, "partition": partition, "first": first, "last": last},
        )
        return {row[0] for row in rows}

    def refreshed(self, source: SourceIdentity, partitions: Sequence[int]) -> dict[int, int]:
        rows = self._connection.query(
            "SELECT source_partition, max(next_offset) FROM candle_progress "
            "WHERE source = %(source)s AND source_partition IN %(partitions)s GROUP BY source_partition",
            {"source": source.key, "partitions": tuple(partitions)},
        )
        return dict(rows)

    def _within_reach(self, sql: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Asks all days, or without the cold volume those that lie elsewhere."""
        try:
            return self._connection.query(sql.replace("{reach}", EVERYWHERE), values)
        except ArchiveUnavailable:
            if not (cold := self._cold_days()):
                raise
        return self._connection.query(sql.replace("{reach}", outside(cold)), values)

    def _cold_days(self) -> list[str]:
        """The days of which the cold volume has something, as partitions are named."""
        return [day for (day,) in self._connection.query(_COLD_DAYS)]

    def close(self) -> None:
        self._connection.close()


def within(stretches: Mapping[int, tuple[int, int]]) -> str:
    """The condition that a row lies in one of the stretches, by partition from the first offset up to the second."""
    terms = (
        f"source_partition = {int(partition)} AND source_offset >= {int(first)} AND source_offset < {int(end)}"
        for partition, (first, end) in stretches.items()
    )
    return f"({' OR '.join(f'({term})' for term in terms)})"


def outside(days: Sequence[str]) -> str:
    """The condition that a raw swap is of none of these days. It is known of each part without looking into it."""
    return f"_partition_id NOT IN ({', '.join(repr(day) for day in days)})"
