"""The checkpoint store's contract, as ports/checkpoint_store.py says it, on a real Redis."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from settings.config import RedisStore
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.redis.checkpoint_store import RedisCheckpointStore
from swapstats.adapters.redis.session import RedisSession
from swapstats.domain.errors import Fenced, StoreUnavailable
from swapstats.ports.checkpoint_store import CheckpointMeta, Lease, SegmentKey
from swapstats.ports.swap_source import SourceIdentity

pytestmark = pytest.mark.redis

PREFIX = "test:"
LOG = SourceIdentity("cluster", "raw-swaps", "a1")
TTL_MS = 90_000_000
KEY = SegmentKey(5_000, 340_000_000)


class Store(RedisCheckpointStore):
    """A store on a session of its own."""

    def __init__(self, url: str, log: SourceIdentity = LOG) -> None:
        self.session = RedisSession.open(RedisStore(url=url))
        super().__init__(self.session, PREFIX, log, TTL_MS)


@pytest.fixture
def open_store(redis_url: str) -> Iterator[Callable[..., Store]]:
    stores: list[Store] = []

    def open(log: SourceIdentity = LOG) -> Store:
        stores.append(Store(redis_url, log))
        return stores[-1]

    yield open
    for store in stores:
        store.session.close()


@pytest.fixture
def store(open_store: Callable[..., Store]) -> Store:
    return open_store()


def meta(revision: int = 1, next_offset: int = 10, outcomes: Mapping[str, int] | None = None) -> CheckpointMeta:
    return CheckpointMeta(revision, next_offset, outcomes or {"applied": next_offset}, 1_000, 2_000)


def save(
    store: Store,
    lease: Lease,
    meta: CheckpointMeta,
    segments: Mapping[SegmentKey, bytes] | None = None,
    dropped: Sequence[SegmentKey] = (),
) -> None:
    store.save(lease, meta, segments or {}, dropped)


def test_a_partition_that_was_never_saved_has_no_checkpoint(store: Store) -> None:
    lease = store.take(3, "me")
    assert (lease.partition, lease.owner, lease.meta, lease.dead_letters_before) == (3, "me", None, 0)
    assert lease.epoch > 0
    assert list(store.segments(3)) == []


def test_what_was_saved_is_found_by_whoever_takes_the_partition(store: Store, open_store: Callable[..., Store]) -> None:
    saved = CheckpointMeta(1, 2**48, {"applied": 2**40, "duplicate": 0}, 0, 1_704_456_000_000, 2**47, "1704456000000-7")
    save(store, store.take(0, "me"), saved, {KEY: b"\x00\xff" * 100, SegmentKey(60_000, 0): b""})
    other = open_store()
    assert other.take(0, "you").meta == saved
    assert list(other.segments(0)) == [(KEY, b"\x00\xff" * 100), (SegmentKey(60_000, 0), b"")]


def test_what_a_version_without_mail_saved_knows_of_none(store: Store, redis_url: str) -> None:
    save(store, store.take(0, "me"), meta(1)._replace(begins_at=7, mail_id="8-0"))
    with redis.Redis.from_url(redis_url) as client:
        assert client.hdel(f"{PREFIX}snap:{LOG.key}:0", "begins_at", "mail_id") == 2
    assert store.take(0, "you").meta == meta(1)


def test_segments_are_replaced_and_dropped_with_the_meta(store: Store) -> None:
    lease = store.take(0, "me")
    first, second, third = (SegmentKey(5_000, n) for n in range(3))
    save(store, lease, meta(1), {first: b"1", second: b"2"})
    save(store, lease, meta(2, 20), {second: b"22", third: b"3"}, [first])
    assert list(store.segments(0)) == [(second, b"22"), (third, b"3")]
    save(store, lease, meta(3, 30), {}, [second, third, first])
    assert list(store.segments(0)) == []
    assert store.take(0, "you").meta == meta(3, 30)


def test_segments_come_in_the_order_of_their_keys(store: Store) -> None:
    keys = [SegmentKey(width, bucket) for width in (5_000, 60_000) for bucket in (9, 10, 99, 100, 101)]
    save(store, store.take(0, "me"), meta(), dict.fromkeys(reversed(keys), b"x"))
    assert [key for key, _ in store.segments(0)] == keys


def test_a_day_of_segments(store: Store) -> None:
    """More than fits on Lua's stack, and more than is read at once."""
    segments = {SegmentKey(60_000, n): b"%d" % n for n in range(10_000)}
    lease = store.take(0, "me")
    save(store, lease, meta(), segments)
    assert dict(store.segments(0)) == segments
    save(store, lease, meta(2), {}, list(segments)[:9_999])
    assert list(store.segments(0)) == [(SegmentKey(60_000, 9_999), b"9999")]


@given(outcomes=st.dictionaries(st.text(max_size=5), st.integers(0, 2**63), max_size=5))
def test_counts_come_back_as_they_were(outcomes: dict[str, int], redis_server: RedisServer) -> None:
    store = Store(redis_server.url())
    lease = store.take(0, "me")
    revision = lease.meta.revision if lease.meta else 0
    save(store, lease, meta(revision + 1, 1, outcomes))
    assert store.take(0, "me").meta == meta(revision + 1, 1, outcomes)
    store.session.close()


class TestFencing:
    def test_each_lease_has_a_higher_epoch(self, store: Store, open_store: Callable[..., Store]) -> None:
        epochs = [holder.take(0, "me").epoch for holder in (store, open_store(), store, open_store())]
        assert epochs == sorted(set(epochs))

    def test_the_epoch_grows_even_when_redis_has_forgotten_everything(self, store: Store, redis_url: str) -> None:
        before = store.take(0, "me").epoch
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        assert store.take(0, "me").epoch > before

    def test_the_epoch_grows_even_when_the_clock_was_set_back(self, store: Store, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as client:
            client.hset(f"{PREFIX}snap:{LOG.key}:0", "epoch", 10**15)
        assert [store.take(0, "me").epoch, store.take(0, "me").epoch] == [10**15 + 1, 10**15 + 2]

    def test_an_older_epoch_may_not_write(self, store: Store, open_store: Callable[..., Store]) -> None:
        zombie = store.take(0, "zombie")
        save(store, zombie, meta(1), {KEY: b"mine"})
        successor = open_store().take(0, "successor")
        with pytest.raises(Fenced) as caught:
            save(store, zombie, meta(2, 99), {KEY: b"zombie", SegmentKey(1, 1): b"zombie"}, [KEY])
        assert caught.value.partition == 0
        with pytest.raises(Fenced):
            store.note_dead_letters(zombie, 99)
        assert successor.meta == store.take(0, "x").meta == meta(1)
        assert list(store.segments(0)) == [(KEY, b"mine")]

    @pytest.mark.parametrize("revision", [0, 1, 3, 4])
    def test_another_revision_may_not_be_built_on(self, store: Store, revision: int) -> None:
        """So a worker whose store lost its last writes, or got them twice, notices."""
        lease = store.take(0, "me")
        save(store, lease, meta(1), {KEY: b"1"})
        with pytest.raises(Fenced):
            save(store, lease, meta(revision, 99), {KEY: b"2"})
        save(store, lease, meta(2, 20))
        assert list(store.segments(0)) == [(KEY, b"1")]

    def test_the_first_revision_builds_on_none(self, store: Store) -> None:
        lease = store.take(0, "me")
        with pytest.raises(Fenced):
            save(store, lease, meta(2))
        save(store, lease, meta(1))

    def test_a_forgotten_lease_may_not_write(self, store: Store, redis_url: str) -> None:
        lease = store.take(0, "me")
        save(store, lease, meta(1))
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        with pytest.raises(Fenced):
            save(store, lease, meta(2))
        with pytest.raises(Fenced):
            store.note_dead_letters(lease, 5)
        assert redis.Redis.from_url(redis_url).dbsize() == 0

    def test_partitions_and_logs_are_separate(self, store: Store, open_store: Callable[..., Store]) -> None:
        lease, other_log = store.take(0, "me"), open_store(SourceIdentity("cluster", "raw-swaps", "b2"))
        store.take(1, "me")
        other_lease = other_log.take(0, "me")
        save(store, lease, meta(1), {KEY: b"a1"})
        save(other_log, other_lease, meta(1), {KEY: b"b2"})
        assert list(store.segments(0)) == [(KEY, b"a1")]
        assert list(store.segments(1)) == []
        assert list(other_log.segments(0)) == [(KEY, b"b2")]


class TestDeadLetters:
    def test_what_was_noted_is_found_with_the_lease(self, store: Store) -> None:
        lease = store.take(0, "me")
        store.note_dead_letters(lease, 7)
        assert store.take(0, "you").dead_letters_before == 7

    def test_a_note_is_no_checkpoint(self, store: Store) -> None:
        store.note_dead_letters(store.take(0, "me"), 7)
        assert store.take(0, "you").meta is None

    def test_a_checkpoint_keeps_the_note(self, store: Store) -> None:
        lease = store.take(0, "me")
        store.note_dead_letters(lease, 7)
        save(store, lease, meta(1))
        taken = store.take(0, "you")
        assert (taken.dead_letters_before, taken.meta) == (7, meta(1))


def test_what_nobody_writes_any_more_is_forgotten(store: Store, redis_url: str) -> None:
    save(store, store.take(0, "me"), meta(1), {KEY: b"x"})
    with redis.Redis.from_url(redis_url) as client:
        left = [client.pttl(f"{PREFIX}{kind}:{LOG.key}:0") for kind in ("snap", "segments")]
    assert all(TTL_MS - 60_000 < ttl <= TTL_MS for ttl in left)


def test_a_script_flush_goes_unnoticed(store: Store, redis_url: str) -> None:
    lease = store.take(0, "me")
    with redis.Redis.from_url(redis_url) as client:
        client.script_flush()
        save(store, lease, meta(1), {KEY: b"x"})
        client.script_flush()
        store.note_dead_letters(lease, 7)
        client.script_flush()
        assert store.take(0, "you").meta == meta(1)


def test_a_broken_connection_stays_broken_and_what_was_saved_is_kept(own_redis: RedisServer) -> None:
    store = Store(own_redis.url())
    lease = store.take(0, "me")
    save(store, lease, meta(1), {KEY: b"x"})
    own_redis.kill()
    calls: list[Callable[[], object]] = [
        lambda: save(store, lease, meta(2)),
        lambda: store.take(0, "me"),
        lambda: list(store.segments(0)),
        lambda: store.note_dead_letters(lease, 5),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            call()
    own_redis.start()
    for call in calls:
        with pytest.raises(StoreUnavailable):
            call()
    successor = Store(own_redis.url())
    taken = successor.take(0, "you")
    assert taken.epoch > lease.epoch
    assert taken.meta == meta(1)
    assert list(successor.segments(0)) == [(KEY, b"x")]
    successor.session.close()
