"""The archiver's metrics; names from CONTRACT §6 where it has them. Outcomes add up to records read."""

from swapstats.metrics.catalogue import ROWS, counter, gauge, histogram

BATCH_SIZE = histogram("archive", "clickhouse_batch_size", "Rows of one insert", buckets=ROWS)
FLUSH_DURATION = histogram("archive", "clickhouse_flush_duration_ms", "One insert that succeeded")
READ = counter("archive", "archive_read_total", "Records read from the log for the archive")
RECORDS = counter(
    "archive",
    "archive_records_total",
    "Records by what became of them: archived, held (before), invalid, rejected (by ClickHouse, kept aside)",
    "outcome",
    known=("archived", "held", "invalid", "rejected"),
)
RETRIES = counter("archive", "archive_retries_total", "Attempts at ClickHouse that failed and were repeated")
MISSED = counter(
    "archive", "archive_missed_total", "Offsets that the log no longer had when the archive came to read them"
)
LAG_RECORDS = gauge("archive", "archive_lag_records", "Records that are not archived yet", "partition")
LAG_SECONDS = gauge("archive", "archive_lag_seconds", "Age of the last record archived, while more wait", "partition")
REFRESH_DURATION = histogram("archive", "archive_refresh_duration_ms", "Computing anew the candles that changed")
REFRESH_FAILURES = counter("archive", "archive_refresh_failures_total", "Times that candles could not be computed")
