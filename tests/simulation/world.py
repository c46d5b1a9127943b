"""Workers, a log, a clock and a real Redis, all in the hands of the test."""

import asyncio
import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Any
from uuid import uuid4

import redis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from aggregator.pipeline.observer import Observer
from aggregator.pipeline.parts import PipelineSettings, StateStores
from aggregator.pipeline.worker import Worker
from settings.config import RedisStore
from swapstats.adapters.redis.checkpoint_admin import RedisCheckpointAdmin
from swapstats.adapters.redis.checkpoint_store import RedisCheckpointStore
from swapstats.adapters.redis.fencing import checkpoint_key
from swapstats.adapters.redis.incarnation import RedisIncarnation
from swapstats.adapters.redis.ledger import RedisLedger, mail_key
from swapstats.adapters.redis.live_store import RedisLiveReader, RedisLiveWriter
from swapstats.adapters.redis.session import RedisSession
from swapstats.domain.part_codec import decode_part
from swapstats.domain.stats import Part, merge_parts
from swapstats.domain.window import Window
from swapstats.ports.dead_letters import DeadLetter
from swapstats.ports.live_store import LivePartition
from swapstats.ports.swap_source import SourceIdentity
from swapstats.ports.update_feed import Tick
from tests.simulation.swap_log import IDENTITY, LogSource, SwapLog

WINDOWS = (Window("5m", 300_000, 5_000), Window("1h", 3_600_000, 60_000), Window("24h", 86_400_000, 60_000))
START_MS = 1_704_456_000_000
BATCH_MAX = 4
DAY_MS = 86_400_000
_CLAIM = Struct(">16sBHHI")


class Killed(BaseException):
    """The worker's process died at this very point."""


@dataclass
class Faults:
    """What befalls one worker's connection to Redis, and when: after so many more commands."""

    countdown: int = -1
    kind: str = ""

    def strike(self, point: str) -> None:
        """`kind` is "kill" or "break", then "before" or "after" the command took place."""
        if self.countdown < 0 or not self.kind.endswith(point):
            return
        self.countdown -= 1
        if self.countdown < 0:
            raise Killed if self.kind.startswith("kill") else RedisConnectionError("the connection broke")


class Connection:
    """A real connection whose commands are carried out when they are sent, so that their order is known."""

    def __init__(self, real: Any, faults: Faults, world: "World") -> None:
        self._real = real
        self._faults = faults
        self._world = world
        self._reply: Any = None

    def connect(self) -> None:
        self._real.connect()

    def disconnect(self) -> None:
        self._real.disconnect()

    def send_command(self, *args: Any) -> None:
        if self._world.broken_before[self] != self._world.breaks:
            raise RedisConnectionError("Redis was restarted")
        self._faults.strike("before")
        self._real.send_command(*args)
        try:
            self._reply = self._real.read_response()
            self._world.note(args)
        except redis.ResponseError as error:
            self._reply = error

    def read_response(self) -> Any:
        self._faults.strike("after")
        if isinstance(self._reply, Exception):
            raise self._reply
        return self._reply


class Clock:
    def __init__(self, world: "World") -> None:
        self._world = world

    def now_ms(self) -> int:
        return self._world.now_ms

    def sync(self) -> None:
        """It is the reference itself."""


@dataclass
class Member:
    """A worker and what the test can do to it."""

    worker: Worker
    source: LogSource
    faults: Faults


@dataclass
class World:
    """`trace` is the order in which records were decided first, as Redis remembers it."""

    url: str
    partitions: int
    late_policy: str = "drop"
    now_ms: int = START_MS
    members: list[Member] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    trace: list[tuple[int, int]] = field(default_factory=list)
    shown: dict[tuple[int, str], int] = field(default_factory=dict)
    breaks: int = 0

    def __post_init__(self) -> None:
        self.prefix = f"sim:{uuid4().hex}:"
        self.log = SwapLog.of(self.partitions)
        self.client = redis.Redis.from_url(self.url)
        self.broken_before: dict[Connection, int] = {}
        self.remembered: tuple[dict[bytes, tuple[bytes, int]], list[tuple[int, int]]] = ({}, [])

    # Workers.

    def start_worker(self) -> Member:
        source, faults = LogSource(self.log, BATCH_MAX), Faults()
        settings = PipelineSettings(
            *(WINDOWS, 120_000, 60_000, self.late_policy, 5_000, 100, "earliest", 1 << 20, 1.0, 1_000, BATCH_MAX)
        )
        worker = Worker(
            *(settings, source, lambda log: self._open_stores(log, faults), self, self, Observer(), "worker"),
            sleep=lambda seconds: None,
            monotonic=lambda: self.now_ms / 1000,
        )
        worker.start()
        member = Member(worker, source, faults)
        self.members.append(member)
        return member

    def _open_stores(self, log: SourceIdentity, faults: Faults) -> StateStores:
        pool = redis.ConnectionPool.from_url(self.url, protocol=2)
        connection = Connection(pool.make_connection(), faults, self)
        self.broken_before[connection] = self.breaks
        session = RedisSession(connection)  # type: ignore[arg-type]
        incarnation = RedisIncarnation(session, self.prefix, log)
        return StateStores(
            incarnation.source,
            incarnation.set_aside,
            RedisLedger(session, self.prefix, log, 2 * DAY_MS, counts_late=self.late_policy == "apply"),
            RedisCheckpointStore(session, self.prefix, log, 2 * DAY_MS),
            RedisLiveWriter(session, self.prefix, log),
            Clock(self),
            session.close,
        )

    def step(self, member: Member) -> None:
        try:
            member.worker.step()
        except Killed:
            self.bury(member)

    def bury(self, member: Member) -> None:
        """A process that is no more: nothing is saved; the group finds out and gives its partitions to others."""
        self.members.remove(member)
        if not self.members:
            self.start_worker()
        self.log.take_for_dead(member.source, self.members[0].source)
        member.source.forget()

    def leave(self, member: Member) -> None:
        """A graceful stop."""
        try:
            member.worker.close()
        except Killed:
            self.bury(member)
            return
        self.members.remove(member)

    def reset(self, partition: int, offset: int) -> None:
        session = RedisSession.open(RedisStore(url=self.url))
        RedisCheckpointAdmin(session, self.prefix).reset(IDENTITY, partition, offset)
        session.close()

    @property
    def begins(self) -> dict[int, int]:
        """The offset from which on each partition's windows were built."""
        keys = (checkpoint_key(self.prefix, IDENTITY, number) for number in range(self.partitions))
        return {number: int(self.client.hget(key, "begins_at") or 0) for number, key in enumerate(keys)}

    # Redis.

    def note(self, args: Sequence[Any]) -> None:
        """Keep the order in which the ledger decided."""
        if args[0] != "EVALSHA" or not str(args[3]).startswith(f"{self.prefix}ledger:"):
            return
        claims = args[3 + args[2]]
        known = set(self.trace)
        for _, _, partition, high, low in _CLAIM.iter_unpack(claims):
            if (partition, high << 32 | low) not in known:
                self.trace.append((partition, high << 32 | low))

    def remember(self) -> None:
        """What Redis has on disk by now."""
        keys = list(self.client.scan_iter(f"{self.prefix}*", count=1_000))
        kept = {key: (self.client.dump(key), max(0, self.client.pttl(key))) for key in keys}
        self.remembered = kept, list(self.trace)

    def lose_last_writes(self) -> None:
        """Redis restarts with what it had on disk: the ledger, the checkpoints and the live view go back together."""
        for key in self.client.scan_iter(f"{self.prefix}*", count=1_000):
            self.client.delete(key)
        kept, self.trace = self.remembered[0], list(self.remembered[1])
        for key, (data, ttl_ms) in kept.items():
            self.client.restore(key, ttl_ms, data)
        self.client.replicaof("127.0.0.1", 1)  # so it takes another replication id, as a restarted server does
        self.client.replicaof("NO", "ONE")
        self.breaks += 1

    # The other ports.

    def put(self, letters: Sequence[DeadLetter]) -> None:
        self.dead_letters += letters

    def kept(self, partitions: Collection[int]) -> set[tuple[int, int, int]]:
        records = [letter.record for letter in self.dead_letters]
        return {(r.partition, r.offset, r.timestamp_ms) for r in records if r.partition in partitions}

    def send(self, tick: Tick) -> None:
        """Readers never see a partition go back."""
        for step in tick.steps:
            key = step.partition, step.meta.live_epoch
            assert step.prev_seq >= self.shown.get(key, 0)
            assert step.meta.as_of_ms <= self.now_ms
            self.shown[key] = step.meta.seq

    def close(self) -> None:
        """As dead letter queue and as sender, there is nothing to let go of."""

    # What came of it.

    def loaded(self) -> dict[int, LivePartition]:
        async def load() -> dict[int, LivePartition]:
            reader = RedisLiveReader(Redis.from_url(self.url), self.prefix)
            found = {number: await reader.load(IDENTITY.key, number) for number in range(self.partitions)}
            await reader.close()
            return {number: partition for number, partition in found.items() if partition}

        return asyncio.run(load())

    def parts(self) -> dict[str, Part]:
        """Each token's parts, added up."""
        by_token: dict[str, list[Part]] = {}
        for partition in self.loaded().values():
            for token, (_, data) in partition.parts.items():
                by_token.setdefault(token, []).append(decode_part(data))
        return {token: merge_parts(parts) for token, parts in by_token.items()}

    def checkpoints(self) -> dict[int, tuple[int, Counter[str]]]:
        """Next offset and outcomes of each partition."""
        found = {}
        for number in range(self.partitions):
            offset, outcomes = self.client.hmget(
                checkpoint_key(self.prefix, IDENTITY, number), "next_offset", "outcomes"
            )
            found[number] = int(offset or 0), Counter(json.loads(outcomes or b"{}"))
        return found

    def mail_is_read(self) -> bool:
        """Whether each partition has saved that all its mail took effect."""
        for number in range(self.partitions):
            newest = self.client.xrevrange(mail_key(self.prefix, IDENTITY, number), count=1)
            saved = self.client.hget(checkpoint_key(self.prefix, IDENTITY, number), "mail_id")
            if newest and newest[0][0] != saved:
                return False
        return True
