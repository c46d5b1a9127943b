"""Finding where in a partition a time begins."""

from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from swapstats.adapters.kafka.broker_errors import as_source_error
from swapstats.adapters.kafka.client_config import new_client
from swapstats.domain.errors import SourceUnavailable


def offset_at(
    consumer: Consumer,
    wanted: TopicPartition,
    bounds: tuple[int, int],
    settings: Mapping[str, Any],
    timeout: float,
) -> int:
    """The first offset whose record's timestamp is at or after `wanted.offset`, a time in epoch milliseconds; the end
    where there is none.

    Brokers without a time index (librdkafka's mock cluster) always answer that there is none. Where the newest record
    shows that this is not so, the answer is the oldest record: too early rather than too late. `settings` are those
    of the consumer that then reads this record.
    """
    low, high = bounds
    query = TopicPartition(wanted.topic, wanted.partition, max(0, wanted.offset))
    with as_source_error(f"asking for the offset of a time in partition {wanted.partition}"):
        [found] = consumer.offsets_for_times([query], timeout=timeout)
        if found.error is not None:
            raise KafkaException(found.error)
    if found.offset >= 0:
        return found.offset
    if low == high:
        return high
    newest = TopicPartition(wanted.topic, wanted.partition, high - 1)
    return low if _timestamp_of(newest, settings, timeout) >= query.offset else high


def _timestamp_of(place: TopicPartition, settings: Mapping[str, Any], timeout: float) -> int:
    """The timestamp of the record at this offset; -1 where it holds none that consumers may see."""
    reader = new_client(Consumer, {**settings, "enable.partition.eof": True})
    try:
        reader.assign([place])
        message = reader.poll(timeout)
        if message is None:
            raise SourceUnavailable(f"reading the newest record of partition {place.partition}: no answer")
        return -1 if message.error() else message.timestamp()[1]
    finally:
        reader.close()
