"""The topic under test, as an operator would handle it and as a plain reader sees it."""

import time
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

SECONDS = 60


class LogRecord(NamedTuple):
    """A record as the log holds it."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class Topic:
    """A topic with its dead letter queue on a real broker."""

    def __init__(self, brokers: str, name: str, partitions: int, replication: int = 1) -> None:
        self.brokers = brokers
        self.name = name
        self.partitions = partitions
        self.replication = replication
        self._admin = AdminClient({"bootstrap.servers": brokers})

    def create(self) -> None:
        self._create(self.name, self.partitions)
        self._create(self.dead_letters, 1)

    @property
    def dead_letters(self) -> str:
        return f"{self.name}.dlq"

    def _create(self, name: str, partitions: int) -> None:
        config = {"min.insync.replicas": str(min(2, self.replication)), "retention.ms": "-1"}
        new = NewTopic(name, partitions, self.replication, config=config)
        self._admin.create_topics([new], request_timeout=SECONDS)[name].result(SECONDS)
        self._wait_for_leaders(name, partitions)

    def _wait_for_leaders(self, name: str, partitions: int) -> None:
        deadline = time.monotonic() + SECONDS
        while not self._is_led(name, partitions):
            assert time.monotonic() < deadline, f"{name} has no leaders after {SECONDS} s"
            time.sleep(0.05)

    def _is_led(self, name: str, partitions: int) -> bool:
        found = self._admin.list_topics(name, timeout=SECONDS).topics[name].partitions
        return len(found) == partitions and all(partition.leader >= 0 for partition in found.values())

    def raise_partitions(self, partitions: int) -> None:
        self._admin.create_partitions([NewPartitions(self.name, partitions)])[self.name].result(SECONDS)
        self._wait_for_leaders(self.name, partitions)
        self.partitions = partitions

    def recreate(self) -> None:
        """Deleted and created anew: the same name, another log. Its dead letter queue stays."""
        self._admin.delete_topics([self.name])[self.name].result(SECONDS)
        deadline = time.monotonic() + SECONDS
        while self.name in self._admin.list_topics(timeout=SECONDS).topics:
            assert time.monotonic() < deadline, f"{self.name} was not deleted"
            time.sleep(0.05)
        self._create(self.name, self.partitions)

    def let_go_before(self, offsets: dict[int, int]) -> None:
        """What retention does: the records below these offsets are no longer there."""
        asked = [TopicPartition(self.name, partition, offset) for partition, offset in offsets.items()]
        for future in self._admin.delete_records(asked).values():
            future.result(SECONDS)

    def ends(self) -> dict[int, int]:
        """The offset after the newest record, per partition."""
        consumer = self._reader()
        try:
            places = [TopicPartition(self.name, number) for number in range(self.partitions)]
            return {place.partition: consumer.get_watermark_offsets(place, timeout=SECONDS)[1] for place in places}
        finally:
            consumer.close()

    def read(self, name: str | None = None, partitions: int | None = None) -> list[LogRecord]:
        """All that the log holds now, partition by partition in the order of offsets."""
        name, consumer = name or self.name, self._reader()
        try:
            places = [TopicPartition(name, number, 0) for number in range(partitions or self.partitions)]
            bounds = {place.partition: consumer.get_watermark_offsets(place, timeout=SECONDS) for place in places}
            consumer.assign([TopicPartition(name, number, low) for number, (low, _) in bounds.items()])
            records = _drain(consumer, {number: high for number, (low, high) in bounds.items() if high > low})
        finally:
            consumer.close()
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def read_dead_letters(self) -> list[LogRecord]:
        return self.read(self.dead_letters, 1)

    def _reader(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.brokers,
                "group.id": f"{self.name}-plain-reader",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            }
        )


def _drain(consumer: Consumer, ends: dict[int, int]) -> list[LogRecord]:
    """Reads on until each partition's end is reached."""
    records: list[LogRecord] = []
    deadline = time.monotonic() + SECONDS
    while ends:
        assert time.monotonic() < deadline, f"the log could not be read to its end; missing {ends}"
        for message in consumer.consume(2_000, 0.2):
            assert message.error() is None, message.error()
            headers = dict(message.headers() or ())
            partition, offset = message.partition(), message.offset()
            records.append(
                LogRecord(partition, offset, message.timestamp()[1], message.key(), message.value(), headers)
            )
            if offset + 1 >= ends.get(partition, 0):
                ends.pop(partition, None)
    return records
