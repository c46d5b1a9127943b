"""Reading what the topic of dead letters holds."""

import time
from collections.abc import Collection, Iterator, Mapping
from typing import cast

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from settings.config import Ingest
from swapstats.adapters.kafka.broker_errors import as_source_error, is_passing, source_error
from swapstats.adapters.kafka.client_config import consumer_settings, new_client
from swapstats.adapters.kafka.topic_facts import topic_metadata
from swapstats.domain.errors import SourceUnavailable
from swapstats.ports.dead_letters import StoredLetter

REQUEST_SECONDS = 10.0
BATCH_MAX = 1_000
BATCH_SECONDS = 0.05

_Headers = list[tuple[str, bytes | None]]


class KafkaDeadLetterReader:
    """Fulfils the port `DeadLetterReader`. Joins no group and commits nothing."""

    def __init__(self, ingest: Ingest) -> None:
        self._topic = f"{ingest.topic}.dlq"
        self._consumer = new_client(Consumer, {**consumer_settings(ingest), "enable.partition.eof": True})

    def letters(self) -> Iterator[StoredLetter]:
        _, topic = topic_metadata(self._consumer, self._topic, REQUEST_SECONDS)
        bounds = {number: self._bounds(number) for number in topic.partitions}
        return self._read({number: range(*found) for number, found in bounds.items()})

    def newest(self, partitions: Collection[int], count: int) -> Iterator[StoredLetter]:
        """Those among the last `count` offsets of these partitions, or of all where one of them is not there."""
        _, topic = topic_metadata(self._consumer, self._topic, REQUEST_SECONDS)
        chosen = partitions if topic.partitions.keys() >= set(partitions) else topic.partitions
        bounds = {number: self._bounds(number) for number in chosen}
        return self._read({number: range(max(low, high - count), high) for number, (low, high) in bounds.items()})

    def letter(self, partition: int, offset: int) -> StoredLetter | None:
        _, topic = topic_metadata(self._consumer, self._topic, REQUEST_SECONDS)
        if partition not in topic.partitions or offset not in range(*self._bounds(partition)):
            return None
        return next(self._read({partition: range(offset, offset + 1)}), None)

    def close(self) -> None:
        self._consumer.close()

    def _bounds(self, partition: int) -> tuple[int, int]:
        doing = f"asking for the bounds of {self._topic}, partition {partition}"
        with as_source_error(doing):
            place = TopicPartition(self._topic, partition)
            found = self._consumer.get_watermark_offsets(place, timeout=REQUEST_SECONDS)
        if found is None:
            raise SourceUnavailable(f"{doing}: no answer")
        return found

    def _read(self, wanted: Mapping[int, range]) -> Iterator[StoredLetter]:
        """The letters at these offsets of each partition."""
        ends = {partition: offsets.stop for partition, offsets in wanted.items() if offsets}
        self._consumer.assign([TopicPartition(self._topic, number, wanted[number].start) for number in ends])
        deadline = time.monotonic() + REQUEST_SECONDS
        while ends:
            for message in self._consumer.consume(BATCH_MAX, BATCH_SECONDS):
                partition, following = cast(int, message.partition()), cast(int, message.offset()) + 1
                if _is_letter(message) and following <= ends.get(partition, 0):
                    deadline = time.monotonic() + REQUEST_SECONDS
                    yield _stored(message)
                if _is_end(message) or following >= ends.get(partition, 0):
                    ends.pop(partition, None)
            if time.monotonic() > deadline:
                raise SourceUnavailable(f"reading {self._topic}: nothing came for {REQUEST_SECONDS:.0f} s")
        self._consumer.unassign()


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF


def _is_letter(message: Message) -> bool:
    error = message.error()
    if error is None or _is_end(message) or is_passing(error):
        return error is None
    raise source_error(error, "reading dead letters")


def _stored(message: Message) -> StoredLetter:
    headers = {name: _text(value) for name, value in cast(_Headers, message.headers() or [])}
    partition, offset = cast(int, message.partition()), cast(int, message.offset())
    return StoredLetter(partition, offset, message.timestamp()[1], message.key(), message.value(), headers)


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
