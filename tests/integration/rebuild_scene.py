"""A log, an archive, a Redis, and workers and archivers between them, with a model that was fed the same records."""

import json
import random
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager

import redis
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from aggregator.archive.archiver import Archiver, ArchiveSettings
from aggregator.archive.rebuild import Rebuild
from aggregator.pipeline.batch import Batch
from aggregator.pipeline.decode import Decoder
from aggregator.pipeline.observer import Observer
from aggregator.pipeline.parts import PipelineSettings, StateStores
from aggregator.pipeline.worker import Worker
from settings.config import Ingest, RedisStore
from swapstats.adapters.clickhouse.connection import Connection, database_of
from swapstats.adapters.clickhouse.replay import ClickHouseReplay
from swapstats.adapters.clickhouse.schema import Deployment, Schema
from swapstats.adapters.clickhouse.swap_archive import ClickHouseArchive
from swapstats.adapters.kafka.swap_source import KafkaSwapSource
from swapstats.adapters.redis.checkpoint_admin import RedisCheckpointAdmin
from swapstats.adapters.redis.checkpoint_store import RedisCheckpointStore
from swapstats.adapters.redis.ledger import RedisLedger
from swapstats.adapters.redis.live_store import RedisLiveWriter
from swapstats.adapters.redis.session import RedisSession
from swapstats.domain.part_codec import decode_part
from swapstats.domain.stats import EMPTY_WINDOW, merge_parts
from swapstats.domain.swap import Swap, event_id
from swapstats.domain.window import Window
from swapstats.ports.checkpoint_admin import HeldCheckpoint
from swapstats.ports.checkpoint_store import CheckpointMeta
from swapstats.ports.live_store import LiveMeta
from swapstats.ports.swap_archive import Row
from swapstats.ports.swap_source import SourceIdentity
from tests.integration.archive_model import DAY_MS, GRACE_MS, NOON_MS, TOKENS, event_json, make_row, random_log
from tests.oracle import Oracle
from tests.parts.told_sums import told
from tests.parts.topics import Broker

WINDOWS = (Window("5m", 300_000, 5_000), Window("1h", 3_600_000, 60_000), Window("24h", 86_400_000, 60_000))
NOW_MS = NOON_MS + 3 * 3_600_000
SKEW_MS = 60_000
PARTITIONS = 4
WAIT_SECONDS = 60
INVALID = b'{"chain_id": 1}'
RETENTION_MS = 2 * DAY_MS


class Silent:
    """Nobody listens; dead letters are acknowledged at once."""

    def send(self, tick: object) -> None: ...

    def put(self, letters: object) -> None: ...

    def close(self) -> None: ...


class Reached(Observer):
    """Knows up to where each partition was applied."""

    def __init__(self, offsets: dict[int, int]) -> None:
        super().__init__()
        self.offsets = offsets

    def applied(self, batch: Batch, outcomes: Counter[str]) -> None:
        super().applied(batch, outcomes)
        self.offsets.update((p, record.offset + 1) for p, record in batch.last.items())


class Scene:
    """A log, an archive, a Redis, a clock that stands still, and the model that was fed the same records."""

    def __init__(self, broker: Broker, url: str, dsn: str) -> None:
        self.topic = broker.new_topic(PARTITIONS, retention_ms=-1)
        self.ingest = Ingest(brokers=(broker.bootstrap,), topic=self.topic, group_id=self.topic)
        self.url, self.dsn, self.now, self.late_policy = url, dsn, NOW_MS, "drop"
        self.retention_ms = RETENTION_MS
        self.oracle = Oracle()
        self.said: list[str] = []
        self._producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all"})
        self._admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        self._workers = 0
        self._following = dict.fromkeys(range(PARTITIONS), 0)
        with Schema(
            lambda name: Connection(dsn, database=name), database_of(dsn), Deployment("", "", 90, 365)
        ) as schema:
            schema.migrate()

    # The log.

    def write(self, rows: Iterable[Row], partition: Callable[[Row], int] | None = None) -> None:
        """All records of an event go to one partition, unless it is said to which."""
        for row in rows:
            where = partition(row) if partition else zlib.crc32(row.swap.event_id.encode()) % PARTITIONS
            self.write_raw(where, row.record_ms, event_json(row.swap))
        assert self._producer.flush(WAIT_SECONDS) == 0

    def write_raw(self, partition: int, timestamp_ms: int, value: bytes) -> None:
        self._producer.produce(self.topic, value, partition=partition, timestamp=timestamp_ms)
        self._producer.poll(0)
        self._following[partition] += 1
        self.oracle.record(value, timestamp_ms)

    def let_go(self, share: float = 1.0) -> None:
        """The log keeps nothing of what it holds, or only the newer part of it."""
        ends = [TopicPartition(self.topic, p, int(end * share)) for p, end in self._following.items()]
        for future in self._admin.delete_records(ends).values():
            future.result(WAIT_SECONDS)

    # Those who read it.

    def archive(self) -> None:
        source = KafkaSwapSource(self.ingest.model_copy(update={"group_id": f"{self.topic}-archive"}))
        archiver = Archiver(
            source,
            lambda: ClickHouseArchive(Connection(self.dsn)),
            Decoder(1_000_000, SKEW_MS).decode,
            ArchiveSettings(GRACE_MS, 100, 50),
        )
        with running(archiver):
            wait_for(lambda: self.progress() == {p: end for p, end in self._following.items() if end})

    def progress(self) -> dict[int, int]:
        return dict(
            self.query("SELECT source_partition, max(next_offset) FROM candle_progress GROUP BY source_partition")
        )

    def query(self, sql: str) -> list:
        with Connection(self.dsn) as connection:
            return connection.query(sql)

    def work(self, start: str = "latest") -> None:
        """A worker reads what there is; when it stops, it publishes and saves."""
        self._workers += 1
        name, reached = f"worker {self._workers}", Reached({p: meta.next_offset for p, meta in self.saved().items()})
        source, silent = KafkaSwapSource(self.ingest), Silent()
        with running(Worker(self.settings(start), source, self.open_stores, silent, silent, reached, name)):
            wait_for(lambda: self.owners() == {name})
            wait_for(lambda: all(reached.offsets.get(p, 0) == end for p, end in self._following.items()))

    def owners(self) -> set[str]:
        held = self.held()
        return {item.owner for item in held} if len(held) == PARTITIONS else set()

    def live(self) -> dict[int, LiveMeta]:
        with redis.Redis.from_url(self.url) as client:
            stored = client.hgetall(f"t:live:{self.identity.key}")
        metas = {int(p): LiveMeta(*json.loads(meta)[1:]) for p, meta in stored.items()}
        return {p: meta for p, meta in metas.items() if meta.live_epoch}

    def settings(self, start: str = "latest") -> PipelineSettings:
        return PipelineSettings(
            *(WINDOWS, GRACE_MS, SKEW_MS, self.late_policy, 100, 100, start, 1 << 20, 1.0, 1_000, self.ingest.batch_max)
        )

    @property
    def identity(self) -> SourceIdentity:
        return KafkaSwapSource(self.ingest).identity()

    def open_stores(self, log: SourceIdentity) -> StateStores:
        session = RedisSession.open(RedisStore(url=self.url))
        return StateStores(
            log,
            lambda: None,
            RedisLedger(session, "t:", log, RETENTION_MS),
            RedisCheckpointStore(session, "t:", log, RETENTION_MS),
            RedisLiveWriter(session, "t:", log),
            self,
            session.close,
        )

    def now_ms(self) -> int:
        """Everybody's clock is this object; it stands still until `now` is set."""
        return self.now

    def sync(self) -> None:
        """It is the reference itself."""

    # What is to be tested.

    def rebuild(self, *partitions: int) -> None:
        log, stores = KafkaSwapSource(self.ingest), self.open_stores(self.identity)
        with Connection(self.dsn) as connection, closing(stores):
            archive = ClickHouseReplay(connection)
            Rebuild(self.settings(), self.retention_ms, log, archive, stores, "rebuild", self.said.append).run(
                partitions
            )

    def held(self) -> Sequence[HeldCheckpoint]:
        session = RedisSession.open(RedisStore(url=self.url))
        try:
            return RedisCheckpointAdmin(session, "t:").checkpoints(self.identity)
        finally:
            session.close()

    def saved(self) -> dict[int, CheckpointMeta]:
        return {item.partition: item.meta for item in self.held() if item.meta}

    def check(self) -> None:
        """Every window of every token, to the last digit."""
        for token in self.oracle.tokens() | set(ALL_TOKENS):
            expected = self.oracle.stats(token, self.now)["windows"]
            shown = self.windows(token)
            assert shown == {name: {key: expected[name][key] for key in shown[name]} for name in shown}, token

    def windows(self, token: str) -> dict[str, dict[str, object]]:
        with redis.Redis.from_url(self.url) as client:
            values = [client.hget(f"t:live:{self.identity.key}:{p}", token) for p in range(PARTITIONS)]
        parts = [decode_part(value[8:]) for value in values if value]
        windows = merge_parts(parts).windows if parts else (EMPTY_WINDOW,) * len(WINDOWS)
        return {window.name: told(sums) for window, sums in zip(WINDOWS, windows, strict=True)}


@contextmanager
def running(member: Archiver | Worker) -> Iterator[None]:
    thread = threading.Thread(target=member.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        member.stop()
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "did not come to pass"
        time.sleep(0.05)


ALL_TOKENS = [f"{token.chain_id}:{token.address}" for token in TOKENS]


def a_log(seed: int, count: int = 400) -> list[Row]:
    """Repetitions, retractions before and after, late ones, ones of the day before, and swaps that came back."""
    rows = random_log(random.Random(seed), count, PARTITIONS)
    return [row._replace(swap=renamed(row.swap, f"0x{seed:02x}{row.swap.tx_hash[4:]}")) for row in rows]


def renamed(swap: Swap, tx_hash: str) -> Swap:
    return swap._replace(tx_hash=tx_hash, event_id=event_id(swap.chain_id, tx_hash, swap.log_index))


def echoes(rows: list[Row], seed: int) -> list[Row]:
    """What still comes for records of before: repetitions in time and late, and retractions."""
    dice, found = random.Random(seed), []
    for row in rows:
        if dice.random() < 0.3:
            found.append(make_row(0, row.swap, delay_ms=dice.choice((100, 2 * GRACE_MS))))
        if dice.random() < 0.3:
            found.append(make_row(0, row.swap._replace(removed=True)))
    dice.shuffle(found)
    return found
