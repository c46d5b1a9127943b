"""The contract of `ports/swap_source.py`, on the embedded broker and on a real Kafka."""

import time
import uuid

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from settings.config import Ingest
from swapstats.adapters.kafka.swap_source import KafkaSwapSource
from swapstats.domain.errors import SourceChanged, SourceError, SourceUnavailable
from swapstats.ports.swap_source import Record
from tests.contracts.members import QUIET_POLLS, T0, WAIT_SECONDS, Log, poll_quietly, poll_until
from tests.parts.topics import Broker


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
