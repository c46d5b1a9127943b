"""The doctor, with real parts in which something is wrong."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import redis
from clickhouse_driver import Client
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from settings.config import Config
from settings.config.values import PROJECT_DIR
from swapstats import bootstrap
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.system.listener import free_port
from swapstats.doctor import broker, configuration, keys, machine
from swapstats.doctor import clickhouse as clickhouse_doctor
from swapstats.doctor import redis as redis_doctor
from swapstats.doctor.examination import Circumstances, examine
from swapstats.doctor.finding import Finding, Level
from tests.chaos.clusters import KafkaCluster
from tests.parts.topics import Broker

RATE = 1_000


def troubles(findings: Iterable[Finding]) -> dict[str, Finding]:
    """What is not as it should be, by code; each says what to do."""
    found = {finding.code: finding for finding in findings if finding.level is not Level.OK}
    assert all(finding.remedy for finding in found.values())
    return found


def nowhere() -> int:
    return free_port()


class TestConfiguration:
    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"security": {"jwt": {"secret": "guess me"}}}, "configuration.weak_secret"),
            ({"alerts": {"telegram": {"bot_token": "1:x"}}}, "configuration.half_telegram"),
            ({"metrics": {"pprof": "0.0.0.0:6060"}}, "configuration.open_profiler"),
            ({"app": {"max_skew": "48h"}}, "configuration.skew"),
        ],
    )
    def test_what_is_valid_and_yet_a_mistake_is_found(self, wrong, code):
        assert list(troubles(configuration.examine(Config(**wrong), is_production=False))) == [code]

    def test_what_only_production_needs_is_found_there(self):
        config = Config(security={"jwt": {"enabled": False}})
        found = troubles(configuration.examine(config, is_production=True))
        assert list(found) == ["configuration.open", "configuration.no_proxies"]

    def test_the_defaults_are_in_order(self):
        assert not troubles(configuration.examine(Config(), is_production=False))


def key_pair(directory: Path, name: str) -> tuple[Path, Path]:
    """Its public and its private file."""
    key = generate_private_key(65537, 2048)
    public, private = directory / f"{name}.pub", directory / f"{name}.pem"
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return public, private


class TestKeys:
    def examine(self, **jwt: object) -> list[str]:
        return list(troubles(keys.examine(Config(security={"jwt": {"alg": "RS256", **jwt}}))))

    def test_a_pair_is_in_order(self, tmp_path):
        public, private = key_pair(tmp_path, "one")
        assert self.examine(public_key_file=public, private_key_file=private) == []

    def test_a_file_that_is_no_key_is_found(self, tmp_path):
        public, private = key_pair(tmp_path, "one")
        assert self.examine(public_key_file=private) == ["keys.unreadable"]
        assert self.examine(public_key_file=public, private_key_file=public) == ["keys.unreadable"]

    def test_keys_that_do_not_belong_together_are_found(self, tmp_path):
        public, _ = key_pair(tmp_path, "one")
        _, stranger = key_pair(tmp_path, "two")
        assert self.examine(public_key_file=public, private_key_file=stranger) == ["keys.strangers"]

    def test_a_key_set_that_does_not_answer_is_found(self):
        assert self.examine(jwks_url=f"http://127.0.0.1:{nowhere()}/jwks.json") == ["keys.no_set"]


class TestMachine:
    def test_a_port_that_is_taken_is_found(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            config = Config(api={"http": {"addr": f"127.0.0.1:{port}"}}, metrics={"prometheus": None, "pprof": None})
            assert list(troubles(machine.examine(config))) == ["machine.port.api.http.addr"]

    def test_an_address_of_another_machine_is_found(self):
        config = Config(api={"http": {"addr": "192.0.2.1:8080"}}, metrics={"prometheus": None, "pprof": None})
        assert troubles(machine.examine(config))["machine.port.api.http.addr"].level is Level.ERROR

    def test_fewer_open_files_than_clients_are_found(self):
        assert "machine.open_files" in troubles(machine.examine(Config(api={"ws": {"max_conn": 10**9}})))


@pytest.fixture
def config(own_redis: RedisServer) -> Config:
    """Good for everything that Redis is asked for."""
    return Config(stores={"redis": {"url": own_redis.url(2)}}, pubsub={"channel_layer": {"url": own_redis.url(3)}})


@pytest.fixture
def plant(own_redis: RedisServer) -> Iterator[Callable[..., object]]:
    with redis.Redis.from_url(own_redis.url()) as client:
        yield client.execute_command


class TestRedis:
    def examine(self, config: Config, rate: int = RATE, clock: Callable[[], float] = time.time) -> dict[str, Finding]:
        return troubles(redis_doctor.examine(config, rate, clock))

    @pytest.mark.parametrize(
        ("command", "code"),
        [
            ("CONFIG SET appendonly no", "redis.no_aof"),
            ("CONFIG SET appendfsync no", "redis.no_fsync"),
            ("CONFIG SET maxmemory-policy allkeys-lru", "redis.eviction"),
            ("CONFIG SET maxmemory 500mb", "redis.memory"),
            ("CONFIG SET hash-max-listpack-entries 32", "redis.listpack"),
            ("CONFIG SET hash-max-listpack-value 16", "redis.listpack"),
            ("REPLICAOF 127.0.0.1 1", "redis.replica"),
        ],
    )
    def test_a_server_that_would_lose_or_outgrow_is_found(self, config, plant, command, code):
        plant("CONFIG", "SET", "maxmemory", "100gb")
        assert self.examine(config) == {}
        plant(*command.split())
        assert list(self.examine(config)) == [code]

    def test_memory_is_measured_against_the_rate_and_the_time_remembered(self, config, plant):
        plant("CONFIG", "SET", "maxmemory", "500mb")
        assert self.examine(config, rate=100) == {}
        assert list(self.examine(config, rate=1_000)) == ["redis.memory"]

    def test_no_limit_at_all_is_found(self, config):
        assert self.examine(config, rate=10)["redis.no_limit"].level is Level.WARNING

    def test_a_clock_that_is_off_is_found(self, config, plant):
        plant("CONFIG", "SET", "maxmemory", "100gb")
        assert self.examine(config, clock=lambda: time.time() + 5)["redis.clock"].level is Level.WARNING
        assert self.examine(config, clock=lambda: time.time() - 120)["redis.clock"].level is Level.ERROR

    def test_a_server_that_is_not_there_is_found(self, config):
        away = Config(stores={"redis": {"url": f"redis://127.0.0.1:{nowhere()}"}})
        assert list(self.examine(away)) == ["redis.unreachable.stores.redis"]
        away = Config(stores=config.stores, pubsub={"channel_layer": {"url": f"redis://127.0.0.1:{nowhere()}"}})
        assert "redis.unreachable.pubsub.channel_layer" in self.examine(away)


class TestBroker:
    def test_a_broker_that_is_not_there_is_found(self, monkeypatch):
        monkeypatch.setattr(broker, "SECONDS", 1.0)
        config = Config(ingest={"brokers": [f"127.0.0.1:{nowhere()}"]})
        assert list(troubles(broker.examine(config))) == ["broker.unreachable"]

    def test_the_embedded_broker_is_in_order(self, mock_broker):
        assert not troubles(broker.examine(Config(ingest={"brokers": [mock_broker.bootstrap]})))

    @pytest.mark.kafka
    def test_topics_that_are_missing_are_found(self, kafka):
        config = Config(ingest={"brokers": [kafka.bootstrap], "topic": "never-made"})
        assert list(troubles(broker.examine(config))) == ["broker.no_topic"]

    @pytest.mark.kafka
    def test_a_topic_that_would_lose_swaps_is_found(self, kafka: Broker):
        topic = kafka.new_topic(partitions=2)
        config = Config(ingest={"brokers": [kafka.bootstrap], "topic": topic, "topic_cfg": {"partitions": 2}})
        bootstrap.topic_admin(config).create_or_update(lambda _: None)
        assert not troubles(broker.examine(config))
        _alter(kafka, topic, {"cleanup.policy": "compact", "retention.ms": "3600000"})
        assert list(troubles(broker.examine(config))) == ["broker.retention", "broker.compacted"]

    @pytest.mark.kafka
    def test_a_topic_of_another_shape_is_found(self, kafka: Broker):
        config = Config(ingest={"brokers": [kafka.bootstrap], "topic": kafka.new_topic(partitions=2)})
        assert {"broker.partitions", "broker.no_topic"} <= troubles(broker.examine(config)).keys()

    @pytest.mark.kafka
    @pytest.mark.slow
    def test_one_replica_where_there_are_several_brokers_is_found(self, tmp_path):
        with KafkaCluster(tmp_path) as cluster:
            topic = Broker(cluster.bootstrap).new_topic(partitions=2)
            config = Config(ingest={"brokers": cluster.bootstrap.split(","), "topic": topic})
            assert "broker.replication" in troubles(broker.examine(config))


def _alter(kafka: Broker, topic: str, settings: dict[str, str]) -> None:
    entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in settings.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.incremental_alter_configs([resource])[resource].result(10)


class TestClickHouse:
    def test_a_server_that_is_not_there_is_found(self):
        config = Config(stores={"clickhouse": {"dsn": f"clickhouse://127.0.0.1:{nowhere()}/swaps"}})
        assert list(troubles(clickhouse_doctor.examine(config))) == ["clickhouse.unreachable"]

    @pytest.mark.clickhouse
    def test_tables_that_are_missing_are_found_and_then_made(self, clickhouse):
        config = Config(stores={"clickhouse": {"dsn": clickhouse, "storage_policy": ""}})
        assert "clickhouse.no_database" in troubles(clickhouse_doctor.examine(config))
        with bootstrap.archive_schema(config) as schema:
            schema.migrate()
        assert not {"clickhouse.no_database", "clickhouse.behind"} & troubles(clickhouse_doctor.examine(config)).keys()

    @pytest.mark.clickhouse
    def test_tables_of_another_version_are_found(self, clickhouse):
        config = Config(stores={"clickhouse": {"dsn": clickhouse, "storage_policy": ""}})
        with bootstrap.archive_schema(config) as schema:
            schema.migrate()
        with Client.from_url(clickhouse) as client:
            client.execute("INSERT INTO schema_migrations (version, name, checksum) VALUES", [(2, "candles", "other")])
            assert list(troubles(clickhouse_doctor.examine(config))) == ["clickhouse.changed"]
            client.execute("TRUNCATE TABLE schema_migrations")
        assert list(troubles(clickhouse_doctor.examine(config))) == ["clickhouse.behind"]

    @pytest.mark.clickhouse
    def test_a_storage_policy_that_the_server_lacks_is_found(self, clickhouse):
        config = Config(stores={"clickhouse": {"dsn": clickhouse, "storage_policy": "hot_to_nowhere"}})
        assert "clickhouse.policy" in troubles(clickhouse_doctor.examine(config))


def test_one_part_that_is_away_does_not_hide_the_others(monkeypatch):
    monkeypatch.setattr(broker, "SECONDS", 1.0)
    config = Config(
        ingest={"brokers": [f"127.0.0.1:{nowhere()}"]},
        stores={
            "redis": {"url": f"redis://127.0.0.1:{nowhere()}"},
            "clickhouse": {"dsn": f"clickhouse://127.0.0.1:{nowhere()}/swaps"},
        },
    )
    assert {finding.part for finding in examine(config, Circumstances()) if finding.level is Level.ERROR} >= {
        "broker",
        "redis",
        "clickhouse",
    }


def test_the_command_says_what_to_do_and_ends_with_an_error(own_redis):
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "settings.test",
        "SWAPSTATS_INGEST__BROKERS": json.dumps([f"127.0.0.1:{nowhere()}"]),
        "SWAPSTATS_STORES__REDIS__URL": own_redis.url(2),
        "SWAPSTATS_PUBSUB__CHANNEL_LAYER__URL": own_redis.url(3),
        "SWAPSTATS_STORES__CLICKHOUSE__DSN": f"clickhouse://127.0.0.1:{nowhere()}/swaps",
    }
    command = [sys.executable, "manage.py", "doctor", "--json"]
    done = subprocess.run(command, cwd=PROJECT_DIR, env=environment, capture_output=True, text=True, check=False)
    found = {finding["code"]: finding for finding in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert found["redis.aof"]["level"] == "ok"
    assert found["broker.unreachable"]["remedy"].startswith("check ingest.brokers")
