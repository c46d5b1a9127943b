"""Which parts make up the system that a configuration describes.

One rule: an address that the configuration names is used as it is; a part whose address it does not name is
embedded, on loopback.
"""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from settings.config import Config
from settings.config.load import variable
from settings.config.values import Address
from swapstats.adapters.system.listener import free_port
from swapstats.supervisor.commands import Command, Web
from swapstats.supervisor.embedded import Broker, ClickHouse, Redis
from swapstats.supervisor.part import Environment, Part

LOOPBACK = "127.0.0.1"
REDIS_DATABASES = {"stores.redis.url": 2, "pubsub.channel_layer.url": 3}


@dataclass(frozen=True)
class Plan:
    """What to run, with which environment, and where it will be found."""

    parts: list[Part]
    environment: Environment
    web: Address
    metrics: Address | None


@dataclass(frozen=True)
class Wishes:
    """What was asked for on the command line; None leaves it to the configuration."""

    port: int | None = None
    feed: bool | None = None
    archive: bool = True
    rate: float = 20
    tokens: int = 50


def make_plan(config: Config, wishes: Wishes) -> Plan:
    web, metrics = _web_address(config, wishes.port), _metrics_address(config)
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        variable("api.http.addr"): str(web),
        **_defaults(config),
    }
    return Plan(list(_parts(config, wishes, web, metrics)), environment, web, metrics)


def _parts(config: Config, wishes: Wishes, web: Address, metrics: Address | None) -> Iterator[Part]:
    """Each after what it needs."""
    yield from _embedded(config, wishes)
    yield Command("consume", "consume", settings=_metrics_at(metrics))
    if wishes.archive:
        yield Command("archive", "archive", settings=_metrics_at(_archive_metrics_address(config, metrics)))
    yield Web(web)
    # Swaps that are made up belong into a log of our own, and into somebody's only when told so.
    if wishes.feed or (wishes.feed is None and not is_named(config, "ingest.brokers")):
        yield Command("feed", "generate", *_feed(wishes))


def _embedded(config: Config, wishes: Wishes) -> Iterator[Part]:
    directory, topic = config.embedded.data_dir, config.ingest.topic
    if not is_named(config, "ingest.brokers"):
        yield Broker({topic: config.ingest.topic_cfg.partitions, f"{topic}.dlq": 1})
    if databases := {key: number for key, number in REDIS_DATABASES.items() if not is_named(config, key)}:
        yield Redis(directory / "redis", databases)
    if wishes.archive and not is_named(config, "stores.clickhouse.dsn"):
        yield ClickHouse(directory / "clickhouse")


def _archive_metrics_address(config: Config, worker: Address | None) -> Address | None:
    """On the port after the worker's where that was chosen; on any where it was not, for the next may be taken."""
    if not is_named(config, "metrics.prometheus"):
        return Address(LOOPBACK, free_port())
    return worker and worker._replace(port=worker.port + 1 if worker.port else 0)


def _metrics_at(address: Address | None) -> Environment:
    return {variable("metrics.prometheus"): str(address or "null")}


def _feed(wishes: Wishes) -> list[str]:
    """Each run has a seed of its own: swaps of a former run would be known already."""
    options = {"rate": f"{wishes.rate:g}", "tokens": str(wishes.tokens), "seed": str(secrets.randbits(32))}
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def is_named(config: Config, key: str) -> bool:
    """Whether the file or the environment sets this key, rather than its default."""
    section: object = config
    for name in key.split("."):
        if name not in getattr(section, "model_fields_set", ()):
            return False
        section = getattr(section, name)
    return True


def _web_address(config: Config, port: int | None) -> Address:
    configured = config.api.http.addr
    host = configured.host if is_named(config, "api.http.addr") else LOOPBACK
    return Address(host, configured.port if port is None else port)


def _metrics_address(config: Config) -> Address | None:
    if is_named(config, "metrics.prometheus"):
        return config.metrics.prometheus
    return Address(LOOPBACK, free_port())


def _defaults(config: Config) -> Environment:
    """What is easier for one person on one machine than the defaults, where the configuration is silent."""
    easier = {"security.jwt.enabled": "false", "metrics.pprof": "null"}
    return {variable(key): value for key, value in easier.items() if not is_named(config, key)}
