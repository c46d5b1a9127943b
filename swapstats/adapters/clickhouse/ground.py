"""What the archive on ClickHouse knows about its own reach: the part of port swap_archive that writing and replaying
share."""

from collections.abc import Mapping, Sequence

from swapstats.adapters.clickhouse.connection import Connection
from swapstats.ports.swap_source import SourceIdentity


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
            rows = self._connection.query(
                "SELECT count(), max(source_offset) FROM raw_swaps WHERE source = %(source)s "
                "AND source_partition = %(partition)s AND source_offset >= %(first)s",
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
        rows = self._connection.query(
            f"SELECT source_offset FROM raw_swaps WHERE {where} "  # noqa: S608 - constants
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

    def close(self) -> None:
        self._connection.close()


def within(stretches: Mapping[int, tuple[int, int]]) -> str:
    """The condition that a row lies in one of the stretches, by partition from the first offset up to the second."""
    terms = (
        f"source_partition = {int(partition)} AND source_offset >= {int(first)} AND source_offset < {int(end)}"
        for partition, (first, end) in stretches.items()
    )
    return f"({' OR '.join(f'({term})' for term in terms)})"
