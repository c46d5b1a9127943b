"""Members of a consumer group, and a log for them to read."""

import time
from collections.abc import Callable, Sequence

from confluent_kafka import Producer

from settings.config import Ingest
from swapstats.adapters.kafka.swap_source import KafkaSwapSource
from swapstats.ports.swap_source import Record
from tests.parts.topics import Broker

WAIT_SECONDS = 30
QUIET_POLLS = 30
T0 = 1_700_000_000_000
QUICK = {"heartbeat.interval.ms": 200, "session.timeout.ms": 3_000}
"""A member hears of a rebalance within the first; the mock cluster lets each one take almost the second. A shorter
session is lost on a busy machine."""


class Member:
    """A source with a listener that keeps what it hears, and seeks to `start` where there is one."""

    def __init__(self, ingest: Ingest, start: int | None = 0) -> None:
        self.source = KafkaSwapSource(ingest)
        self.start = start
        self.events: list[tuple[str, list[int]]] = []
        self.records: list[Record] = []
        self.owned: set[int] = set()
        self.closed = False

    def assigned(self, partitions: Sequence[int]) -> None:
        self._heard("assigned", partitions)
        self.owned |= set(partitions)
        if self.start is not None:
            for partition in partitions:
                self.source.seek(partition, self.start)

    def revoked(self, partitions: Sequence[int]) -> None:
        self._heard("revoked", partitions)
        self.owned -= set(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        self._heard("lost", partitions)
        self.owned -= set(partitions)

    def _heard(self, what: str, partitions: Sequence[int]) -> None:
        self.events.append((what, sorted(partitions)))

    def join(self) -> "Member":
        self.source.subscribe(self)
        return self

    def poll(self) -> Sequence[Record]:
        records = self.source.poll()
        assert {record.partition for record in records} <= self.owned
        self.records += records
        return records

    def offsets(self, partition: int) -> list[int]:
        return [record.offset for record in self.records if record.partition == partition]

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.source.close()


class Log:
    """A topic of 4 partitions, what is written to it, and who reads it."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.topic = broker.new_topic(partitions=4, retention_ms=-1) if not broker.is_mock else broker.new_topic()
        self.members: list[Member] = []

    def ingest(self, **settings: object) -> Ingest:
        known = {
            "brokers": (self.broker.bootstrap,),
            "topic": self.topic,
            "group_id": self.topic,
            "client": QUICK,
        }
        return Ingest.model_validate({**known, **settings})

    def member(self, start: int | None = 0, **settings: object) -> Member:
        member = Member(self.ingest(**settings), start)
        self.members.append(member)
        return member

    def write(self, partition: int, count: int, first_ms: int = T0, value: bytes | None = b"{}") -> None:
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "acks": "all"})
        for number in range(count):
            producer.produce(self.topic, value, b"key", partition, timestamp=first_ms + number)
        assert producer.flush(WAIT_SECONDS) == 0


def poll_until(condition: Callable[[], bool], *members: Member) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, [member.events for member in members]
        for member in members:
            member.poll()


def poll_quietly(member: Member) -> list[Record]:
    """What comes in some more polls, where nothing should."""
    return [record for _ in range(QUIET_POLLS) for record in member.poll()]
