"""What operators see of the archive's disks: where raw swaps lie, and whether they move to the cold volume in time."""

from collections.abc import Callable

from swapstats.adapters.clickhouse.connection import Connection
from swapstats.metrics import stores as metrics

_PARTS = """
SELECT disk_name, sum(bytes_on_disk), count() FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'raw_swaps' GROUP BY disk_name
"""

_OVERDUE = """
SELECT count() FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'raw_swaps' AND length(move_ttl_info.max) > 0
    AND move_ttl_info.max[1] < now() - INTERVAL 1 DAY
    AND disk_name NOT IN (SELECT arrayJoin(disks) FROM system.storage_policies WHERE volume_name = 'cold')
"""

_MOVES = """
SELECT count() FROM system.part_log
WHERE event_type = 'MovePart' AND event_time > now() - INTERVAL 1 DAY
    AND database = currentDatabase() AND table = 'raw_swaps'
"""


class ClickHouseWatch:
    """Sets the gauges at each look. Raises ArchiveError."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect

    def __call__(self) -> None:
        with self._connect() as server:
            for disk, size, parts in server.query(_PARTS):
                metrics.DISK_BYTES.labels(disk).set(size)
                metrics.DISK_PARTS.labels(disk).set(parts)
            metrics.OVERDUE_PARTS.set(server.query(_OVERDUE)[0][0])
            if server.query("SELECT 1 FROM system.tables WHERE database = 'system' AND name = 'part_log'"):
                metrics.PART_MOVES.set(server.query(_MOVES)[0][0])
