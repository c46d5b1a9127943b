"""What workers and archivers see of Redis, of the update feed and of ClickHouse."""

from swapstats.metrics.catalogue import counter, gauge, histogram

ROUND_TRIP = histogram(
    "consume",
    "redis_round_trip_ms",
    "From sending a script to having its answer; `decide` overlaps with the decoding of the next batch",
    "script",
)
LOST_CONNECTIONS = counter("consume", "redis_connections_lost_total", "Sessions with the state store that broke")
LEDGER_ENTRIES = gauge("consume", "ledger_entries", "Swaps that the ledger remembers", merge="max")
MEMORY_USED = gauge("consume", "redis_memory_used_bytes", "Memory that Redis uses", merge="max")
MEMORY_LIMIT = gauge("consume", "redis_memory_limit_bytes", "Redis's maxmemory; 0 where there is none", merge="max")
CLOCK_SKEW = gauge(
    "consume", "clock_skew_seconds", "This machine's clock minus Redis's, by which everything is timed", merge="max"
)
UPDATES_SENT = counter("consume", "updates_sent_total", "Ticks that went out to the web processes whole")
UPDATES_DROPPED = counter("consume", "updates_dropped_total", "Ticks that did not; readers mend it from the store")
DISK_BYTES = gauge("archive", "clickhouse_disk_bytes", "Bytes of raw swaps on each disk", "disk", merge="max")
DISK_PARTS = gauge("archive", "clickhouse_disk_parts", "Parts of raw swaps on each disk", "disk", merge="max")
PART_MOVES = gauge("archive", "clickhouse_part_moves", "Moves of parts of raw swaps in the last 24 h", merge="max")
OVERDUE_PARTS = gauge(
    "archive", "clickhouse_parts_overdue", "Parts whose time to move to the cold volume has passed", merge="max"
)
