"""Parts that come with swapstats: the broker, Redis and the ClickHouse engine."""

import json
from collections.abc import Mapping
from pathlib import Path

from settings.config.load import variable
from swapstats.adapters.embedded.clickhouse.process import ClickHouseServer
from swapstats.adapters.embedded.kafka_broker import KafkaBroker
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.supervisor.part import Environment, OnLine, Part


class Broker(Part):
    """The embedded broker; `topics` maps names to numbers of partitions. Its log ends with it."""

    name = "broker"

    def __init__(self, topics: Mapping[str, int]) -> None:
        self._topics = topics

    def start(self, environment: Environment, on_line: OnLine) -> ChildProcess:
        broker = KafkaBroker(self._topics, on_line=on_line).start()
        environment[variable("ingest.brokers")] = json.dumps([broker.bootstrap])
        return broker.process


class Redis(Part):
    """A real Redis or Valkey; `databases` maps the configuration's keys of addresses to database numbers."""

    name = "redis"

    def __init__(self, directory: Path, databases: Mapping[str, int]) -> None:
        self._directory = directory
        self._databases = databases

    def start(self, environment: Environment, on_line: OnLine) -> ChildProcess:
        server = RedisServer(self._directory, on_line=on_line).start()
        for key, database in self._databases.items():
            environment[variable(key)] = server.url(database)
        return server.process


class ClickHouse(Part):
    """The ClickHouse engine, speaking its native protocol, over one directory."""

    name = "clickhouse"
    stop_seconds = ClickHouseServer.stop_seconds

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def start(self, environment: Environment, on_line: OnLine) -> ChildProcess:
        server = ClickHouseServer(self._directory, on_line=on_line).start()
        environment[variable("stores.clickhouse.dsn")] = server.dsn()
        return server.process
