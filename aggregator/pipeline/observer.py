"""What a worker tells those who watch it: metrics, a line of progress per interval, and where slow steps spent time."""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from aggregator import metrics
from aggregator.pipeline.batch import Batch
from aggregator.pipeline.lag import Lag
from aggregator.pipeline.partition import Partition
from swapstats.domain.outcome import Outcome
from swapstats.profiling.slow import SLOW_STEPS, SlowStep

log = logging.getLogger("swapstats.progress")

PROGRESS_EVERY_S = 5.0
SLOW_STEP_S = 0.1

_COUNTERS = {outcome.name.lower(): counter for outcome, counter in metrics.BY_OUTCOME.items()}


class Observer:
    """Counts what one worker does; used by its thread."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._outcomes: Counter[str] = Counter()
        self._lag = Lag()
        self._stages: dict[str, float] = {}
        self._records = 0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times what is done within, as a stage of this step."""
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - started
            metrics.STAGE.labels(name).observe(seconds * 1000)
            self._stages[name] = self._stages.get(name, 0.0) + seconds

    def step_done(self) -> None:
        """All stages of a step have been told."""
        stages, self._stages = self._stages, {}
        records, self._records = self._records, 0
        if sum(stages.values()) > SLOW_STEP_S:
            rounded = {name: round(seconds * 1000, 1) for name, seconds in stages.items()}
            SLOW_STEPS.append(SlowStep(time.time(), records, rounded))

    def applied(self, batch: Batch, outcomes: Counter[str]) -> None:
        """The only place where records are counted, so that outcomes add up to records at every instant."""
        metrics.INGESTED.inc(batch.records)
        metrics.BATCH_RECORDS.observe(batch.records)
        for letter in batch.dead_letters:
            metrics.DEAD_LETTERED.labels(letter.invalid.reason.value).inc()
        for outcome, count in outcomes.items():
            if outcome != Outcome.DEAD_LETTERED.name.lower():
                _COUNTERS[outcome].inc(count)
        metrics.APPLY_LATENCY.observe(max(0.0, time.time() * 1000 - batch.oldest_timestamp_ms))
        self._lag.applied(batch)
        self._outcomes.update(outcomes)
        self._records += batch.records

    def published(self) -> None:
        metrics.PUBLISH_TIME.set_to_current_time()

    def snapshotted(
        self, size: int, seconds: float, lag: Mapping[int, int], partitions: Mapping[int, Partition]
    ) -> None:
        metrics.SNAPSHOT_DURATION.observe(seconds * 1000)
        metrics.SNAPSHOT_BYTES.inc(size)
        metrics.SNAPSHOT_TIME.set_to_current_time()
        self._lag.known(lag)
        _show_state(partitions)
        self._tell(sum(lag.values()))

    def restored_after_failure(self) -> None:
        metrics.RESTORES.inc()

    def fenced(self) -> None:
        metrics.FENCED.inc()

    def rebalanced(self, kind: str, partitions: Sequence[int], held: int) -> None:
        """`kind` is assigned, revoked or lost; `held` counts the partitions that are ours from now on."""
        metrics.REBALANCES.labels(kind).inc()
        metrics.PARTITIONS.set(held)
        if kind != "assigned":
            self._lag.forget(partitions)

    def _tell(self, lag: int) -> None:
        elapsed = time.monotonic() - self._since
        if elapsed < PROGRESS_EVERY_S:
            return
        records = self._outcomes.total()
        shares = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self._outcomes.items()))
        log.info("%.0f records/s, lag %d; %s", records / elapsed, lag, shares or "nothing came")
        self._since, self._outcomes = time.monotonic(), Counter()


def _show_state(partitions: Mapping[int, Partition]) -> None:
    engines = [partition.engine for partition in partitions.values()]
    metrics.TOKENS.set(sum(engine.token_count for engine in engines))
    segments: Counter[int] = Counter()
    for engine in engines:
        segments.update(engine.segment_counts())
    for width_ms, count in segments.items():
        metrics.SEGMENTS.labels(width_ms).set(count)
