"""The live store in Redis, beside the ledger and the checkpoints.

    <prefix>live                      the key of the log that is live now
    <prefix>live:<log>                hash: partition → replication id and LiveMeta, as a JSON array
    <prefix>live:<log>:<partition>    hash: token → seq (8 bytes, big-endian) and encoded part

A master that came back without its last writes, or a replica that took over without them, has another replication id.
A live epoch is only continued under the id that it began with, so no seq is ever used twice for different parts.
"""

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from swapstats.adapters.redis.fencing import checkpoint_key, raise_if_fenced
from swapstats.adapters.redis.session import Argument, RedisSession
from swapstats.domain.errors import StoreError, StoreUnavailable
from swapstats.ports.live_store import ANNOUNCED, LiveMeta, LivePartition, Step
from swapstats.ports.swap_source import SourceIdentity

OLD_LOG_MS = 3_600_000
"""How long the live keys of a log are kept after another one went live."""

_ANNOUNCE = """
for partition = 0, ARGV[1] - 1 do redis.call('HSETNX', KEYS[1], partition, ARGV[2]) end
"""

_SCRIPT = (Path(__file__).parent / "publish.lua").read_text()
_SEQ_BYTES = 8


class _StoredMeta(msgspec.Struct, array_like=True):
    replication_id: str
    live_epoch: str
    seq: int
    as_of_ms: int
    offset: int
    complete_since_ms: int
    windows: str

    def as_meta(self) -> LiveMeta:
        return LiveMeta(self.live_epoch, self.seq, self.as_of_ms, self.offset, self.complete_since_ms, self.windows)


_meta_decoder = msgspec.json.Decoder(_StoredMeta)


class RedisLiveWriter:
    """What a worker writes about one log; see ports/live_store.py."""

    def __init__(self, session: RedisSession, prefix: str, source: SourceIdentity) -> None:
        self._session = session
        self._publish = session.script(_SCRIPT, "publish")
        self._announce = session.script(_ANNOUNCE, "announce")
        self._prefix = prefix
        self._source = source
        self._replication_id = _replication_id(session)

    def open(self, partition: int, epoch: int) -> LiveMeta | None:
        """`epoch` is checked by the first `publish`."""
        stored = _read_meta(self._session.command("HGET", live_index_key(self._prefix, self._source.key), partition))
        is_ours = stored and stored.replication_id == self._replication_id and stored.live_epoch != ANNOUNCED
        return stored.as_meta() if stored and is_ours else None

    def announce(self, partitions: int, windows: str, now_ms: int) -> None:
        meta = LiveMeta(ANNOUNCED, 0, now_ms, 0, now_ms, windows)
        stored = msgspec.json.encode((self._replication_id, *meta))
        self._announce([live_index_key(self._prefix, self._source.key)], [partitions, stored])

    def publish(self, steps: Sequence[Step], epochs: Mapping[int, int]) -> Sequence[int]:
        keys = [live_source_key(self._prefix), live_index_key(self._prefix, self._source.key)]
        args: list[Argument] = [self._source.key, f"{self._prefix}live:", OLD_LOG_MS]
        for step in steps:
            keys += (
                checkpoint_key(self._prefix, self._source, step.partition),
                live_parts_key(self._prefix, self._source.key, step.partition),
            )
            args += self._arguments(step, epochs[step.partition])
        try:
            return [int(partition) for partition in self._publish(keys, args)]
        except StoreError as error:
            raise_if_fenced(error, [step.partition for step in steps])
            raise

    def _arguments(self, step: Step, epoch: int) -> Iterator[Argument]:
        yield from (step.partition, epoch, step.meta.live_epoch, step.prev_seq)
        yield msgspec.json.encode((self._replication_id, *step.meta))
        yield from (int(step.whole), 2 * len(step.parts), len(step.gone))
        seq = step.meta.seq.to_bytes(_SEQ_BYTES)
        for token_id, data in step.parts.items():
            yield token_id
            yield seq + data
        yield from step.gone


class RedisLiveReader:
    """What a web process loads; `client` gives replies as bytes."""

    def __init__(self, client: "Redis", prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def now_ms(self) -> int:
        seconds, microseconds = await _answer(self._client.time())
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def source(self) -> str:
        return (await _answer(self._client.get(live_source_key(self._prefix))) or b"").decode()

    async def partitions(self, source: str) -> Mapping[int, LiveMeta]:
        stored = await _answer(self._client.hgetall(live_index_key(self._prefix, source)))
        metas = ((int(partition), _read_meta(data)) for partition, data in stored.items())
        return {partition: meta.as_meta() for partition, meta in metas if meta}

    async def load(self, source: str, partition: int) -> LivePartition | None:
        both = self._client.pipeline(transaction=True)
        both.hget(live_index_key(self._prefix, source), str(partition))
        both.hgetall(live_parts_key(self._prefix, source, partition))
        stored, values = await _answer(both.execute())
        meta = _read_meta(stored)
        return LivePartition(meta.as_meta(), _read_parts(values)) if meta else None

    async def close(self) -> None:
        await self._client.aclose()


def live_source_key(prefix: str) -> str:
    """What holds the key of the log that is live."""
    return f"{prefix}live"


def live_index_key(prefix: str, source: str) -> str:
    """The hash that says of each partition where its live view stands."""
    return f"{prefix}live:{source}"


def live_parts_key(prefix: str, source: str, partition: int) -> str:
    """The hash of all tokens' parts in a partition."""
    return f"{prefix}live:{source}:{partition}"


def _replication_id(session: RedisSession) -> str:
    info = bytes(session.command("INFO", "replication")).decode()
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    return fields["master_replid"]


def _read_meta(data: bytes | None) -> _StoredMeta | None:
    try:
        return _meta_decoder.decode(data) if data else None
    except msgspec.DecodeError as error:
        raise StoreError(f"the live store holds a meta that cannot be read: {error}") from error


def _read_parts(values: Mapping[bytes, bytes]) -> dict[str, tuple[int, bytes]]:
    read = int.from_bytes
    return {token.decode(): (read(value[:_SEQ_BYTES]), value[_SEQ_BYTES:]) for token, value in values.items()}


async def _answer(reply: Awaitable[Any]) -> Any:
    try:
        return await reply
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"Redis: {error or type(error).__name__}") from error
