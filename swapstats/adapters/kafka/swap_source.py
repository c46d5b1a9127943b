"""The swap log on a Kafka-protocol broker, read as one member of a consumer group."""

import atexit
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from settings.config import Ingest
from swapstats.adapters.kafka.broker_errors import (
    TOPIC_GONE,
    as_source_error,
    is_fatal,
    is_passing,
    source_error,
)
from swapstats.adapters.kafka.client_config import client_settings, consumer_settings, new_client
from swapstats.adapters.kafka.offset_lookup import offset_at
from swapstats.adapters.kafka.topic_facts import is_mock, topic_id, topic_metadata
from swapstats.adapters.kafka.topic_watch import TopicWatch
from swapstats.domain.errors import SourceChanged, SourceError, SourceUnavailable
from swapstats.ports.swap_source import Listener, Record, SourceIdentity

REQUEST_SECONDS = 10.0
SEEK_SECONDS = 2.0
SEEK_PAUSE_SECONDS = 0.01
OUTAGE_SECONDS = 60.0
"""For so long librdkafka tries by itself to reach a broker; then one question decides whether there is one."""

SEEK_LATER = frozenset({KafkaError._STATE, KafkaError._PREV_IN_PROGRESS})

log = logging.getLogger(__name__)


class KafkaSwapSource:
    """Fulfils the port `SwapSource`. A record without a timestamp keeps Kafka's own -1, which lies before any event.

    librdkafka is given a partition only with its first `seek`: before, there is nothing for it to fetch.
    """

    def __init__(
        self,
        ingest: Ingest,
        *,
        request_seconds: float = REQUEST_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`request_seconds` bounds every question to the broker, `monotonic` measures outages. ConfigError where
        librdkafka refuses a setting."""
        self._topic = ingest.topic
        self._batch_max = ingest.batch_max
        self._poll_seconds = ingest.poll_timeout_ms / 1000
        self._request_seconds = request_seconds
        self._asking = client_settings(ingest)
        self._reading = consumer_settings(ingest)
        self._monotonic = monotonic
        self._consumer = new_client(Consumer, self._reading, error_cb=self._on_error, on_commit=_on_commit)
        self._listener: Listener | None = None
        self._identity: SourceIdentity | None = None
        self._starts: dict[int, int | None] = {}
        """Assigned partitions, with the offset of the latest seek; None before the first."""
        self._paused: set[int] = set()
        self._stuck: set[int] = set()
        """Partitions that librdkafka fetches no more, because of an error."""
        self._released: set[int] = set()
        """Partitions that went, perhaps to come again, during the latest `poll`."""
        self._failure: SourceError | None = None
        """What the next `poll` has to raise, after the records that came before it."""
        self._outage: tuple[float, str] | None = None
        """Since when there were only connection errors, and the first of them."""
        self._watch: TopicWatch | None = None

    def identity(self) -> SourceIdentity:
        try:
            cluster_id, _ = topic_metadata(self._consumer, self._topic, self._request_seconds)
        except SourceChanged as error:
            if self._identity is None:
                raise SourceUnavailable(str(error)) from error
            raise
        incarnation = "" if is_mock(cluster_id) else topic_id(self._asking, self._topic, self._request_seconds)
        found = SourceIdentity(cluster_id, self._topic, incarnation)
        if self._identity not in (None, found):
            raise SourceChanged(f"the log was {self._identity} and is now {found}")
        if self._identity is None and incarnation:
            self._watch = TopicWatch(self._asking, self._topic, incarnation, self._monotonic())
        self._identity = found
        return found

    def partition_count(self) -> int:
        return len(topic_metadata(self._consumer, self._topic, self._request_seconds)[1].partitions)

    def bounds(self, partition: int) -> tuple[int, int]:
        doing = f"asking for the bounds of partition {partition}"
        with as_source_error(doing):
            found = self._consumer.get_watermark_offsets(self._at(partition), timeout=self._request_seconds)
        if found is None:
            raise SourceUnavailable(f"{doing}: no answer")
        return found

    def offset_at(self, partition: int, timestamp_ms: int) -> int:
        wanted, bounds = self._at(partition, timestamp_ms), self.bounds(partition)
        return offset_at(self._consumer, wanted, bounds, self._reading, self._request_seconds)

    def subscribe(self, listener: Listener) -> None:
        self._listener = listener
        atexit.register(self._leave)
        with as_source_error("joining the group"):
            self._consumer.subscribe(
                [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )

    def poll(self) -> Sequence[Record]:
        self._raise_failure()
        self._check_topic()
        self._released.clear()
        with as_source_error("reading the log"):
            messages = self._consumer.consume(self._batch_max, self._poll_seconds)
        if not messages:
            self._check_outage()
            return ()
        records = _records(messages)
        if len(records) < len(messages):
            self._note_failures(messages)
        if self._released:
            records = self._without_released(records)
        if records:
            self._outage = None
        return records

    def seek(self, partition: int, offset: int) -> None:
        if partition not in self._starts:
            raise SourceError(f"partition {partition} is not assigned, so it cannot be read from {offset}")
        target = self._at(partition, offset)
        with as_source_error(f"seeking {offset} in partition {partition}"):
            if self._starts[partition] is None:
                self._begin(target)
            elif partition in self._stuck or not self._seek_running(target):
                self._consumer.incremental_unassign([target])
                self._begin(target)
        self._starts[partition] = offset

    def pause(self, partitions: Iterable[int]) -> None:
        chosen = self._starts.keys() & set(partitions)
        self._paused |= chosen
        with as_source_error("pausing"):
            self._consumer.pause(self._running(chosen))

    def resume(self, partitions: Iterable[int]) -> None:
        chosen = self._starts.keys() & set(partitions)
        self._paused -= chosen
        with as_source_error("resuming"):
            self._consumer.resume(self._running(chosen))

    def commit(self, offsets: Mapping[int, int]) -> None:
        ours = [self._at(partition, offset) for partition, offset in offsets.items() if partition in self._starts]
        if not ours:
            return
        try:
            self._consumer.commit(offsets=ours, asynchronous=True)
        except KafkaException as error:
            log.info("offsets not committed: %s", error.args[0].str())

    def lag(self) -> Mapping[int, int]:
        """Partitions of which nothing has been fetched yet are left out. As of the latest fetch, hence not
        moving while a partition is paused."""
        lags = {}
        for position in self._consumer.position(self._running(self._starts)):
            _, end = self._consumer.get_watermark_offsets(position, cached=True) or (0, -1)
            following = position.offset if position.offset >= 0 else self._starts[position.partition]
            if end >= 0 and following is not None:
                lags[position.partition] = max(0, end - following)
        return lags

    def close(self) -> None:
        atexit.unregister(self._leave)
        with as_source_error("leaving the group"):
            self._consumer.close()

    def _leave(self) -> None:
        """For processes that end without `close`: librdkafka's destructor waits for ever for a rebalance to be
        answered."""
        self._listener = None
        self._consumer.close()

    # Rebalances. An answer that comes first keeps confluent-kafka from assigning everything by itself where the
    # listener raises; its error then comes out of `poll`.

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign([])
        numbers = _numbers(partitions)
        self._starts.update(dict.fromkeys(numbers))
        if self._listener and numbers:
            self._listener.assigned(numbers)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            if self._listener and partitions:
                self._listener.revoked(_numbers(partitions))
        finally:
            self._release(consumer, partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            if self._listener and partitions:
                self._listener.lost(_numbers(partitions))
        finally:
            self._release(consumer, partitions)

    def _release(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = set(_numbers(partitions))
        consumer.incremental_unassign(self._running(numbers & self._starts.keys()))
        for number in numbers:
            self._starts.pop(number, None)
        self._paused -= numbers
        self._stuck -= numbers
        self._released |= numbers

    def _begin(self, target: TopicPartition) -> None:
        """Have librdkafka fetch from here. It remembers pauses beyond an assignment, so ours is said anew."""
        self._consumer.incremental_assign([target])
        self._stuck.discard(target.partition)
        if target.partition in self._paused:
            self._consumer.pause([target])
        else:
            self._consumer.resume([target])

    def _seek_running(self, target: TopicPartition) -> bool:
        """Whether librdkafka took the seek; it cannot while fetching is only about to start or stop."""
        deadline = time.monotonic() + SEEK_SECONDS
        while time.monotonic() < deadline:
            try:
                self._consumer.seek(target)
                return True
            except KafkaException as error:
                if error.args[0].code() not in SEEK_LATER:
                    raise
            time.sleep(SEEK_PAUSE_SECONDS)
        return False

    def _without_released(self, records: list[Record]) -> list[Record]:
        """A rebalance can come between two records of one batch; those of a partition that went are no longer ours.
        One that came back within the same batch is read again from its seek, for its records cannot be told apart."""
        for partition in self._released & self._starts.keys():
            start = self._starts[partition]
            if start is not None:
                self.seek(partition, start)
        return [record for record in records if record.partition not in self._released]

    def _note_failures(self, messages: Sequence[Message]) -> None:
        for message in messages:
            error = message.error()
            if error is None:
                continue
            if is_passing(error):
                log.warning("reading the log: %s", error.str())
            elif error.code() in TOPIC_GONE:
                self._note_topic_gone(error)
            else:
                self._stuck.add(message.partition() or 0)
                self._failure = source_error(error, f"reading partition {message.partition()}")

    def _note_topic_gone(self, error: KafkaError) -> None:
        """A broker that has just started may not know its topics yet, so it is asked again."""
        try:
            self.identity()
        except SourceError as confirmed:
            self._failure = confirmed
        else:
            log.warning("reading the log: %s; but the topic is there", error.str())

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _check_topic(self) -> None:
        if self._watch is not None and self._watch.has_changed(self._monotonic()):
            raise SourceChanged(f"topic {self._topic} was deleted and made anew; it was {self._identity}")

    def _on_error(self, error: KafkaError) -> None:
        if is_fatal(error):
            self._failure = source_error(error, "reading the log")
        elif self._outage is None:
            self._outage = (self._monotonic(), error.str())

    def _check_outage(self) -> None:
        if self._outage is None or self._monotonic() - self._outage[0] < OUTAGE_SECONDS:
            return
        (_, trouble), self._outage = self._outage, None
        try:
            topic_metadata(self._consumer, self._topic, self._request_seconds)
        except SourceUnavailable as error:
            raise SourceUnavailable(f"no broker answers: {trouble}") from error

    def _running(self, partitions: Iterable[int]) -> list[TopicPartition]:
        """Those of our partitions that librdkafka has been given."""
        return [self._at(number) for number in partitions if self._starts[number] is not None]

    def _at(self, partition: int, offset: int = -1001) -> TopicPartition:
        return TopicPartition(self._topic, partition, offset)


def _records(messages: Sequence[Message]) -> list[Record]:
    """Half a microsecond a record: this is the hot path, and a named tuple's own constructor takes as long again."""
    new = tuple.__new__
    return [
        new(
            Record,
            (message.partition(), message.offset(), message.timestamp()[1], message.key(), message.value()),
        )
        for message in messages
        if message.error() is None
    ]


def _numbers(partitions: Iterable[TopicPartition]) -> list[int]:
    return [partition.partition for partition in partitions]


def _on_commit(error: KafkaError | None, _: Sequence[TopicPartition]) -> None:
    if error is not None:
        log.info("offsets not committed: %s", error.str())
