"""What a worker (`manage.py consume`) shows."""

from swapstats.domain.outcome import Outcome
from swapstats.domain.swap import InvalidReason
from swapstats.metrics.catalogue import ROWS, counter, gauge, histogram

INGESTED = counter("consume", "events_ingested_total", "Records read from the log, those read again included")
APPLIED = counter("consume", "events_applied_total", "Swaps counted in the windows")
DEDUPE_HITS = counter("consume", "dedupe_hits_total", "Records that repeat one decided before")
LATE = counter("consume", "events_late_total", "Swaps that reached the log more than the grace after their event time")
RETRACTED = counter("consume", "events_retracted_total", "Retractions of a swap decided before")
PARKED = counter("consume", "events_parked_total", "Retractions that came before their swap")
CANCELLED = counter("consume", "events_cancelled_total", "Swaps whose retraction had come before")
DEAD_LETTERED = counter(
    "consume", "events_dead_lettered_total", "Records that are no valid swap events", "reason", known=InvalidReason
)

BY_OUTCOME = {
    Outcome.APPLIED: APPLIED,
    Outcome.DUPLICATE: DEDUPE_HITS,
    Outcome.LATE: LATE,
    Outcome.RETRACTED: RETRACTED,
    Outcome.RETRACTED_LATE: RETRACTED,
    Outcome.PARKED: PARKED,
    Outcome.CANCELLED: CANCELLED,
}
"""All outcomes but `DEAD_LETTERED`, which is counted by reason. Together they add up to `events_ingested_total`."""

LAG_SECONDS = gauge(
    "consume", "consumer_lag_seconds", "Age of the last record applied; 0 where all are read", "partition"
)
LAG_RECORDS = gauge("consume", "consumer_lag_records", "Records not yet read", "partition")
EVENT_LAG_SECONDS = gauge("consume", "event_time_lag_seconds", "Now minus the newest event time applied")
BATCH_RECORDS = histogram("consume", "batch_records", "Records that one step took", buckets=ROWS)
APPLY_LATENCY = histogram(
    "consume", "window_apply_latency_ms", "From the oldest record's timestamp to its batch being in the windows"
)
STAGE = histogram("consume", "batch_stage_ms", "One stage (decode, decide, publish, snapshot) of one step", "stage")
SNAPSHOT_DURATION = histogram("consume", "snapshot_duration_ms", "Saving all partitions of a worker")
SNAPSHOT_BYTES = counter("consume", "snapshot_bytes_total", "Bytes of segments written")
SNAPSHOT_TIME = gauge(
    "consume", "last_snapshot_timestamp_seconds", "When a worker last saved its partitions", merge="livemin"
)
PUBLISH_TIME = gauge("consume", "last_publish_timestamp_seconds", "When a worker last told readers", merge="livemin")
RESTORES = counter("consume", "restores_after_failure_total", "Times that a worker went back to its snapshots")
FENCED = counter("consume", "partitions_fenced_total", "Partitions that another worker had taken meanwhile")
REBALANCES = counter(
    "consume",
    "rebalances_total",
    "Changes of the partitions held: assigned, revoked, lost",
    "kind",
    known=("assigned", "revoked", "lost"),
)
PARTITIONS = gauge("consume", "partitions_held", "Partitions that are this worker's")
TOKENS = gauge("consume", "window_tokens", "Tokens with swaps in the rings of this worker's partitions")
SEGMENTS = gauge("consume", "ring_segments", "Buckets held with swaps in them, by their width", "width_ms")
