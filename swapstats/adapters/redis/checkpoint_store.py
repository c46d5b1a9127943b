"""Checkpoints in Redis: per partition a hash with the meta and a hash with the segments.

They stand in the same Redis as the ledger, hence in the same replication stream and the same append-only file: what a
crash or a failover loses is a suffix of both.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from swapstats.adapters.redis.fencing import checkpoint_key, raise_if_fenced
from swapstats.adapters.redis.session import Argument, RedisSession, Script
from swapstats.domain.errors import StoreError
from swapstats.ports.checkpoint_store import CheckpointMeta, Lease, SegmentKey
from swapstats.ports.swap_source import SourceIdentity

_PIECE = 32
"""Segments read at a time: some megabytes at most."""

# Epochs start from the clock, so that they grow even if Redis has forgotten the last one.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = math.max(now, tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0') + 1)
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch), 'owner', ARGV[1])
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('SADD', KEYS[3], ARGV[3])
return redis.call('HMGET', KEYS[1], 'epoch', 'dead_letters_before', 'revision', 'next_offset', 'outcomes',
                  'complete_since_ms', 'saved_at_ms', 'begins_at', 'mail_id')
"""

# ARGV: epoch, revision built on, ttl, number of meta fields, meta fields and values, number of segment fields, segment
# fields and values, fields to drop. HSET and HDEL take what unpack can put on the stack, so they go in pieces.
_SAVE = """
local epoch, revision = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'revision'))
if epoch ~= ARGV[1] or (revision or '0') ~= ARGV[2] then return redis.error_reply('FENCED 1') end
local at = 5 + ARGV[4]
redis.call('HSET', KEYS[1], unpack(ARGV, 5, at - 1))
redis.call('HDEL', KEYS[1], 'save_asked_ms')
local stop = at + ARGV[at]
for i = at + 1, stop, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
for i = stop + 1, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
"""


_NOTE = """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return redis.error_reply('FENCED 1') end
return redis.call('HSET', KEYS[1], 'dead_letters_before', ARGV[2])
"""


class RedisCheckpointStore:
    """Checkpoints of one log; one that nobody writes any more is forgotten after `ttl_ms`."""

    def __init__(self, session: RedisSession, prefix: str, source: SourceIdentity, ttl_ms: int) -> None:
        self._session = session
        self._take = session.script(_TAKE, "take")
        self._save = session.script(_SAVE, "save")
        self._note = session.script(_NOTE, "note")
        self._prefix = prefix
        self._source = source
        self._ttl_ms = ttl_ms

    def take(self, partition: int, owner: str) -> Lease:
        keys = [self._meta_key(partition), log_key(self._prefix, self._source), sources_key(self._prefix)]
        epoch, dead_letters_before, *stored = self._take(keys, [owner, partition, self._source.key])
        return Lease(partition, int(epoch), owner, read_meta(stored), int(dead_letters_before or 0))

    def segments(self, partition: int) -> Iterator[tuple[SegmentKey, bytes]]:
        return read_segments(self._session, self._segments_key(partition))

    def save(
        self, lease: Lease, meta: CheckpointMeta, segments: Mapping[SegmentKey, bytes], dropped: Sequence[SegmentKey]
    ) -> None:
        fields = [item for name, value in _write_meta(meta) for item in (name, value)]
        written = [item for key, data in segments.items() for item in (_field(key), data)]
        head = (lease.epoch, meta.revision - 1, self._ttl_ms)
        keys = [self._meta_key(lease.partition), self._segments_key(lease.partition)]
        body = [*head, len(fields), *fields, len(written), *written, *map(_field, dropped)]
        _run_fenced(self._save, lease.partition, keys, body)

    def note_dead_letters(self, lease: Lease, before: int) -> None:
        _run_fenced(self._note, lease.partition, [self._meta_key(lease.partition)], [lease.epoch, before])

    def _meta_key(self, partition: int) -> str:
        return checkpoint_key(self._prefix, self._source, partition)

    def _segments_key(self, partition: int) -> str:
        return segments_key(self._prefix, self._source, partition)


def sources_key(prefix: str) -> str:
    """The set of logs, by key, that any checkpoint is kept of."""
    return f"{prefix}sources"


def log_key(prefix: str, source: SourceIdentity) -> str:
    """The set of a log's partitions that were ever taken."""
    return f"{prefix}partitions:{source.key}"


def segments_key(prefix: str, source: SourceIdentity, partition: int) -> str:
    """The hash with a partition's segments."""
    return f"{prefix}segments:{source.key}:{partition}"


def read_segments(session: RedisSession, key: str) -> Iterator[tuple[SegmentKey, bytes]]:
    """The segments in the hash `key`, in the order of their keys, read in bounded pieces."""
    fields = sorted(_read_field(field) for field in session.command("HKEYS", key))
    for start in range(0, len(fields), _PIECE):
        piece = fields[start : start + _PIECE]
        values = session.command("HMGET", key, *map(_field, piece))
        yield from ((field, value) for field, value in zip(piece, values, strict=True) if value is not None)


def _run_fenced(script: Script, partition: int, keys: Sequence[str], args: Sequence[Argument]) -> None:
    try:
        script(keys, args)
    except StoreError as error:
        raise_if_fenced(error, [partition])
        raise


def _field(key: SegmentKey) -> str:
    return f"{key.width_ms}:{key.bucket}"


def _read_field(field: bytes) -> SegmentKey:
    width_ms, _, bucket = field.partition(b":")
    return SegmentKey(int(width_ms), int(bucket))


def _write_meta(meta: CheckpointMeta) -> Iterator[tuple[str, bytes | int]]:
    for name, value in meta._asdict().items():
        yield name, msgspec.json.encode(value) if name == "outcomes" else value


def read_meta(stored: Sequence[bytes | None]) -> CheckpointMeta | None:
    """The meta from its fields in the order of CheckpointMeta; None where they were never written. The last two are
    missing in what a version without mail has saved: then none of what is in the mail took effect."""
    revision, next_offset, outcomes, complete_since_ms, saved_at_ms, begins_at, mail_id = stored
    if not revision or not next_offset or not outcomes or not complete_since_ms or not saved_at_ms:
        return None
    counts = msgspec.json.decode(outcomes, type=dict[str, int])
    numbers = int(complete_since_ms), int(saved_at_ms), int(begins_at or 0)
    return CheckpointMeta(int(revision), int(next_offset), counts, *numbers, (mail_id or b"").decode())
