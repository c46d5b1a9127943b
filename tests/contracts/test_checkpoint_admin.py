"""What operators see of checkpoints, and that mending one fences off its holder."""

import pytest

from settings.config import RedisStore
from swapstats.adapters.redis.checkpoint_admin import RedisCheckpointAdmin
from swapstats.adapters.redis.checkpoint_store import RedisCheckpointStore
from swapstats.adapters.redis.session import RedisSession
from swapstats.domain.errors import Fenced
from swapstats.ports.checkpoint_store import CheckpointMeta, SegmentKey
from swapstats.ports.swap_source import SourceIdentity

pytestmark = pytest.mark.redis
LOG = SourceIdentity("cluster", "swaps", "abc")
META = CheckpointMeta(1, 50, {"applied": 50}, 0, 1_000)
SEGMENTS = {SegmentKey(60_000, 8): b"b", SegmentKey(60_000, 7): b"a", SegmentKey(5_000, 90): b"c"}


@pytest.fixture
def session(redis_url: str) -> RedisSession:
    return RedisSession.open(RedisStore(url=redis_url))


@pytest.fixture
def store(session: RedisSession) -> RedisCheckpointStore:
    return RedisCheckpointStore(session, "t:", LOG, 60_000)


@pytest.fixture
def admin(session: RedisSession) -> RedisCheckpointAdmin:
    return RedisCheckpointAdmin(session, "t:")


def test_it_lists_what_is_kept(store: RedisCheckpointStore, admin: RedisCheckpointAdmin) -> None:
    assert admin.sources() == []
    lease = store.take(3, "me")
    store.save(lease, META, SEGMENTS, [])
    store.take(10, "other")
    assert admin.sources() == [LOG]
    saved, unsaved = admin.checkpoints(LOG)
    assert (saved.partition, saved.epoch, saved.owner, saved.meta, saved.segments) == (3, lease.epoch, "me", META, 3)
    assert saved.size_bytes > 0
    assert (unsaved.partition, unsaved.owner, unsaved.meta) == (10, "other", None)
    assert [key for key, _ in admin.segments(LOG, 3)] == sorted(SEGMENTS)


def test_a_snapshot_that_is_asked_for_is_asked_for_until_it_is_saved(
    store: RedisCheckpointStore, admin: RedisCheckpointAdmin
) -> None:
    admin.ask_to_save(LOG, 0)
    assert admin.checkpoint(LOG, 0) is None
    lease = store.take(0, "me")
    admin.ask_to_save(LOG, 0)
    held = admin.checkpoint(LOG, 0)
    assert held is not None
    assert held.save_asked_ms > 1_700_000_000_000
    successor = store.take(0, "next")
    with pytest.raises(Fenced):
        store.save(lease, META, {}, [])
    assert admin.checkpoint(LOG, 0) == held._replace(epoch=successor.epoch, owner="next")
    store.save(successor, META, {}, [])
    saved = admin.checkpoint(LOG, 0)
    assert saved is not None
    assert (saved.save_asked_ms, saved.meta) == (0, META)
    assert [saved] == admin.checkpoints(LOG)


def test_a_release_fences_off_the_holder_and_keeps_the_windows(
    store: RedisCheckpointStore, admin: RedisCheckpointAdmin
) -> None:
    lease = store.take(0, "me")
    store.save(lease, META, SEGMENTS, [])
    admin.release(LOG, 0)
    with pytest.raises(Fenced):
        store.save(lease, META._replace(revision=2), {}, [])
    assert store.take(0, "next").meta == META
    assert len(list(store.segments(0))) == 3


def test_a_reset_forgets_the_windows_and_replays(store: RedisCheckpointStore, admin: RedisCheckpointAdmin) -> None:
    lease = store.take(0, "me")
    store.save(lease, META._replace(mail_id="8-0"), SEGMENTS, [])
    admin.reset(LOG, 0, 17, 99_000)
    with pytest.raises(Fenced):
        store.save(lease, META._replace(revision=2), {}, [])
    following = store.take(0, "next")
    assert following.meta is not None
    assert (following.meta.next_offset, following.meta.outcomes) == (17, {})
    assert (following.meta.begins_at, following.meta.mail_id) == (17, "")
    assert following.meta.complete_since_ms == 99_000
    assert list(store.segments(0)) == []
    store.save(following, following.meta._replace(revision=following.meta.revision + 1), SEGMENTS, [])


@pytest.mark.parametrize("source", [LOG, SourceIdentity("c", "t", ""), SourceIdentity("c", "t.x-y", "~2")])
def test_a_key_tells_its_source(source: SourceIdentity) -> None:
    assert SourceIdentity.of_key(source.key) == source
