"""The live store's contract, as ports/live_store.py says it, on a real Redis."""

from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
import redis
from redis.asyncio import Redis

from settings.config import RedisStore
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.redis.checkpoint_admin import RedisCheckpointAdmin
from swapstats.adapters.redis.checkpoint_store import RedisCheckpointStore
from swapstats.adapters.redis.live_store import RedisLiveReader, RedisLiveWriter
from swapstats.adapters.redis.session import RedisSession
from swapstats.domain.errors import Fenced, StoreUnavailable
from swapstats.domain.window import Window
from swapstats.ports.checkpoint_store import CheckpointMeta, Lease
from swapstats.ports.live_store import LiveMeta, LivePartition, Step, describe_windows, read_windows
from swapstats.ports.swap_source import SourceIdentity

pytestmark = pytest.mark.redis

PREFIX = "test:"
LOG = SourceIdentity("cluster", "raw-swaps", "a1")
OTHER_LOG = SourceIdentity("cluster", "raw-swaps", "b2")
WINDOWS = (Window("5m", 300_000, 5_000), Window("1h", 3_600_000, 60_000))


class Worker:
    """A session to Redis with what a worker opens on it."""

    def __init__(self, url: str, log: SourceIdentity = LOG, name: str = "one") -> None:
        self.session = RedisSession.open(RedisStore(url=url))
        self.checkpoints = RedisCheckpointStore(self.session, PREFIX, log, ttl_ms=60_000)
        self.live = RedisLiveWriter(self.session, PREFIX, log)
        self.name = name
        self.epochs: dict[int, int] = {}

    def take(self, *partitions: int) -> None:
        for partition in partitions:
            self.epochs[partition] = self.checkpoints.take(partition, self.name).epoch

    def publish(self, *steps: Step) -> Sequence[int]:
        return self.live.publish(steps, self.epochs)


@pytest.fixture
def worker(redis_url: str) -> Iterator[Worker]:
    worker = Worker(redis_url)
    worker.take(0, 1)
    yield worker
    worker.session.close()


@pytest.fixture
async def reader(redis_url: str) -> AsyncIterator[RedisLiveReader]:
    reader = RedisLiveReader(Redis.from_url(redis_url), PREFIX)
    yield reader
    await reader.close()


def meta(seq: int, live_epoch: str = "e1", as_of_ms: int = 1_000) -> LiveMeta:
    return LiveMeta(live_epoch, seq, as_of_ms, seq * 10, 0, describe_windows(WINDOWS))


def step(
    seq: int,
    parts: dict[str, bytes] | None = None,
    *,
    partition: int = 0,
    gone: tuple[str, ...] = (),
    whole: bool = False,
    live_epoch: str = "e1",
) -> Step:
    return Step(partition, seq - 1, meta(seq, live_epoch), parts or {}, gone, (), whole)


def test_windows_are_described_and_read_back() -> None:
    assert describe_windows(WINDOWS) == "5m/300000/5000,1h/3600000/60000"
    assert read_windows(describe_windows(WINDOWS)) == WINDOWS


async def test_an_empty_store_has_no_live_log(reader: RedisLiveReader) -> None:
    assert await reader.source() == ""
    assert await reader.partitions(LOG.key) == {}
    assert await reader.load(LOG.key, 0) is None


async def test_what_was_published_is_loaded_with_the_seq_that_wrote_it(worker: Worker, reader: RedisLiveReader) -> None:
    worker.publish(step(1, {"1:a": b"A1", "1:b": b"B1"}), step(1, {"1:c": b"C1"}, partition=1))
    worker.publish(step(2, {"1:a": b"A2"}))
    assert await reader.source() == LOG.key
    assert await reader.partitions(LOG.key) == {0: meta(2), 1: meta(1)}
    assert await reader.load(LOG.key, 0) == LivePartition(meta(2), {"1:a": (2, b"A2"), "1:b": (1, b"B1")})
    assert await reader.load(LOG.key, 1) == LivePartition(meta(1), {"1:c": (1, b"C1")})


async def test_tokens_that_are_gone_are_gone(worker: Worker, reader: RedisLiveReader) -> None:
    worker.publish(step(1, {"1:a": b"A1", "1:b": b"B1"}))
    worker.publish(step(2, gone=("1:a", "1:never")))
    assert await reader.load(LOG.key, 0) == LivePartition(meta(2), {"1:b": (1, b"B1")})


async def test_a_step_in_which_only_time_passed_moves_the_time(worker: Worker, reader: RedisLiveReader) -> None:
    worker.publish(step(1, {"1:a": b"A1"}))
    later = meta(1, as_of_ms=1_100)
    worker.publish(Step(0, 1, later, {}, (), ()))
    assert await reader.load(LOG.key, 0) == LivePartition(later, {"1:a": (1, b"A1")})


async def test_a_whole_step_replaces_everything(worker: Worker, reader: RedisLiveReader) -> None:
    worker.publish(step(1, {"1:a": b"A1", "1:b": b"B1"}))
    worker.publish(step(2, {"1:c": b"C2"}, whole=True))
    assert await reader.load(LOG.key, 0) == LivePartition(meta(2), {"1:c": (2, b"C2")})


async def test_a_new_live_epoch_voids_what_was_there(worker: Worker, reader: RedisLiveReader) -> None:
    worker.publish(step(5, {"1:a": b"A1"}, whole=True))
    worker.publish(step(1, {"1:b": b"B1"}, live_epoch="e2", whole=True))
    assert await reader.load(LOG.key, 0) == LivePartition(meta(1, "e2"), {"1:b": (1, b"B1")})


async def test_a_step_of_many_thousand_tokens_is_one_step(worker: Worker, reader: RedisLiveReader) -> None:
    parts = {f"1:{number}": str(number).encode() for number in range(20_011)}
    worker.publish(step(1, parts))
    loaded = await reader.load(LOG.key, 0)
    assert loaded == LivePartition(meta(1), {token: (1, data) for token, data in parts.items()})
    worker.publish(step(2, gone=tuple(parts)))
    assert await reader.load(LOG.key, 0) == LivePartition(meta(2), {})


async def test_whoever_lost_a_partition_writes_nothing_at_all(
    worker: Worker, reader: RedisLiveReader, redis_url: str
) -> None:
    worker.publish(step(1, {"1:a": b"A1"}), step(1, {"1:b": b"B1"}, partition=1))
    successor = Worker(redis_url, name="two")
    successor.take(1)
    with pytest.raises(Fenced) as raised:
        worker.publish(step(2, {"1:a": b"A2"}), step(2, {"1:b": b"B2"}, partition=1))
    assert raised.value.partition == 1
    assert await reader.load(LOG.key, 0) == LivePartition(meta(1), {"1:a": (1, b"A1")})
    successor.publish(step(2, {"1:b": b"from the successor"}, partition=1))
    assert await reader.load(LOG.key, 1) == LivePartition(meta(2), {"1:b": (2, b"from the successor")})


async def test_a_step_that_does_not_follow_is_refused(worker: Worker, reader: RedisLiveReader) -> None:
    worker.publish(step(1, {"1:a": b"A1"}))
    with pytest.raises(Fenced):
        worker.publish(step(3, {"1:a": b"A3"}))
    assert await reader.partitions(LOG.key) == {0: meta(1)}


def test_a_fresh_partition_has_nothing_to_continue(worker: Worker) -> None:
    assert worker.live.open(0, worker.epochs[0]) is None


def test_the_next_worker_continues_where_the_last_one_stood(worker: Worker, redis_url: str) -> None:
    worker.publish(step(7, {"1:a": b"A1"}, whole=True))
    successor = Worker(redis_url, name="two")
    successor.take(0)
    assert successor.live.open(0, successor.epochs[0]) == meta(7)
    successor.publish(step(8, {"1:a": b"A2"}))


def test_a_store_that_was_restarted_continues_nothing(own_redis: RedisServer) -> None:
    """It may have lost its last writes, and a seq must never stand for two different parts."""
    worker = Worker(own_redis.url())
    worker.take(0)
    worker.publish(step(1, {"1:a": b"A1"}))
    own_redis.kill()
    own_redis.start()
    with pytest.raises(StoreUnavailable):
        worker.publish(step(2, {"1:a": b"A2"}))
    successor = Worker(own_redis.url())
    successor.take(0)
    assert successor.live.open(0, successor.epochs[0]) is None
    successor.publish(step(1, {"1:a": b"A1"}, live_epoch="e2", whole=True))
    assert successor.live.open(0, successor.epochs[0]) == meta(1, "e2")


async def test_another_log_takes_over_and_the_old_one_expires(
    worker: Worker, reader: RedisLiveReader, redis_url: str
) -> None:
    worker.publish(step(1, {"1:a": b"A1"}), step(1, {"1:b": b"B1"}, partition=1))
    other = Worker(redis_url, OTHER_LOG)
    other.take(0)
    other.publish(step(1, {"1:x": b"X1"}))
    assert await reader.source() == OTHER_LOG.key
    assert expiring(redis_url) == {f"{PREFIX}live:{LOG.key}{tail}" for tail in ("", ":0", ":1")}
    worker.publish(step(2, {"1:a": b"A2"}))
    assert await reader.source() == LOG.key
    assert expiring(redis_url) == {f"{PREFIX}live:{OTHER_LOG.key}{tail}" for tail in ("", ":0")}


async def test_the_reader_tells_the_stores_time(reader: RedisLiveReader, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        seconds, _ = client.time()
    assert await reader.now_ms() >= seconds * 1000


def test_publishing_tells_what_is_to_be_saved(worker: Worker) -> None:
    admin = RedisCheckpointAdmin(worker.session, PREFIX)
    first, second = step(1, {"1:a": b"A1"}), step(1, {"1:b": b"B1"}, partition=1)
    assert worker.publish(first, second) == []
    admin.ask_to_save(LOG, 1)
    for seq in (2, 3):
        assert worker.publish(step(seq, {"1:a": b"A"}), step(seq, {"1:b": b"B"}, partition=1)) == [1]
    lease = Lease(1, worker.epochs[1], "one", None, 0)
    worker.checkpoints.save(lease, CheckpointMeta(1, 50, {}, 0, 1_000), {}, [])
    assert worker.publish(step(4, {"1:b": b"B"}, partition=1)) == []


async def test_a_reader_says_when_the_store_is_away(own_redis: RedisServer) -> None:
    reader = RedisLiveReader(Redis.from_url(own_redis.url()), PREFIX)
    assert await reader.source() == ""
    own_redis.kill()
    with pytest.raises(StoreUnavailable):
        await reader.source()
    with pytest.raises(StoreUnavailable):
        await reader.load(LOG.key, 0)
    own_redis.start()
    assert await reader.source() == ""
    await reader.close()


def expiring(url: str) -> set[str]:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return {key for key in client.scan_iter(f"{PREFIX}live:*") if client.pttl(key) > 0}
