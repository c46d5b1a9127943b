"""The recorded day of real swaps through a broker, a worker and Redis: exact at each instant, whatever happens."""

import gzip
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from confluent_kafka import Producer

from aggregator.pipeline.batch import Batch
from aggregator.pipeline.observer import Observer
from aggregator.pipeline.parts import PipelineSettings, StateStores
from aggregator.pipeline.worker import Worker
from settings.config import Ingest, RedisStore
from swapstats.adapters.kafka.swap_source import KafkaSwapSource
from swapstats.adapters.redis.checkpoint_store import RedisCheckpointStore
from swapstats.adapters.redis.fencing import checkpoint_key
from swapstats.adapters.redis.ledger import RedisLedger
from swapstats.adapters.redis.live_store import RedisLiveWriter
from swapstats.adapters.redis.session import RedisSession
from swapstats.domain.part_codec import decode_part
from swapstats.domain.stats import merge_parts
from swapstats.domain.window import Window
from swapstats.ports.swap_source import SourceIdentity
from swapstats.ports.update_feed import Tick
from tests.parts.told_sums import told
from tests.parts.topics import Broker

pytestmark = pytest.mark.redis

WINDOWS = (Window("5m", 300_000, 5_000), Window("1h", 3_600_000, 60_000), Window("24h", 86_400_000, 60_000))
WAIT_SECONDS = 60
DAY = "uniswap_v3_eth_2024-01-05"
PARTITIONS = 4
Row = tuple[int, bytes]
"""Record timestamp and value."""


class Quiet:
    """Nobody listens, and no record is invalid."""

    def send(self, tick: Tick) -> None: ...

    def put(self, letters: Sequence[object]) -> None:
        assert not letters

    def kept(self, partitions: Collection[int]) -> set[tuple[int, int, int]]:
        return set()

    def close(self) -> None: ...


class Counting(Observer):
    """Knows how many records were applied."""

    def __init__(self) -> None:
        super().__init__()
        self.records = 0

    def applied(self, batch: Batch, outcomes: Counter[str]) -> None:
        super().applied(batch, outcomes)
        self.records += batch.records


class LivePath:
    """A topic, what is written to it, and workers on a clock that stands still."""

    def __init__(self, broker: Broker, url: str) -> None:
        self.topic = broker.new_topic(partitions=PARTITIONS)
        self.url = url
        self._now_ms = 0
        self.written = 0
        self.observer = Counting()
        self.source: SourceIdentity | None = None
        self._ingest = Ingest(brokers=(broker.bootstrap,), topic=self.topic, group_id=self.topic)
        self._producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all"})

    def write(self, rows: Sequence[Row]) -> None:
        for number, (timestamp_ms, value) in enumerate(rows):
            self._producer.produce(self.topic, value, partition=number % PARTITIONS, timestamp=timestamp_ms)
        assert self._producer.flush(WAIT_SECONDS) == 0
        self.written += len(rows)

    def worker(self) -> Worker:
        settings = PipelineSettings(
            *(WINDOWS, 120_000, 60_000, "drop", 100, 100, "earliest", 1 << 20, 0.5, 1_000, self._ingest.batch_max)
        )
        source, quiet = KafkaSwapSource(self._ingest), Quiet()
        return Worker(settings, source, self._open_stores, quiet, quiet, self.observer, "worker")

    def _open_stores(self, log: SourceIdentity) -> StateStores:
        session, self.source = RedisSession.open(RedisStore(url=self.url)), log
        return StateStores(
            log,
            lambda: None,
            RedisLedger(session, "t:", log, 2 * 86_400_000),
            RedisCheckpointStore(session, "t:", log, 2 * 86_400_000),
            RedisLiveWriter(session, "t:", log),
            self,
            session.close,
        )

    def set_clock(self, instant: str) -> None:
        """The workers' clock is this object; it stands still until it is set again."""
        self._now_ms = milliseconds(instant)

    def now_ms(self) -> int:
        return self._now_ms

    def sync(self) -> None:
        """It is the reference itself."""

    @contextmanager
    def working(self) -> Iterator[None]:
        worker = self.worker()
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield
        finally:
            worker.stop()
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()

    def read_everything(self) -> None:
        """A worker that stops has published and saved what it had read."""
        with self.working():
            deadline = time.monotonic() + WAIT_SECONDS
            while self.observer.records < self.written:
                assert time.monotonic() < deadline, (self.observer.records, self.written)
                time.sleep(0.02)

    def outcomes(self) -> Counter[str]:
        assert self.source
        with redis.Redis.from_url(self.url) as client:
            keys = (checkpoint_key("t:", self.source, number) for number in range(PARTITIONS))
            return sum((Counter(json.loads(client.hget(key, "outcomes") or "{}")) for key in keys), Counter())

    def windows(self, token: str) -> dict[str, dict[str, object]]:
        assert self.source
        with redis.Redis.from_url(self.url) as client:
            values = [client.hget(f"t:live:{self.source.key}:{number}", token) for number in range(PARTITIONS)]
        merged = merge_parts([decode_part(value[8:]) for value in values if value])
        return {window.name: told(sums) for window, sums in zip(WINDOWS, merged.windows, strict=True)}


def milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[Row]:
    """Every swap recorded 1.5 s after its event time."""
    lines = gzip.decompress((shared_data / f"{DAY}.jsonl.gz").read_bytes()).splitlines()
    return [(milliseconds(json.loads(line)["event_time"]) + 1_500, line) for line in lines]


@pytest.fixture(scope="module")
def expected(shared_data: Path) -> dict[str, Any]:
    return json.loads((shared_data / f"{DAY}.expected.json").read_text())


def shuffled(rows: Sequence[Row]) -> list[Row]:
    """In another order, none further than the grace allows from where it was."""
    rng = random.Random(5)
    return sorted(rows, key=lambda row: row[0] + rng.randrange(100_000))


def twice(rows: Sequence[Row]) -> list[Row]:
    return [*rows, *rows]


def check_day(
    broker: Broker, url: str, rows: list[Row], expected: dict[str, Any], arranged: Callable[[Sequence[Row]], list[Row]]
) -> None:
    """Each stretch of the day is written, and read by a new worker that goes on from where the last one stopped."""
    path, done = LivePath(broker, url), 0
    for instant, windows in expected["at"].items():
        upto = sum(timestamp_ms <= milliseconds(instant) for timestamp_ms, _ in rows)
        path.write(arranged(rows[done:upto]))
        path.set_clock(instant)
        done = upto
        path.read_everything()
        shown = path.windows(expected["token"])
        assert shown == {name: {key: window[key] for key in shown[name]} for name, window in windows.items()}, instant
    assert path.outcomes() == Counter(applied=done, duplicate=path.written - done)


def test_the_recorded_day_is_exact_at_all_instants(
    mock_broker: Broker, redis_url: str, rows: list[Row], expected: dict[str, Any]
) -> None:
    check_day(mock_broker, redis_url, rows, expected, lambda rows: twice(shuffled(rows)))


@pytest.mark.kafka
@pytest.mark.parametrize("arranged", [list, shuffled, twice])
def test_on_a_real_kafka_in_any_arrangement(
    kafka: Broker,
    redis_url: str,
    rows: list[Row],
    expected: dict[str, Any],
    arranged: Callable[[Sequence[Row]], list[Row]],
) -> None:
    check_day(kafka, redis_url, rows, expected, arranged)
