"""What a worker tells those who watch it: metrics, and a line of progress per interval."""

import logging
import time
from collections import Counter
from collections.abc import Mapping

from aggregator import metrics
from aggregator.pipeline.batch import Batch

log = logging.getLogger("swapstats.progress")

PROGRESS_EVERY_S = 5.0


class Observer:
    """Counts what one worker does."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._outcomes: Counter[str] = Counter()

    def decoded(self, batch: Batch, seconds: float) -> None:
        metrics.BATCH_DECODE_SECONDS.observe(seconds)
        for letter in batch.dead_letters:
            metrics.EVENTS_DEAD_LETTERED.labels(reason=letter.invalid.reason.value).inc()

    def applied(self, batch: Batch, outcomes: Counter[str]) -> None:
        metrics.EVENTS_INGESTED.inc(batch.records)
        for outcome, count in outcomes.items():
            metrics.count_outcome(outcome, count)
        now_ms = time.time() * 1000
        metrics.WINDOW_APPLY_LATENCY.observe(max(0.0, now_ms - batch.oldest_timestamp_ms))
        for partition, record in batch.last.items():
            metrics.CONSUMER_LAG_SECONDS.labels(partition=partition).set(max(0.0, now_ms - record.timestamp_ms) / 1000)
        self._outcomes.update(outcomes)

    def snapshotted(self, size: int, seconds: float, lag: Mapping[int, int]) -> None:
        metrics.SNAPSHOT_DURATION.observe(seconds * 1000)
        metrics.SNAPSHOT_BYTES.inc(size)
        for partition, records in lag.items():
            metrics.CONSUMER_LAG_RECORDS.labels(partition=partition).set(records)
            if not records:
                metrics.CONSUMER_LAG_SECONDS.labels(partition=partition).set(0)
        self._tell(sum(lag.values()))

    def restored_after_failure(self) -> None:
        metrics.RESTORES.inc()

    def _tell(self, lag: int) -> None:
        elapsed = time.monotonic() - self._since
        if elapsed < PROGRESS_EVERY_S:
            return
        records = self._outcomes.total()
        shares = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self._outcomes.items()))
        log.info("%.0f records/s, lag %d; %s", records / elapsed, lag, shares or "nothing came")
        self._since, self._outcomes = time.monotonic(), Counter()
