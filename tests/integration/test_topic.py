"""`manage.py topic` and the shell script against a real Kafka: created, changed, refused."""

import os
import subprocess
import uuid
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from settings.config import Ingest
from swapstats.adapters.kafka.topic_admin import TopicAdmin
from swapstats.domain.errors import SourceUnavailable, TopicRefused
from tests.parts.kafka import java_command
from tests.parts.topics import Broker

pytestmark = pytest.mark.kafka
SCRIPT = Path(__file__).resolve().parents[2] / "docker" / "kafka" / "create_or_update_topic.sh"


def ingest(broker: Broker, topic: str, **topic_cfg: object) -> Ingest:
    return Ingest(brokers=(broker.bootstrap,), topic=topic, topic_cfg=topic_cfg)


def apply(settings: Ingest) -> list[str]:
    said: list[str] = []
    TopicAdmin(settings).create_or_update(said.append)
    return said


def state(broker: Broker, topic: str) -> tuple[int, dict[str, str]]:
    """Partitions and settings, asked by a client of its own."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    resource = ConfigResource(ResourceType.TOPIC, topic)
    entries = admin.describe_configs([resource])[resource].result(30)
    return len(admin.list_topics(topic, timeout=30).topics[topic].partitions), {k: e.value for k, e in entries.items()}


@pytest.fixture
def name() -> str:
    return f"made-{uuid.uuid4().hex[:8]}"


def test_creates_both_topics(kafka: Broker, name: str) -> None:
    said = apply(ingest(kafka, name, partitions=3, retention_ms=7_200_000, segment_ms=600_000))
    assert len(said) == 2
    assert "created with 3 partitions" in said[0]
    partitions, settings = state(kafka, name)
    assert partitions == 3
    assert (settings["retention.ms"], settings["segment.ms"]) == ("7200000", "600000")
    dead_partitions, dead_settings = state(kafka, f"{name}.dlq")
    assert dead_partitions == 3
    assert int(dead_settings["max.message.bytes"]) > int(settings["max.message.bytes"])


def test_a_second_run_changes_nothing(kafka: Broker, name: str) -> None:
    apply(ingest(kafka, name, partitions=2))
    assert all(said.endswith("as it should be") for said in apply(ingest(kafka, name, partitions=2)))


def test_raises_partitions_and_tells_what_changed(kafka: Broker, name: str) -> None:
    apply(ingest(kafka, name, partitions=2, cleanup_policy="delete"))
    said = apply(ingest(kafka, name, partitions=5, cleanup_policy="compact,delete", retention_ms=-1))
    assert "partitions 2 → 5" in said[0]
    assert "cleanup.policy delete → compact,delete" in said[0]
    assert "retention.ms 604800000 → -1" in said[0]
    partitions, settings = state(kafka, name)
    assert partitions == 5
    assert set(settings["cleanup.policy"].split(",")) == {"compact", "delete"}


def test_refuses_fewer_partitions_before_changing_anything(kafka: Broker, name: str) -> None:
    apply(ingest(kafka, name, partitions=4))
    with pytest.raises(TopicRefused, match="has 4 partitions, and Kafka cannot lower them to 2"):
        apply(ingest(kafka, name, partitions=2, retention_ms=1))
    assert state(kafka, name)[1]["retention.ms"] == "604800000"


def test_refuses_another_replication_factor(kafka: Broker, name: str) -> None:
    apply(ingest(kafka, name, partitions=1))
    with pytest.raises(TopicRefused, match="replication factor 1, which cannot be changed to 3"):
        apply(ingest(kafka, name, partitions=1, replication=3))


def test_says_so_where_the_broker_makes_topics_by_itself(mock_broker: Broker, name: str) -> None:
    assert "by itself" in apply(ingest(mock_broker, name))[0]


def test_without_a_broker_it_says_so() -> None:
    with pytest.raises(SourceUnavailable, match="no broker answers"):
        apply(Ingest(brokers=("127.0.0.1:1",), client={"socket.connection.setup.timeout.ms": 1000}))


@pytest.fixture
def kafka_tools(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH has Kafka's own command line tools, as its distribution names them."""
    for tool, main in (("kafka-topics", "TopicCommand"), ("kafka-configs", "ConfigCommand")):
        package = "org.apache.kafka.tools" if main == "TopicCommand" else "kafka.admin"
        command = " ".join(f"'{word}'" for word in java_command(f"{package}.{main}"))
        (tmp_path / f"{tool}.sh").write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (tmp_path / f"{tool}.sh").chmod(0o755)
    return os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def run_script(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), *words], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_script_creates_raises_and_refuses(kafka: Broker, name: str, kafka_tools: dict[str, str]) -> None:
    created = run_script(kafka_tools, name, "2", "7200000", "delete", "600000", kafka.bootstrap)
    assert created.returncode == 0, created.stderr
    raised = run_script(kafka_tools, name, "3", "3600000", "compact,delete", "500000", kafka.bootstrap)
    assert raised.returncode == 0, raised.stderr
    partitions, settings = state(kafka, name)
    assert partitions == 3
    assert (settings["retention.ms"], settings["segment.ms"]) == ("3600000", "500000")
    assert set(settings["cleanup.policy"].split(",")) == {"compact", "delete"}
    refused = run_script(kafka_tools, name, "1", "1", "delete", "500000", kafka.bootstrap)
    assert refused.returncode != 0
    assert "cannot lower them to 1" in refused.stderr
    assert state(kafka, name)[1]["retention.ms"] == "3600000"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "usage"),
        (("t", "0", "1", "delete", "1", "b:1"), "PARTITIONS"),
        (("t", "1", "x", "delete", "1", "b:1"), "RETENTION_MS"),
        (("t", "1", "1", "shred", "1", "b:1"), "CLEANUP"),
        (("t/", "1", "1", "delete", "1", "b:1"), "topic name"),
    ],
)
def test_the_script_names_what_is_wrong(words: tuple[str, ...], complaint: str) -> None:
    result = run_script(dict(os.environ), *words)
    assert result.returncode != 0
    assert complaint in result.stderr
