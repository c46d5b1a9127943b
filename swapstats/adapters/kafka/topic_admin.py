"""Making a topic what the configuration says: created where it is missing, changed where Kafka can."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)
from confluent_kafka.admin._metadata import ClusterMetadata, TopicMetadata

from settings.config import Ingest
from swapstats.adapters.kafka.client_config import client_settings, new_client
from swapstats.adapters.kafka.topic_facts import is_mock
from swapstats.domain.errors import SourceUnavailable, TopicRefused

SECONDS = 30.0
SETTLE_SECONDS = 2.0
DEAD_LETTER_HEADROOM_BYTES = 65_536
"""A dead letter is its record and some headers, so its topic takes larger records than the swaps' does."""

BROKER_DEFAULT_MAX_BYTES = 1_048_588


class TopicAdmin:
    """Creates and updates the topics of swaps and of dead letters. Raises SourceUnavailable without a broker."""

    def __init__(self, ingest: Ingest) -> None:
        self._admin = new_client(AdminClient, client_settings(ingest))
        self._ingest = ingest

    def create_or_update(self, say: Callable[[str], object]) -> None:
        """Bring both topics to `ingest.topic_cfg`, telling each change. Raises TopicRefused, before anything is
        changed, for what Kafka cannot do: fewer partitions, another replication factor."""
        found = self._metadata()
        if is_mock(found.cluster_id or ""):
            say("this is librdkafka's mock cluster, which makes its topics by itself; nothing to do")
            return
        topic = self._ingest.topic_cfg
        name, dead_letters = self._ingest.topic, f"{self._ingest.topic}.dlq"
        for each in (name, dead_letters):
            self._check(found.topics.get(each), each)
        settings = {
            "retention.ms": str(topic.retention_ms),
            "cleanup.policy": topic.cleanup_policy,
            "segment.ms": str(topic.segment_ms),
        }
        self._bring_to(found.topics.get(name), name, settings, say)
        largest = int(self._config(name).get("max.message.bytes") or BROKER_DEFAULT_MAX_BYTES)
        room = {"cleanup.policy": "delete", "max.message.bytes": str(largest + DEAD_LETTER_HEADROOM_BYTES)}
        self._bring_to(found.topics.get(dead_letters), dead_letters, settings | room, say)

    def _metadata(self) -> ClusterMetadata:
        try:
            return self._admin.list_topics(timeout=SECONDS)
        except KafkaException as error:
            raise SourceUnavailable(f"no broker answers: {error.args[0].str()}") from error

    def _check(self, found: TopicMetadata | None, name: str) -> None:
        if found is None:
            return
        wanted, partitions = self._ingest.topic_cfg, len(found.partitions)
        if partitions > wanted.partitions:
            raise TopicRefused(
                f"{name} has {partitions} partitions, and Kafka cannot lower them to {wanted.partitions}; set"
                " ingest.topic_cfg.partitions to at least as many, or make another topic"
            )
        replication = max(len(partition.replicas) for partition in found.partitions.values())
        if replication != wanted.replication:
            raise TopicRefused(
                f"{name} has replication factor {replication}, which cannot be changed to {wanted.replication} here;"
                " set ingest.topic_cfg.replication to what it is, or reassign its partitions with the broker's tools"
            )

    def _bring_to(
        self, found: TopicMetadata | None, name: str, settings: Mapping[str, str], say: Callable[[str], object]
    ) -> None:
        if found is None and self._create(name, settings):
            say(f"{name}: created with {self._ingest.topic_cfg.partitions} partitions, {_listed(settings)}")
            self._await_metadata(name)
            return
        found = found or self._await_metadata(name)
        changes = self._raise_partitions(name, len(found.partitions)) + self._alter(name, settings)
        say(f"{name}: {'; '.join(changes) or 'as it should be'}")

    def _create(self, name: str, settings: Mapping[str, str]) -> bool:
        """False where the topic is there after all: metadata take a moment to tell of a new one."""
        wanted = self._ingest.topic_cfg
        new = NewTopic(name, wanted.partitions, wanted.replication, config=dict(settings))
        future = self._admin.create_topics([new])[name]
        error = future.exception(SECONDS)
        if isinstance(error, KafkaException) and error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        _wait(future, f"creating {name}")
        return True

    def _await_metadata(self, name: str) -> TopicMetadata:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            found = self._metadata().topics.get(name)
            if found is not None and found.partitions:
                self._check(found, name)
                return found
            time.sleep(0.1)
        raise SourceUnavailable(f"the broker says that {name} exists, but did not tell of it for {SECONDS:.0f} s")

    def _raise_partitions(self, name: str, partitions: int) -> list[str]:
        wanted = self._ingest.topic_cfg.partitions
        if partitions == wanted:
            return []
        _wait(self._admin.create_partitions([NewPartitions(name, wanted)])[name], f"raising the partitions of {name}")
        return [f"partitions {partitions} → {wanted}"]

    def _alter(self, name: str, settings: Mapping[str, str]) -> list[str]:
        current = self._config(name)
        changed = {key: value for key, value in settings.items() if not _same(current.get(key), value)}
        if not changed:
            return []
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in changed.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        _wait(self._admin.incremental_alter_configs([resource])[resource], f"changing {name}")
        return [f"{key} {current.get(key)} → {value}" for key, value in changed.items()]

    def _config(self, name: str) -> dict[str, str | None]:
        resource = ConfigResource(ResourceType.TOPIC, name)
        future = self._admin.describe_configs([resource])[resource]
        error = future.exception(SECONDS)
        if isinstance(error, KafkaException) and error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            time.sleep(SETTLE_SECONDS)  # a topic that has just been made is not known to every broker at once
            future = self._admin.describe_configs([resource])[resource]
        entries = _wait(future, f"asking for the settings of {name}")
        return {key: entry.value for key, entry in entries.items()}


def _wait(future: "Future[Any]", doing: str) -> Any:
    try:
        return future.result(SECONDS)
    except KafkaException as error:
        cause: KafkaError = error.args[0]
        if cause.retriable() or cause.code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT):
            raise SourceUnavailable(f"{doing}: {cause.str()}") from error
        raise TopicRefused(f"{doing}: the broker refused: {cause.str()}") from error


def _same(current: str | None, wanted: str) -> bool:
    """Lists, such as cleanup policies, are the same in any order."""
    return current is not None and sorted(current.split(",")) == sorted(wanted.split(","))


def _listed(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())
