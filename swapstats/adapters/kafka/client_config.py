"""Settings of librdkafka clients, from the configuration's `ingest`.

Names and meanings are librdkafka's own (its CONFIGURATION.md). `ingest.client` adds to them and overrides our
choices, but not those that correctness rests on.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from confluent_kafka import KafkaException

from settings.config import BrokerSecurity, Ingest
from swapstats.domain.errors import ConfigError

Client = TypeVar("Client")

REPEAT_SECONDS = 30.0


class OnceInAWhile(logging.Filter):
    """Lets a line of librdkafka's pass unless one of its kind just did: a broker that is away is worth one line per
    `REPEAT_SECONDS`, not one per attempt. A kind is a facility of a client (`FAIL [swapstats#consumer-1]`)."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.getMessage().partition("] [")[0]
        if record.created - self._last.get(kind, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        if len(self._last) > 100:
            self._last.clear()
        self._last[kind] = record.created
        return True


_LIBRARY_LOG = logging.getLogger("swapstats.librdkafka")
_LIBRARY_LOG.addFilter(OnceInAWhile())

_ALL = {
    "client.id": "swapstats",
    "socket.keepalive.enable": True,
    # A broker that comes back, and partitions that were added, are noticed sooner than in librdkafka's
    # 10 seconds and 5 minutes.
    "reconnect.backoff.max.ms": 2_000,
    "topic.metadata.refresh.interval.ms": 30_000,
}

_CONSUMER = {
    # How long the broker holds back an answer to gather more: 500 by default, paid as latency when little goes on.
    "fetch.wait.max.ms": 20,
    "max.poll.interval.ms": 120_000,
    # What may wait in the process: enough for full speed, and the bound of its memory.
    "queued.min.messages": 50_000,
    "queued.max.messages.kbytes": 32_768,
}

# A member that died is noticed after the session's time-out; 6 s is the least that brokers allow by default. All others
# learn of a rebalance with their next heartbeat, so a handover takes as long as one or two of them.
_CLASSIC_GROUP = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 500}

_CONSUMER_FIXED = {
    # Offsets are ours, from the checkpoint: a silent jump would lose or repeat swaps.
    "auto.offset.reset": "error",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": False,
}

_PRODUCER_FIXED = {"acks": "all", "enable.idempotence": True}


def client_settings(ingest: Ingest) -> dict[str, Any]:
    """For clients that only ask or administer."""
    return _merge(_ALL, ingest, {})


def consumer_settings(ingest: Ingest) -> dict[str, Any]:
    """For a member of the group `ingest.group_id`, with incremental rebalances under either group protocol."""
    fixed = {"group.id": ingest.group_id, **_CONSUMER_FIXED}
    if ingest.client.get("group.protocol") == "consumer":
        return _merge(_ALL | _CONSUMER, ingest, fixed)
    fixed["partition.assignment.strategy"] = "cooperative-sticky"
    return _merge(_ALL | _CONSUMER | _CLASSIC_GROUP, ingest, fixed)


def producer_settings(ingest: Ingest) -> dict[str, Any]:
    """For a producer whose every record is acknowledged by all replicas in sync, once and in order."""
    return _merge(_ALL, ingest, _PRODUCER_FIXED)


def _merge(ours: Mapping[str, Any], ingest: Ingest, fixed: Mapping[str, Any]) -> dict[str, Any]:
    fixed = {"bootstrap.servers": ",".join(ingest.brokers), **_security(ingest.security), **fixed}
    if taken := sorted(fixed.keys() & ingest.client.keys()):
        raise ConfigError(f"ingest.client: {taken[0]} is set by swapstats itself; expected other settings")
    return {**ours, **ingest.client, **fixed}


def _security(security: BrokerSecurity) -> dict[str, Any]:
    settings = {
        "security.protocol": security.protocol,
        "sasl.mechanism": security.mechanism,
        "sasl.username": security.username,
        "sasl.password": security.password and security.password.get_secret_value(),
        "ssl.ca.location": security.ca_file and str(security.ca_file),
        "ssl.certificate.location": security.certificate_file and str(security.certificate_file),
        "ssl.key.location": security.key_file and str(security.key_file),
        "ssl.key.password": security.key_password and security.key_password.get_secret_value(),
    }
    return {name: value for name, value in settings.items() if value is not None}


def new_client(kind: Callable[..., Client], settings: Mapping[str, Any], **callbacks: Any) -> Client:
    """A client that logs through `logging`. ConfigError where librdkafka refuses a setting."""
    try:
        return kind({**settings, **callbacks}, logger=_LIBRARY_LOG)
    except KafkaException as error:
        raise ConfigError(f"ingest.client, ingest.security: {error.args[0].str()}") from error
