"""A whole system on real parts, to be measured: Kafka, Redis, and commands of ours as processes."""

import os
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from settings.config.load import variable
from settings.config.values import PROJECT_DIR
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.listener import free_port
from tests.parts.kafka import KafkaServer
from tests.parts.topics import Broker

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class System:
    """Addresses of the running parts, and how to start more."""

    redis: RedisServer
    kafka: KafkaServer
    topic: str
    environment: dict[str, str]

    def command(self, *words: str, **settings: str) -> ChildProcess:
        """`manage.py` with these words; `settings` name keys with two underscores between levels."""
        changed = {variable(key.replace("__", ".")): value for key, value in settings.items()}
        words = (sys.executable, str(PROJECT_DIR / "manage.py"), *words)
        return ChildProcess(words[2], words, env=self.environment | changed, cwd=PROJECT_DIR)


@contextmanager
def running_system(directory: Path, partitions: int, start: str = "earliest") -> Iterator[System]:
    with KafkaServer(directory / "kafka") as kafka, RedisServer(directory / "redis") as redis:
        topic = Broker(kafka.bootstrap).new_topic(partitions=partitions)
        _create(kafka.bootstrap, f"{topic}.dlq", partitions)
        settings = {
            "ingest.brokers": f'["{kafka.bootstrap}"]',
            "ingest.topic": topic,
            "ingest.start": start,
            "stores.redis.url": redis.url(),
            "pubsub.channel_layer.url": redis.url(1),
            "embedded.data_dir": str(directory),
            "security.jwt.enabled": "false",
            "metrics.pprof": "null",
            "metrics.prometheus": f"127.0.0.1:{free_port()}",
        }
        environment = os.environ | {variable(key): value for key, value in settings.items()}
        environment["DJANGO_SETTINGS_MODULE"] = "settings.dev"
        yield System(redis, kafka, topic, environment)


def _create(brokers: str, topic: str, partitions: int) -> None:
    """With a client that goes again: one that stayed would complain when the broker ends before it."""
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)


def scrape(port: int) -> dict[str, float]:
    """The metrics of a process, by name with labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def memory_bytes(pid: int) -> int:
    """What of a process is in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
