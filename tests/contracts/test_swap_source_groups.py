"""The contract of `ports/swap_source.py` about its group: partitions come, go, and move between members."""

import subprocess
import sys
import time
from collections.abc import Sequence

import pytest
from confluent_kafka.admin import AdminClient

from tests.contracts.members import QUICK, WAIT_SECONDS, Log, poll_quietly, poll_until
from tests.parts.topics import Broker


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
