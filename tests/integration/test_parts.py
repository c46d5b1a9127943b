"""The parts themselves: real ones come up, break and come back as the other tests rely on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from confluent_kafka import Consumer, Producer

from swapstats.adapters.embedded.kafka_broker import KafkaBroker
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.domain.errors import PartError
from tests.parts.kafka import KafkaServer
from tests.parts.topics import Broker

PROJECT = Path(__file__).resolve().parents[2]


def wait_for(check: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class TestRedis:
    pytestmark = pytest.mark.redis

    def test_keeps_acknowledged_writes_through_a_kill(self, own_redis: RedisServer) -> None:
        client = redis.Redis.from_url(own_redis.url(2))
        client.set("volume", "12.5")
        own_redis.kill()
        with pytest.raises(redis.ConnectionError):
            client.get("volume")
        own_redis.start()
        assert client.get("volume") == b"12.5"

    def test_packs_small_hashes_as_the_ledger_expects(self, redis_url: str) -> None:
        client = redis.Redis.from_url(redis_url)
        client.hset("ledger", mapping={f"{entry:016}": 64 * "x" for entry in range(256)})
        assert client.object("encoding", "ledger") == b"listpack"

    def test_starts_empty_for_each_test(self, redis_url: str, redis_server: RedisServer) -> None:
        assert redis.Redis.from_url(redis_url).dbsize() == 0
        assert redis.Redis.from_url(redis_server.url(3)).dbsize() == 0

    def test_never_mistakes_another_server_for_its_own(self, redis_server: RedisServer, tmp_path: Path) -> None:
        with pytest.raises(PartError, match="Address already in use"):
            RedisServer(tmp_path, port=redis_server.port).start()

    def test_does_not_share_its_directory(self, own_redis: RedisServer) -> None:
        other = RedisServer(own_redis.directory)
        with pytest.raises(PartError, match="another Redis is working on"):
            other.start()
        own_redis.kill()
        other.start()
        other.stop()


class TestBrokers:
    def test_carries_records_of_any_broker(self, broker: Broker) -> None:
        topic = broker.new_topic()
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        for number in range(100):
            producer.produce(topic, str(number), key=str(number))
        assert producer.flush(20) == 0
        assert _values(broker.bootstrap, topic, 100) == {str(number).encode() for number in range(100)}

    def test_embedded_topics_have_the_partitions_asked_for(self) -> None:
        with KafkaBroker({"raw-swaps": 12, "raw-swaps.dlq": 1}) as broker:
            topics = Producer({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=10).topics
        assert {name: len(topic.partitions) for name, topic in topics.items()} == {
            "raw-swaps": 12,
            "raw-swaps.dlq": 1,
        }

    def test_embedded_broker_ends_with_whoever_started_it(self, tmp_path: Path) -> None:
        script = (
            "import subprocess, sys, time\n"
            "command = [sys.executable, '-m', 'swapstats.adapters.embedded.kafka_broker']\n"
            "child = subprocess.Popen(command, stdout=subprocess.PIPE)\n"
            "child.stdout.readline(); print(child.pid, flush=True); time.sleep(600)\n"
        )
        parent = subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        broker_pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        wait_for(lambda: not is_running(broker_pid))


@pytest.mark.kafka
class TestKafka:
    def test_keeps_records_through_a_kill(self, own_kafka: KafkaServer) -> None:
        broker = Broker(own_kafka.bootstrap)
        topic = broker.new_topic(partitions=3)
        producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all"})
        producer.produce(topic, "before")
        assert producer.flush(20) == 0
        own_kafka.kill()
        own_kafka.start()
        producer.produce(topic, "after")
        assert producer.flush(60) == 0
        assert _values(broker.bootstrap, topic, 2) == {b"before", b"after"}

    def test_does_not_invent_topics(self, kafka: Broker) -> None:
        topics = Producer({"bootstrap.servers": kafka.bootstrap}).list_topics("never-made", timeout=20).topics
        assert not topics["never-made"].partitions


class TestChildProcess:
    def test_tells_how_it_died_and_its_last_words(self) -> None:
        child = ChildProcess("feed", [sys.executable, "-c", "print('no broker'); raise SystemExit(3)"])
        with pytest.raises(PartError, match="feed ended with exit code 3; its last lines:\n    no broker"):
            child.wait_until(lambda: False, 20, "become ready")

    def test_says_what_it_waited_for_in_vain(self) -> None:
        with (
            ChildProcess("feed", ["sleep", "600"]) as child,
            pytest.raises(PartError, match=r"feed did not become ready within 0\.1 s"),
        ):
            child.wait_until(lambda: False, 0.1, "become ready")

    def test_cannot_start_what_is_not_there(self) -> None:
        with pytest.raises(PartError, match="feed could not be started"):
            ChildProcess("feed", ["no-such-command"])

    def test_kills_what_will_not_stop(self) -> None:
        stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); "
        child = ChildProcess("feed", [sys.executable, "-c", stubborn + "signal.pause()"])
        child.wait_until(lambda: child.last_lines == ["up"], 20, "ignore SIGTERM")
        child.stop(seconds=0.2)
        assert child.exit_code == -signal.SIGKILL

    @pytest.mark.parametrize("ending", ["os.kill(os.getpid(), 9)", "sys.exit()"])
    def test_ends_with_its_owner(self, ending: str) -> None:
        """The owner is killed, or forgets to stop it; the child is paused, so it could not even ask."""
        script = (
            "import os, sys\n"
            "from swapstats.adapters.system.child_process import ChildProcess\n"
            "child = ChildProcess('child', ['sleep', '600']); child.pause()\n"
            f"print(child.pid, flush=True); {ending}\n"
        )
        owner = subprocess.run(
            [sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False
        )
        wait_for(lambda: not is_running(int(owner.stdout)))


def _values(bootstrap: str, topic: str, count: int) -> set[bytes]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"test-{os.getpid()}-{topic}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    values: set[bytes] = set()
    deadline = time.monotonic() + 60
    while len(values) < count and time.monotonic() < deadline:
        values.update(message.value() for message in consumer.consume(count, 0.1))
    consumer.close()
    return values
