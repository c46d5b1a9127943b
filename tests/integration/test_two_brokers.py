"""One deployment on two brokers that speak the same protocol: only two keys of its file change.

Apache Kafka is the real one. For Redpanda stands librdkafka's own cluster, another implementation of the protocol, in a
process of its own; Redpanda itself is no program that can be had as a package.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from aggregator.feeds.journal import read_journal
from settings.config import RedisStore
from settings.config.values import PROJECT_DIR
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.ports.swap_sink import Sent
from tests.chaos.verdict import State, judge, wait_until_settled
from tests.oracle import Oracle
from tests.parts.topics import MOCK_PARTITIONS, Broker

SECONDS = 60


class Deployment:
    """A configuration file, and the commands that read nothing else."""

    def __init__(self, directory: Path, redis_url: str, topic: str, broker_type: str, brokers: list[str]) -> None:
        self.journal = directory / "feed.jsonl"
        self._store = RedisStore(url=redis_url)
        self._path = directory / "config.yaml"
        ours = {"broker_type": broker_type, "brokers": brokers}
        rest = {"topic": topic, "start": "earliest", "topic_cfg": {"partitions": MOCK_PARTITIONS}}
        self._path.write_text(yaml.safe_dump(_file(directory, redis_url) | {"ingest": ours | rest}))

    @property
    def state(self) -> State:
        return State(lambda: self._store)

    def start(self, *words: str) -> ChildProcess:
        environment = {"PATH": os.environ["PATH"], "SWAPSTATS_CONFIG": str(self._path)}
        command = [sys.executable, "manage.py", *words]
        return ChildProcess(words[0], command, env=environment, cwd=PROJECT_DIR)

    def run(self, *words: str) -> None:
        process = self.start(*words)
        process.wait_until(lambda: not process.is_running, SECONDS, "end")
        assert process.exit_code == 0, process.died()


def _file(directory: Path, redis_url: str) -> dict[str, object]:
    return {
        "stores": {"redis": {"url": redis_url}},
        "pubsub": {"channel_layer": {"url": redis_url}},
        "metrics": {"prometheus": None, "pprof": None},
        "embedded": {"data_dir": str(directory)},
    }


@pytest.fixture(params=["redpanda", pytest.param("kafka", marks=pytest.mark.kafka)])
def deployment(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> Deployment:
    broker: Broker = request.getfixturevalue("kafka" if request.param == "kafka" else "mock_broker")
    topic = broker.new_topic(partitions=MOCK_PARTITIONS)
    return Deployment(tmp_path, redis_url, topic, request.param, [broker.bootstrap])


def test_two_keys_choose_the_broker(deployment: Deployment):
    deployment.run("topic")
    deployment.run("generate", "--rate", "300", "--duration", "3", "--out", str(deployment.journal))
    log = list(_in_order(read_journal(deployment.journal)))
    with deployment.start("consume"):
        wait_until_settled(deployment.state, _ends(log), SECONDS)
    model = Oracle()
    model.records((sent.value, sent.timestamp_ms) for sent in log)
    verdict = judge(deployment.state, model, log, MOCK_PARTITIONS)
    assert verdict.is_exact, verdict
    assert verdict.records >= 900


def _in_order(sent: Iterator[Sent]) -> list[Sent]:
    """A token's records lie in one partition, so its order is that of the offsets."""
    return sorted(sent, key=lambda each: (each.partition, each.offset))


def _ends(log: list[Sent]) -> dict[int, int]:
    counts = Counter(sent.partition for sent in log)
    assert all(sent.offset < counts[sent.partition] for sent in log), "offsets with holes"
    return dict(counts)
