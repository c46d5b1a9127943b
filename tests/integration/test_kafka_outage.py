"""A broker that goes away under a reader, and comes back."""

import time
from collections.abc import Callable, Sequence

import pytest
from confluent_kafka import Producer

from settings.config import Ingest
from swapstats.adapters.kafka import swap_source
from swapstats.adapters.kafka.swap_source import KafkaSwapSource
from swapstats.domain.errors import SourceUnavailable
from swapstats.ports.swap_source import Record
from tests.parts.kafka import KafkaServer
from tests.parts.topics import Broker

WAIT_SECONDS = 60

pytestmark = pytest.mark.kafka


class Reader:
    """A source whose outages are measured by a clock that the test moves."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.now = 0.0
        ingest = Ingest(brokers=(bootstrap,), topic=topic)
        self.source = KafkaSwapSource(ingest, request_seconds=1, monotonic=lambda: self.now)
        self.records: list[Record] = []
        self.source.subscribe(self)

    def assigned(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self.source.seek(partition, 0)

    def revoked(self, partitions: Sequence[int]) -> None: ...

    def lost(self, partitions: Sequence[int]) -> None: ...

    def poll_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline
            self.records += self.source.poll()


def write(bootstrap: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topic, b"{}")
    assert producer.flush(WAIT_SECONDS) == 0


def test_reading_goes_on_by_itself_after_an_outage(own_kafka: KafkaServer) -> None:
    topic = Broker(own_kafka.bootstrap).new_topic(partitions=1)
    write(own_kafka.bootstrap, topic)
    reader = Reader(own_kafka.bootstrap, topic)
    identity = reader.source.identity()
    reader.poll_until(lambda: len(reader.records) == 1)
    own_kafka.kill()
    reader.poll_until(lambda: reader.source._outage is not None)
    own_kafka.start()
    write(own_kafka.bootstrap, topic)
    reader.poll_until(lambda: reader.records[-1].offset == 1)  # read again from the start where the session ran out
    assert reader.source.identity() == identity
    reader.source.close()


def test_a_lasting_outage_is_told(own_kafka: KafkaServer) -> None:
    topic = Broker(own_kafka.bootstrap).new_topic(partitions=1)
    reader = Reader(own_kafka.bootstrap, topic)
    write(own_kafka.bootstrap, topic)
    reader.poll_until(lambda: len(reader.records) == 1)
    own_kafka.stop()
    reader.poll_until(lambda: reader.source._outage is not None)
    reader.now += swap_source.OUTAGE_SECONDS
    with pytest.raises(SourceUnavailable, match="no broker answers"):
        reader.poll_until(lambda: False)
    before = time.monotonic()
    reader.source.close()
    assert time.monotonic() - before < WAIT_SECONDS
