"""Checkpoints in Redis for operators: see checkpoint_store.py for how they are kept."""

from collections.abc import Iterator, Sequence

from swapstats.adapters.redis.checkpoint_store import (
    log_key,
    read_meta,
    read_segments,
    segments_key,
    sources_key,
)
from swapstats.adapters.redis.fencing import checkpoint_key
from swapstats.adapters.redis.live_store import live_parts_key
from swapstats.adapters.redis.session import RedisSession
from swapstats.ports.checkpoint_admin import HeldCheckpoint
from swapstats.ports.checkpoint_store import CheckpointMeta, SegmentKey
from swapstats.ports.swap_source import SourceIdentity

_MENDER = "operator"

# ARGV[1] the new owner's name; ARGV[2], if any, the offset to replay from, with the windows forgotten, and ARGV[3] the
# time since which they will be complete.
_RELEASE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = math.max(now, tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0') + 1)
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch), 'owner', ARGV[1])
if ARGV[2] then
  redis.call('DEL', KEYS[2])
  redis.call('HINCRBY', KEYS[1], 'revision', 1)
  redis.call('HSET', KEYS[1], 'next_offset', ARGV[2], 'outcomes', '{}', 'complete_since_ms', ARGV[3],
             'saved_at_ms', string.format('%.0f', now), 'begins_at', ARGV[2], 'mail_id', '')
end
return 1
"""

# The worker that holds the partition finds it when it publishes next, and takes it away as it saves.
_ASK = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local time = redis.call('TIME')
return redis.call('HSET', KEYS[1], 'save_asked_ms', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
"""


class RedisCheckpointAdmin:
    """Fulfils the port `CheckpointAdmin`."""

    def __init__(self, session: RedisSession, prefix: str) -> None:
        self._session = session
        self._prefix = prefix
        self._release = session.script(_RELEASE, "release")
        self._ask = session.script(_ASK, "ask")

    def sources(self) -> Sequence[SourceIdentity]:
        found = sorted(key.decode() for key in self._session.command("SMEMBERS", sources_key(self._prefix)))
        return [SourceIdentity.of_key(key) for key in found]

    def checkpoints(self, source: SourceIdentity) -> Sequence[HeldCheckpoint]:
        partitions = sorted(map(int, self._session.command("SMEMBERS", log_key(self._prefix, source))))
        return [held for partition in partitions if (held := self.checkpoint(source, partition))]

    def checkpoint(self, source: SourceIdentity, partition: int) -> HeldCheckpoint | None:
        fields = ("epoch", "owner", "save_asked_ms", *CheckpointMeta._fields)
        key, segments = (make(self._prefix, source, partition) for make in (checkpoint_key, segments_key))
        epoch, owner, asked_ms, *stored = self._session.command("HMGET", key, *fields)
        if epoch is None:
            return None
        count = int(self._session.command("HLEN", segments))
        size = int(self._session.command("MEMORY", "USAGE", segments) or 0)
        tokens = int(self._session.command("HLEN", live_parts_key(self._prefix, source.key, partition)))
        who, meta = (owner or b"").decode(), read_meta(stored)
        return HeldCheckpoint(partition, int(epoch), who, meta, count, size, tokens, int(asked_ms or 0))

    def segments(self, source: SourceIdentity, partition: int) -> Iterator[tuple[SegmentKey, bytes]]:
        return read_segments(self._session, segments_key(self._prefix, source, partition))

    def ask_to_save(self, source: SourceIdentity, partition: int) -> None:
        self._ask([checkpoint_key(self._prefix, source, partition)], [])

    def release(self, source: SourceIdentity, partition: int) -> None:
        self._release([checkpoint_key(self._prefix, source, partition)], [_MENDER])

    def reset(self, source: SourceIdentity, partition: int, next_offset: int, complete_since_ms: int = 0) -> None:
        keys = [checkpoint_key(self._prefix, source, partition), segments_key(self._prefix, source, partition)]
        self._release(keys, [_MENDER, next_offset, complete_since_ms])

    def close(self) -> None:
        self._session.close()
