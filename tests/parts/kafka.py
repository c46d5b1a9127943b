"""A real Apache Kafka: one KRaft node from Maven Central's jars, run with the machine's Java.

The jars are fetched once, by Maven, into the user's cache directory.
"""

import fcntl
import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.child_server import ChildServer
from swapstats.adapters.system.listener import free_port
from tests.parts.missing import PartMissing

VERSION = "4.3.1"
LOG4J_VERSION = "2.25.4"  # the one that this Kafka comes with
HOST = "127.0.0.1"
NODE = 1
START_SECONDS = 120
FETCH_SECONDS = 600
REMEDY = "install default-jre-headless and maven, or name a broker in SWAPSTATS_TEST_BROKERS"

JAVA_OPTIONS = [
    "-Xmx512m",
    "-Xms128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dlog4j2.level=WARN",
]

POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>swapstats.tests</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J_VERSION}</version></dependency>
  </dependencies>
</project>
"""


class KafkaServer(ChildServer):
    """One broker over one directory.

    `settings` adds to or replaces lines of its server.properties. A node of a cluster is given the `cluster_id`, its
    own `port`, and the quorum's voters among the settings.
    """

    stop_seconds = 30

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, object] | None = None,
        *,
        port: int = 0,
        cluster_id: str | None = None,
    ) -> None:
        self.directory = directory
        self.port = port or free_port()
        self._cluster_id = cluster_id
        own = _default_settings(directory, self.port, free_port(), alone=cluster_id is None)
        self._settings = {**own, **(settings or {})}

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    def start(self) -> Self:
        """Returns once it answers clients."""
        self.launch()
        return self.wait_until_ready()

    def launch(self) -> None:
        """Returns at once; a node of a cluster is not ready before most others are."""
        if not (self.directory / "data" / "meta.properties").exists():
            self._format()
        self._process = ChildProcess("kafka", java_command("kafka.Kafka", self._properties))

    def wait_until_ready(self) -> Self:
        self.process.wait_until(self._answers, START_SECONDS, "answer clients")
        return self

    @property
    def _properties(self) -> Path:
        return self.directory / "server.properties"

    def _format(self) -> None:
        """Prepares the empty directory, as KRaft demands before the first start."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in self._settings.items()))
        alone = [] if self._cluster_id else ["--standalone"]
        options = ["format", *alone, "-t", self._cluster_id or str(uuid.uuid4()), "-c", self._properties]
        tool = ChildProcess("kafka-storage", java_command("kafka.tools.StorageTool", *options))
        tool.wait_until(lambda: not tool.is_running, START_SECONDS, "format the directory")
        if tool.exit_code:
            raise tool.died()

    def _answers(self) -> bool:
        if not _listens(self.port):
            return False
        try:
            return bool(AdminClient({"bootstrap.servers": self.bootstrap}).list_topics(timeout=5).brokers)
        except KafkaException:
            return False


def _default_settings(directory: Path, port: int, controller_port: int, *, alone: bool) -> dict[str, object]:
    quorum = {"controller.quorum.bootstrap.servers": f"{HOST}:{controller_port}"} if alone else {}
    return quorum | {
        "process.roles": "broker,controller",
        "node.id": NODE,
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": directory / "data",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        # A broker killed -9 may only come back once the controller has given up its former life.
        "broker.session.timeout.ms": 2000,
        "broker.heartbeat.interval.ms": 500,
        # Chaos tests let sessions run out; they should not have to wait long for it.
        "group.min.session.timeout.ms": 1000,
        "group.consumer.min.session.timeout.ms": 1000,
        # Recorded swaps carry old timestamps; retention by time would delete them under the test.
        "log.retention.ms": -1,
    }


def java_command(main_class: str, *arguments: str | Path) -> list[str]:
    """`PartMissing` without Java, or where the jars cannot be had."""
    java = shutil.which("java")
    if java is None:
        raise PartMissing(f"no Java for Apache Kafka: {REMEDY}")
    return [java, *JAVA_OPTIONS, "-cp", f"{fetch_jars()}/*", main_class, *map(str, arguments)]


def fetch_jars() -> Path:
    """The directory with Kafka's jars, fetched first where this machine does not have them yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "swapstats"
    jars = cache / f"kafka-{VERSION}-with-tools"
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / f"kafka-{VERSION}.lock"):
        if not jars.exists():
            _fetch(jars)
    return jars


def _fetch(jars: Path) -> None:
    """Into a directory beside it, renamed when complete, so that half of it is never taken for the whole."""
    maven = shutil.which("mvn")
    if maven is None:
        raise PartMissing(f"no Maven to fetch Apache Kafka with: {REMEDY}")
    partial = jars.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    (partial / "pom.xml").write_text(POM)
    copy = [maven, "-B", "-q", "dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
    result = subprocess.run(copy, cwd=partial, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    if result.returncode:
        raise PartMissing(f"Maven could not fetch Apache Kafka ({result.stdout.strip()[-500:]}): {REMEDY}")
    partial.rename(jars)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the file's lock, against other processes too."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
