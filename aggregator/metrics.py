"""The workers' metrics (CONTRACT §6): one catalogue, from which the docs are checked."""

from prometheus_client import Counter, Gauge, Histogram

_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000)

EVENTS_INGESTED = Counter("events_ingested_total", "Records read from the log")
EVENTS_APPLIED = Counter("events_applied_total", "Swaps counted in the windows")
DEDUPE_HITS = Counter("dedupe_hits_total", "Records that repeat one decided before")
EVENTS_LATE = Counter("events_late_total", "Swaps that reached the log more than the grace after their event time")
EVENTS_RETRACTED = Counter("events_retracted_total", "Retractions of a swap decided before")
EVENTS_PARKED = Counter("events_parked_total", "Retractions that came before their swap")
EVENTS_CANCELLED = Counter("events_cancelled_total", "Swaps whose retraction had come before")
EVENTS_DEAD_LETTERED = Counter("events_dead_lettered_total", "Records that are no valid swap events", ["reason"])
CONSUMER_LAG_SECONDS = Gauge("consumer_lag_seconds", "Age of the last record applied", ["partition"])
CONSUMER_LAG_RECORDS = Gauge("consumer_lag_records", "Records not yet read", ["partition"])
WINDOW_APPLY_LATENCY = Histogram(
    "window_apply_latency_ms", "From a record's timestamp to its swap being in the windows", buckets=_MS
)
BATCH_DECODE_SECONDS = Histogram("batch_decode_seconds", "Decoding of one batch and handing it to the ledger")
SNAPSHOT_DURATION = Histogram("snapshot_duration_ms", "Saving all partitions of a worker", buckets=_MS)
SNAPSHOT_BYTES = Counter("snapshot_bytes_total", "Bytes of segments written")
RESTORES = Counter("restores_after_failure_total", "Times that a worker went back to its snapshots")

_BY_OUTCOME = {
    "applied": EVENTS_APPLIED,
    "duplicate": DEDUPE_HITS,
    "late": EVENTS_LATE,
    "retracted": EVENTS_RETRACTED,
    "retracted_late": EVENTS_RETRACTED,
    "parked": EVENTS_PARKED,
    "cancelled": EVENTS_CANCELLED,
}


def count_outcome(outcome: str, count: int) -> None:
    """Dead letters are counted by their reason where it is known."""
    if outcome in _BY_OUTCOME:
        _BY_OUTCOME[outcome].inc(count)
