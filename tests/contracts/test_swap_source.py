"""The contract of `ports/swap_source.py`, on the embedded broker and on a real Kafka."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from settings.config import Ingest
from swapstats.adapters.kafka.swap_source import KafkaSwapSource
from swapstats.domain.errors import SourceChanged, SourceError, SourceUnavailable
from swapstats.ports.swap_source import Record
from tests.parts.topics import Broker

WAIT_SECONDS = 30
QUIET_POLLS = 30
T0 = 1_700_000_000_000
QUICK = {"heartbeat.interval.ms": 200, "session.timeout.ms": 3_000}
"""A member hears of a rebalance within the first; the mock cluster lets each one take about the second."""


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
        known = {"brokers": (self.broker.bootstrap,), "topic": self.topic, "group_id": self.topic, "client": QUICK}
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


@pytest.fixture
def swap_log(broker: Broker) -> Iterator[Log]:
    log = Log(broker)
    yield log
    for member in log.members:
        with suppress(SourceError):
            member.close()


def poll_until(condition: Callable[[], bool], *members: Member) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, [member.events for member in members]
        for member in members:
            member.poll()


def poll_quietly(member: Member) -> list[Record]:
    """What comes in some more polls, where nothing should."""
    return [record for _ in range(QUIET_POLLS) for record in member.poll()]


def test_records_come_in_order_with_everything_they_carry(swap_log: Log) -> None:
    swap_log.write(1, 3)
    swap_log.write(1, 1, first_ms=T0 + 60_000, value=None)
    member = swap_log.member().join()
    poll_until(lambda: len(member.records) == 4, member)
    assert member.records == [
        Record(1, 0, T0, b"key", b"{}"),
        Record(1, 1, T0 + 1, b"key", b"{}"),
        Record(1, 2, T0 + 2, b"key", b"{}"),
        Record(1, 3, T0 + 60_000, b"key", None),
    ]


def test_no_more_than_batch_max_at_once(swap_log: Log) -> None:
    swap_log.write(0, 50)
    member = swap_log.member(batch_max=7).join()
    poll_until(lambda: len(member.records) == 50, member)
    assert member.offsets(0) == list(range(50))
    swap_log.write(0, 50)
    assert max(len(member.poll()) for _ in range(QUIET_POLLS)) <= 7


def test_a_partition_gives_nothing_before_its_first_seek(swap_log: Log) -> None:
    for partition in range(4):
        swap_log.write(partition, 10)
    member = swap_log.member(start=None).join()
    poll_until(lambda: bool(member.events), member)
    assert poll_quietly(member) == []
    member.source.seek(2, 4)
    poll_until(lambda: len(member.records) == 6, member)
    assert poll_quietly(member) == []
    assert member.offsets(2) == [4, 5, 6, 7, 8, 9]


def test_seek_goes_back_and_forth_without_a_stale_record(swap_log: Log) -> None:
    swap_log.write(0, 3_000)
    member = swap_log.member(batch_max=100).join()
    for target in (2_500, 10, 2_990, 0):
        poll_until(lambda: len(member.records) > 200 or member.offsets(0)[-1:] == [2_999], member)
        member.source.seek(0, target)
        member.records.clear()
        poll_until(lambda: bool(member.records), member)
        assert member.records[0].offset == target
    poll_until(lambda: len(member.records) == 3_000, member)
    assert member.offsets(0) == list(range(3_000))


def test_seek_of_a_partition_that_is_not_ours(swap_log: Log) -> None:
    with pytest.raises(SourceError, match="partition 0 is not assigned"):
        swap_log.member().source.seek(0, 0)


def test_pause_holds_back_records_and_nothing_else(swap_log: Log) -> None:
    member = swap_log.member().join()
    poll_until(lambda: bool(member.owned), member)
    member.source.pause([0])
    swap_log.write(0, 5)
    swap_log.write(1, 5)
    poll_until(lambda: len(member.offsets(1)) == 5, member)
    assert poll_quietly(member) == []
    member.source.resume([0])
    poll_until(lambda: len(member.offsets(0)) == 5, member)


def test_a_paused_partition_stays_paused_when_it_is_sought(swap_log: Log) -> None:
    swap_log.write(0, 5)
    member = swap_log.member(start=None).join()
    poll_until(lambda: bool(member.owned), member)
    member.source.pause([0])
    member.source.seek(0, 1)
    assert poll_quietly(member) == []
    member.source.seek(0, 3)
    assert poll_quietly(member) == []
    member.source.resume([0])
    poll_until(lambda: member.offsets(0) == [3, 4], member)


def test_bounds_and_partitions(swap_log: Log) -> None:
    swap_log.write(3, 12)
    source = swap_log.member().source
    assert source.partition_count() == 4
    assert source.bounds(3) == (0, 12)
    assert source.bounds(0) == (0, 0)


def test_offset_at_a_time(swap_log: Log) -> None:
    swap_log.write(0, 100)
    source = swap_log.member().source
    assert source.offset_at(0, T0 + 40) == (0 if swap_log.broker.is_mock else 40)  # the mock has no time index
    assert source.offset_at(0, T0 - 1) == 0
    assert source.offset_at(0, -1) == 0
    assert source.offset_at(0, T0 + 100) == 100
    assert source.offset_at(1, T0) == 0


def test_lag_is_what_is_left_to_read(swap_log: Log) -> None:
    swap_log.write(0, 10)
    member = swap_log.member(start=None, batch_max=4).join()
    poll_until(lambda: bool(member.owned), member)
    assert dict(member.source.lag()) == {}
    member.source.seek(0, 3)
    poll_until(lambda: len(member.records) == 4, member)
    assert dict(member.source.lag()) == {0: 3}
    poll_until(lambda: len(member.records) == 7, member)
    assert dict(member.source.lag()) == {0: 0}


def test_committed_offsets_are_there_for_lag_tools(swap_log: Log) -> None:
    member = swap_log.member().join()
    poll_until(lambda: len(member.owned) == 4, member)
    member.source.commit({0: 7, 1: 9, 99: 1})
    asker = Consumer({"bootstrap.servers": swap_log.broker.bootstrap, "group.id": swap_log.topic})

    def committed() -> list[int]:
        asked = [TopicPartition(swap_log.topic, partition) for partition in (0, 1)]
        return [found.offset for found in asker.committed(asked, timeout=WAIT_SECONDS)]

    poll_until(lambda: committed() == [7, 9], member)
    asker.close()


def test_committing_without_an_assignment_is_no_error(swap_log: Log) -> None:
    swap_log.member().source.commit({0: 7})


def test_close_revokes_what_is_still_assigned(swap_log: Log) -> None:
    member = swap_log.member().join()
    poll_until(lambda: len(member.owned) == 4, member)
    member.close()
    assert member.events == [("assigned", [0, 1, 2, 3]), ("revoked", [0, 1, 2, 3])]


def test_partitions_move_to_a_member_that_joins_and_back(swap_log: Log) -> None:
    for partition in range(4):
        swap_log.write(partition, 5)
    first, second = swap_log.member().join(), swap_log.member()
    poll_until(lambda: len(first.records) == 20, first)
    second.join()
    poll_until(lambda: len(first.owned) == len(second.owned) == 2, first, second)
    assert first.owned.isdisjoint(second.owned)
    poll_until(lambda: len(second.records) == 10, first, second)
    assert len(first.records) == 20, "partitions that stay are not read anew"
    second.close()
    poll_until(lambda: len(first.owned) == 4, first)
    poll_until(lambda: len(first.records) == 30, first)


def test_a_partition_that_was_paused_comes_back_running(swap_log: Log) -> None:
    first, second = swap_log.member().join(), swap_log.member()
    poll_until(lambda: len(first.owned) == 4, first)
    first.source.pause(range(4))
    second.join()
    poll_until(lambda: len(first.owned) == len(second.owned) == 2, first, second)
    moved = set(second.owned)
    second.close()
    poll_until(lambda: len(first.owned) == 4, first)
    for partition in range(4):
        swap_log.write(partition, 1)
    poll_until(lambda: {record.partition for record in first.records} == moved, first)
    assert poll_quietly(first) == []


def test_a_partition_that_never_was_sought_can_move(swap_log: Log) -> None:
    first, second = swap_log.member(start=None).join(), swap_log.member()
    poll_until(lambda: len(first.owned) == 4, first)
    second.join()
    poll_until(lambda: len(first.owned) == len(second.owned) == 2, first, second)
    first.close()
    poll_until(lambda: len(second.owned) == 4, second)


def test_a_member_that_was_taken_for_dead_lets_go(swap_log: Log) -> None:
    """That it lost, or that it was revoked where a rebalance was under way; either way it hears that all is gone."""
    client = QUICK | {"session.timeout.ms": 2_000, "max.poll.interval.ms": 2_000}
    stalled, heir = swap_log.member(client=client).join(), swap_log.member(client=client)
    poll_until(lambda: len(stalled.owned) == 4, stalled)
    heir.join()
    poll_until(lambda: len(heir.owned) == 4, heir)
    poll_until(
        lambda: {what for what, _ in stalled.events} > {"assigned"} and not stalled.owned & heir.owned, stalled, heir
    )
    poll_until(lambda: len(stalled.owned) == len(heir.owned) == 2, stalled, heir)


def test_a_member_that_stalls_alone_hears_that_it_lost(swap_log: Log) -> None:
    client = QUICK | {"session.timeout.ms": 2_000, "max.poll.interval.ms": 2_000}
    swap_log.write(0, 5)
    member = swap_log.member(client=client).join()
    poll_until(lambda: len(member.records) == 5, member)
    time.sleep(3)  # librdkafka measures this by a clock of its own
    poll_until(lambda: len(member.records) == 10, member)
    assert [what for what, _ in member.events] == ["assigned", "lost", "assigned"]


def test_a_failing_listener_comes_out_of_poll_and_leaves_nothing_assigned(swap_log: Log) -> None:
    swap_log.write(0, 5)
    member = swap_log.member()

    def fail(_: Sequence[int]) -> None:
        raise RuntimeError("restore failed")

    member.assigned = fail  # type: ignore[method-assign]
    member.join()
    with pytest.raises(RuntimeError, match="restore failed"):
        poll_until(lambda: False, member)
    assert poll_quietly(member) == []


def test_records_that_came_before_an_error_are_given_first(swap_log: Log) -> None:
    swap_log.write(0, 5)
    member = swap_log.member(start=None).join()
    poll_until(lambda: bool(member.owned), member)
    member.source.seek(1, 17)
    member.source.seek(0, 0)
    with pytest.raises(SourceChanged, match=r"partition 1.*17|partition 1.*range"):
        poll_until(lambda: False, member)
    member.source.seek(1, 0)
    swap_log.write(1, 2)
    poll_until(lambda: len(member.records) == 7, member)


def test_identity_stays_and_names_the_cluster(swap_log: Log) -> None:
    first, second = swap_log.member().source, swap_log.member().source
    assert first.identity() == first.identity() == second.identity()
    assert first.identity().cluster_id
    assert first.identity().topic == swap_log.topic
    assert bool(first.identity().incarnation) is not swap_log.broker.is_mock


def test_a_topic_that_does_not_exist(swap_log: Log) -> None:
    source = swap_log.member(topic=f"missing-{uuid.uuid4().hex}").source
    with pytest.raises(SourceUnavailable, match=r"manage\.py topic"):
        source.identity()


def test_a_broker_that_is_not_there() -> None:
    source = KafkaSwapSource(Ingest(brokers=("127.0.0.1:1",)), request_seconds=1)
    with pytest.raises(SourceUnavailable):
        source.bounds(0)


@pytest.mark.kafka
def test_a_topic_made_anew_is_another_log(kafka: Broker) -> None:
    log = Log(kafka)
    member = log.member().join()
    member.source.identity()
    recreate(kafka, log.topic)
    with pytest.raises(SourceChanged):
        member.source.identity()
    member.close()


@pytest.mark.kafka
def test_a_topic_made_anew_while_it_is_read(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(kafka)
    member = log.member().join()
    member.source.identity()
    recreate(kafka, log.topic)
    monkeypatch.setattr("swapstats.adapters.kafka.topic_watch.INTERVAL_SECONDS", 0)
    with pytest.raises(SourceChanged, match="made anew"):
        poll_until(lambda: False, member)
    member.close()


@pytest.mark.kafka
def test_a_topic_that_is_deleted_while_it_is_read(kafka: Broker) -> None:
    log = Log(kafka)
    log.write(0, 3)
    member = log.member(client={"topic.metadata.refresh.interval.ms": 500}).join()
    member.source.identity()
    poll_until(lambda: len(member.records) == 3, member)
    kafka.delete_topics()
    with pytest.raises(SourceChanged):
        poll_until(lambda: False, member)
    member.close()


def recreate(kafka: Broker, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.delete_topics([topic])[topic].result(WAIT_SECONDS)
    deadline = time.monotonic() + WAIT_SECONDS
    while not _created(admin, topic):  # the name is free only once the deletion is done
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _created(admin: AdminClient, topic: str) -> bool:
    try:
        admin.create_topics([NewTopic(topic, 4, 1)])[topic].result(WAIT_SECONDS)
    except KafkaException:
        return False
    return True


@pytest.mark.kafka
def test_a_process_that_ends_without_leaving_ends(kafka: Broker) -> None:
    """An unanswered rebalance would keep librdkafka's destructor waiting."""
    log = Log(kafka)
    group = AdminClient({"bootstrap.servers": kafka.bootstrap})
    code = f"""
import sys
from settings.config import Ingest
from swapstats.adapters.kafka.swap_source import KafkaSwapSource
source = KafkaSwapSource(Ingest(brokers=("{kafka.bootstrap}",), topic="{log.topic}", group_id="{log.topic}"))
source.subscribe(source)
sys.stdout.write("joined\\n"); sys.stdout.flush(); sys.stdin.read()
raise SystemExit(3)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline()
        deadline = time.monotonic() + WAIT_SECONDS
        while not group.describe_consumer_groups([log.topic])[log.topic].result(WAIT_SECONDS).members:
            assert time.monotonic() < deadline
        process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 3
