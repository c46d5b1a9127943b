"""The contract of `ports/dead_letters.py`, on the embedded broker and on a real Kafka."""

import time
from collections.abc import Sequence

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from settings.config import Ingest
from swapstats.adapters.kafka.dead_letters import KafkaDeadLetters
from swapstats.domain.errors import DeadLetterError
from swapstats.domain.swap import Invalid, InvalidReason
from swapstats.ports.dead_letters import DeadLetter
from swapstats.ports.swap_source import Record
from tests.parts.topics import Broker

WAIT_SECONDS = 30
TOO_LARGE = Invalid(InvalidReason.TOO_LARGE, "the record has too many bytes")
MALFORMED = Invalid(InvalidReason.MALFORMED_JSON, "expected one JSON object — got “\ud800”")  # a lone surrogate


def topic_with_dead_letters(broker: Broker, partitions: int = 4, **config: object) -> str:
    """The name of a source topic; only its topic of dead letters is there."""
    source = broker.new_topic()
    if not broker.is_mock:
        settings = {key.replace("_", "."): str(value) for key, value in config.items()}
        new = NewTopic(f"{source}.dlq", partitions, 1, config=settings)
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        admin.create_topics([new])[new.topic].result(WAIT_SECONDS)
        broker._created.append(new.topic)
        broker._wait_for(new.topic, partitions)
    return source


def queue(broker: Broker, source: str, seconds: float = WAIT_SECONDS) -> KafkaDeadLetters:
    return KafkaDeadLetters(Ingest(brokers=(broker.bootstrap,), topic=source), acknowledged_seconds=seconds)


def letter(value: bytes | None, key: bytes | None = b"key", partition: int = 0, offset: int = 7) -> DeadLetter:
    return DeadLetter(Record(partition, offset, 1_700_000_000_123, key, value), MALFORMED)


def written(broker: Broker, source: str, count: int, partitions: int = 4) -> list[Message]:
    return read(broker, f"{source}.dlq", count, partitions)


def read(broker: Broker, topic: str, count: int, partitions: int = 4) -> list[Message]:
    """The first `count` records of a topic, by partition and offset, read by a client of its own."""
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": topic, "receive.message.max.bytes": 2**28})
    reader.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    found: list[Message] = []
    deadline = time.monotonic() + WAIT_SECONDS
    while len(found) < count:
        assert time.monotonic() < deadline, found
        found += [message for message in reader.consume(100, 0.1) if not message.error()]
    reader.close()
    return sorted(found, key=lambda message: (message.partition(), message.offset()))


def headers(message: Message) -> dict[str, bytes]:
    return dict(message.headers() or [])  # type: ignore[arg-type]


def put(broker: Broker, source: str, letters: Sequence[DeadLetter]) -> None:
    dead_letters = queue(broker, source)
    dead_letters.put(letters)
    dead_letters.close()


def test_what_was_put_last_is_known(broker: Broker) -> None:
    """By another process too, which then may have died."""
    source = topic_with_dead_letters(broker)
    put(broker, source, [letter(b"{", partition=number % 2, offset=number) for number in range(6)])
    survivor = queue(broker, source)
    at_ms = 1_700_000_000_123
    assert survivor.kept({0}) == {(0, 0, at_ms), (0, 2, at_ms), (0, 4, at_ms)}
    assert survivor.kept({1, 3, 0}) == {(number % 2, number, at_ms) for number in range(6)}
    assert survivor.kept({3}) == set()
    survivor.close()


@pytest.mark.kafka
def test_what_was_put_last_is_known_in_fewer_partitions(kafka: Broker) -> None:
    source = topic_with_dead_letters(kafka, partitions=1)
    put(kafka, source, [letter(b"{", partition=number, offset=10 + number) for number in range(4)])
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for strange in ({}, {"source_topic": source, "source_partition": "3", "source_offset": "x"}):
        producer.produce(f"{source}.dlq", b"{", headers=list(strange.items()))
    assert producer.flush(WAIT_SECONDS) == 0
    survivor = queue(kafka, source)
    assert survivor.kept([3, 1]) == {(3, 13, 1_700_000_000_123), (1, 11, 1_700_000_000_123)}
    survivor.close()


def test_key_and_value_untouched_with_reason_and_coordinates(broker: Broker) -> None:
    source = topic_with_dead_letters(broker)
    put(broker, source, [letter(b"\x00\xff{", key=b"\xfe", partition=2, offset=41)])
    [message] = written(broker, source, 1)
    assert (message.key(), message.value()) == (b"\xfe", b"\x00\xff{")
    assert headers(message) == {
        "reason": b"malformed_json",
        "detail": "expected one JSON object — got “?”".encode(),
        "source_topic": source.encode(),
        "source_partition": b"2",
        "source_offset": b"41",
        "source_timestamp": b"1700000000123",
    }


def test_a_record_without_key_or_value(broker: Broker) -> None:
    source = topic_with_dead_letters(broker)
    put(broker, source, [letter(None, key=None)])
    [message] = written(broker, source, 1)
    assert (message.key(), message.value()) == (None, None)


def test_letters_keep_their_partition_and_order(broker: Broker) -> None:
    source = topic_with_dead_letters(broker)
    letters = [letter(str(n).encode(), partition=n % 4, offset=n) for n in range(2_000)]
    put(broker, source, letters)
    found = written(broker, source, 2_000)
    assert [(m.partition(), m.value()) for m in found] == [
        (partition, str(n).encode()) for partition in range(4) for n in range(partition, 2_000, 4)
    ]


def test_nothing_to_put(broker: Broker) -> None:
    put(broker, topic_with_dead_letters(broker), [])


@pytest.mark.kafka
def test_a_topic_with_fewer_partitions_takes_them_all(kafka: Broker) -> None:
    source = topic_with_dead_letters(kafka, partitions=1)
    put(kafka, source, [letter(b"{", partition=3)])
    assert headers(written(kafka, source, 1, partitions=1)[0])["source_partition"] == b"3"


@pytest.mark.kafka
def test_letters_that_are_too_large_together_arrive_whole(kafka: Broker) -> None:
    source = topic_with_dead_letters(kafka, max_message_bytes=100_000)
    put(kafka, source, [letter(bytes(60_000), offset=n) for n in range(5)])
    found = written(kafka, source, 5)
    assert [len(message.value() or b"") for message in found] == [60_000] * 5
    assert all("truncated_from" not in headers(message) for message in found)


@pytest.mark.kafka
def test_a_value_that_the_broker_refuses_is_shortened(kafka: Broker) -> None:
    source = topic_with_dead_letters(kafka)
    put(kafka, source, [letter(b"a"), letter(bytes(3_000_000)), letter(b"b")])
    found = {headers(m).get("truncated_from"): m for m in written(kafka, source, 3)}
    assert set(found) == {None, b"3000000"}
    assert found[b"3000000"].value() == bytes(65_536)
    assert found[b"3000000"].key() == b"key"


@pytest.mark.kafka
def test_a_key_that_the_broker_refuses_is_shortened(kafka: Broker) -> None:
    source = topic_with_dead_letters(kafka)
    put(kafka, source, [letter(None, key=bytes(2_000_000))])
    [message] = written(kafka, source, 1)
    assert (message.key(), message.value()) == (bytes(65_536), None)
    assert headers(message)["key_truncated_from"] == b"2000000"


@pytest.mark.kafka
def test_a_topic_for_tiny_records_still_takes_the_coordinates(kafka: Broker) -> None:
    source = topic_with_dead_letters(kafka, max_message_bytes=1_000)
    put(kafka, source, [letter(bytes(5_000), key=bytes(70_000))])
    [message] = written(kafka, source, 1)
    assert (message.key(), message.value()) == (b"", b"")
    assert (headers(message)["truncated_from"], headers(message)["key_truncated_from"]) == (b"5000", b"70000")


@pytest.mark.kafka
def test_a_value_beyond_what_the_client_sends_is_shortened(kafka: Broker) -> None:
    source = topic_with_dead_letters(kafka)
    put(kafka, source, [letter(bytes(70 * 1024 * 1024))])
    assert headers(written(kafka, source, 1)[0])["truncated_from"] == str(70 * 1024 * 1024).encode()


@pytest.mark.kafka
def test_a_letter_that_nothing_makes_small_enough(kafka: Broker) -> None:
    source = topic_with_dead_letters(kafka, max_message_bytes=50)
    with pytest.raises(DeadLetterError, match="partition 1, offset 9"):
        queue(kafka, source).put([letter(b"{", partition=1, offset=9)])


@pytest.mark.kafka
def test_without_its_topic(kafka: Broker) -> None:
    with pytest.raises(DeadLetterError, match=r"manage\.py topic"):
        queue(kafka, kafka.new_topic(), seconds=6).put([letter(b"{")])


def test_without_a_broker() -> None:
    dead_letters = KafkaDeadLetters(Ingest(brokers=("127.0.0.1:1",)), acknowledged_seconds=1)
    with pytest.raises(DeadLetterError, match="no broker answers"):
        dead_letters.put([letter(b"{")])
