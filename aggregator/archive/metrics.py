"""The archiver's metrics; names from CONTRACT §6 where it has them. Outcomes add up to records read."""

from prometheus_client import Counter, Gauge, Histogram

_MS = (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000)

BATCH_SIZE = Histogram(
    "clickhouse_batch_size", "Rows of one insert", buckets=(1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
)
FLUSH_DURATION = Histogram("clickhouse_flush_duration_ms", "One insert that succeeded", buckets=_MS)
READ = Counter("archive_read_total", "Records read from the log for the archive")
RECORDS = Counter(
    "archive_records_total",
    "Records by what became of them: archived, held (before), invalid, rejected (by ClickHouse, kept aside)",
    ["outcome"],
)
RETRIES = Counter("archive_retries_total", "Attempts at ClickHouse that failed and were repeated")
MISSED = Counter("archive_missed_total", "Offsets that the log no longer had when the archive came to read them")
LAG_RECORDS = Gauge("archive_lag_records", "Records not yet read for the archive", ["partition"])
LAG_SECONDS = Gauge("archive_lag_seconds", "Age of the last record archived", ["partition"])
REFRESH_DURATION = Histogram("archive_refresh_duration_ms", "Computing anew the candles that changed", buckets=_MS)
REFRESH_FAILURES = Counter("archive_refresh_failures_total", "Times that candles could not be computed")
