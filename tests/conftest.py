"""The parts that tests run against: real ones, started once a session and given out fresh to each test.

A part that this machine lacks skips the test, with the reason and the remedy; with CI=true it fails instead.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings

from swapstats.adapters.embedded.kafka_broker import KafkaBroker
from swapstats.adapters.embedded.redis_server import RedisServer, find_binary
from swapstats.domain.errors import PartError
from tests.parts.kafka import KafkaServer, java_command
from tests.parts.missing import PartMissing, skip_or_fail
from tests.parts.shared_kafka import shared_bootstrap
from tests.parts.topics import Broker

pytest_plugins = ["tests.parts.clickhouse", "tests.parts.s3"]

settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("thorough", max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("quick")  # the other: --hypothesis-profile=thorough --timeout=0

PROJECT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The worker's Redis, shared by its tests. To break one, ask for `own_redis`."""
    _need_redis()
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Database 0 of an empty Redis; `redis_server.url(n)` names the others, which are empty too."""
    with redis.Redis.from_url(redis_server.url()) as client:
        client.flushall()
    return redis_server.url()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for this test alone, to stop, kill, pause and restart; every acknowledged write is on disk."""
    _need_redis()
    with RedisServer(tmp_path / "redis", fsync="always") as server:
        yield server


def _need_redis() -> None:
    try:
        find_binary()
    except PartError as error:
        skip_or_fail(str(error))


@pytest.fixture(scope="session")
def _mock_cluster() -> Iterator[KafkaBroker]:
    with KafkaBroker() as broker:
        yield broker


@pytest.fixture
def mock_broker(_mock_cluster: KafkaBroker) -> Broker:
    """The embedded broker, in a process of its own."""
    return Broker(_mock_cluster.bootstrap, is_mock=True)


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a real Kafka: SWAPSTATS_TEST_BROKERS, or one node shared by the whole session."""
    if named := os.environ.get("SWAPSTATS_TEST_BROKERS"):
        return named
    _need_kafka()
    root, owner = tmp_path_factory.getbasetemp(), os.getpid()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root, owner = root.parent, os.getppid()
    return shared_bootstrap(root, owner)


@pytest.fixture
def kafka(kafka_bootstrap: str) -> Iterator[Broker]:
    """A real Kafka; topics made through `kafka.new_topic()` are deleted after the test."""
    broker = Broker(kafka_bootstrap)
    yield broker
    broker.delete_topics()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    """A Kafka for this test alone, to stop, kill, pause and restart."""
    _need_kafka()
    with KafkaServer(tmp_path / "kafka") as server:
        yield server


def _need_kafka() -> None:
    try:
        java_command("kafka.Kafka")
    except PartMissing as error:
        skip_or_fail(str(error))


@pytest.fixture(params=["mock", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Both brokers in turn: a test that takes this runs on the embedded and on the real one."""
    chosen: Broker = request.getfixturevalue("mock_broker" if request.param == "mock" else "kafka")
    return chosen


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory of recorded swaps and their expected totals."""
    directory = Path(os.environ.get("SWAPSTATS_TEST_DATA") or PROJECT.parent / "shared" / "data")
    if not directory.is_dir():
        skip_or_fail("no recorded swaps: name their directory in SWAPSTATS_TEST_DATA")
    return directory


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser that this machine has installed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return found or skip_or_fail(f"no browser: install one of {', '.join(BROWSERS)}")
