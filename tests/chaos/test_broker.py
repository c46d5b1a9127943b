"""The log's brokers stop, one of three is lost, the topic becomes another, old records go."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.arena import Arena
from tests.chaos.clusters import KafkaCluster
from tests.chaos.verdict import wait_until_settled
from tests.parts.kafka import KafkaServer

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]

Make = Callable[..., Arena]
Conclude = Callable[..., None]


def test_stopped_for_a_minute(make_arena: Make, conclude: Conclude, own_kafka: KafkaServer) -> None:
    """Windows go on moving; what producers kept back comes when the broker is there again."""
    arena = make_arena(brokers=own_kafka.bootstrap).begin(workers=2)
    arena.run_for(4)
    arena.fault("broker kill -9, back after 60 s")
    own_kafka.kill()
    arena.run_for(60)
    own_kafka.start()
    arena.run_for(5)
    conclude(arena, "broker away for a minute")


def test_one_of_three_lost(make_arena: Make, conclude: Conclude, tmp_path: Path) -> None:
    with KafkaCluster(tmp_path) as cluster:
        arena = make_arena(partitions=6, brokers=cluster.bootstrap, replication=3).begin(workers=2)
        arena.run_for(4)
        arena.fault("one of three brokers kill -9, for good")
        cluster.nodes[1].kill()
        arena.run_for(20)
        conclude(arena, "one of three brokers lost")


def test_recreated(make_arena: Make, conclude: Conclude) -> None:
    """The old log's state is set aside, and nothing of it is mixed into the new one's."""
    arena = make_arena().begin(workers=2)
    arena.run_for(4)
    arena.feed.pause()
    arena.fault("topic deleted and created again")
    before = arena.state.source()
    arena.topic.recreate()
    arena.feed.resume()
    arena.wait_for_another_log(before)
    arena.run_for(4)
    conclude(arena, "topic recreated")


def test_recreated_where_topics_have_no_ids(make_arena: Make, conclude: Conclude) -> None:
    """As on brokers that tell logs apart by their name only: then it is the offsets that give it away."""
    arena = make_arena(tweaks=[NO_TOPIC_IDS]).begin(workers=2)
    arena.run_for(4)
    arena.feed.pause()
    arena.fault("topic deleted and created again, on a broker without topic ids")
    before = arena.state.source()
    arena.topic.recreate()
    arena.feed.resume()
    arena.wait_for_another_log(before)
    arena.run_for(4)
    assert "is set aside" in arena.logs()
    conclude(arena, "topic without id recreated")


NO_TOPIC_IDS = "import swapstats.adapters.kafka.swap_source as source; source.topic_id = lambda *_: ''"


@pytest.mark.parametrize("paused", [False, True], ids=["stopped", "paused"])
def test_aged_out(make_arena: Make, conclude: Conclude, paused: bool) -> None:
    """Records went before any worker read them: what is left is counted right, and readers are told what is missing."""
    arena = make_arena(partitions=3).begin()
    arena.start_web()
    arena.run_for(4)
    arena.feed.pause()
    wait_until_settled(arena.state, arena.topic.ends())
    worker = arena.workers[0]
    arena.fault(f"worker {'paused' if paused else 'stopped'}, 900 unread records aged out")
    worker.pause() if paused else arena.stop_worker(arena.workers.pop())
    saved = arena.topic.ends()
    arena.feed.resume()
    arena.wait_for_records(900)
    gone = {number: end - 20 for number, end in arena.topic.ends().items() if end - 20 > saved[number]}
    assert gone
    lost = [record for record in arena.topic.read() if saved[record.partition] <= record.offset]
    lost = [record for record in lost if record.offset < gone.get(record.partition, 0)]
    kept = [record for record in arena.topic.read() if record.offset < saved[record.partition]]
    arena.topic.let_go_before(gone)
    worker.resume() if paused else arena.start_worker()
    arena.run_for(8)
    conclude(arena, f"offsets aged out while {'paused' if paused else 'stopped'}", kept=kept, lost=len(lost))
    assert all("complete_since" in body for body in arena.http_stats(arena.web_ports[0]).values())
