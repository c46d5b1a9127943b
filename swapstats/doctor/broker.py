"""The broker and its topics."""

from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from confluent_kafka.admin._metadata import ClusterMetadata, TopicMetadata

from settings.config import Config
from settings.config.values import format_duration
from swapstats.adapters.kafka.client_config import client_settings, new_client
from swapstats.adapters.kafka.topic_facts import is_mock
from swapstats.doctor.finding import Finding, error, ok, warning

PART = "broker"
SECONDS = 10.0
CREATE = "run `manage.py topic`"


def examine(config: Config) -> Iterator[Finding]:
    admin = new_client(AdminClient, client_settings(config.ingest))
    try:
        cluster = admin.list_topics(timeout=SECONDS)
    except KafkaException as trouble:
        yield _no_answer(config, trouble)
        return
    yield ok(PART, "broker.reachable", f"{len(cluster.brokers)} brokers answer, cluster {cluster.cluster_id}")
    if is_mock(str(cluster.cluster_id)):
        yield ok(PART, "broker.embedded", "the embedded broker, which keeps little and has no settings to look at")
        return
    yield from _topics(config, admin, cluster)


def _no_answer(config: Config, trouble: KafkaException) -> Finding:
    brokers = ", ".join(config.ingest.brokers)
    return error(
        PART,
        "broker.unreachable",
        f"no answer from {brokers}: {trouble.args[0].str()}",
        "check ingest.brokers, ingest.security and the broker's advertised addresses (`nc -vz HOST PORT`)",
    )


def _topics(config: Config, admin: AdminClient, cluster: ClusterMetadata) -> Iterator[Finding]:
    name = config.ingest.topic
    for each in (name, f"{name}.dlq"):
        if each not in cluster.topics:
            yield error(PART, "broker.no_topic", f"there is no topic {each}", CREATE)
    if name in cluster.topics:
        yield from _shape(config, cluster.topics[name], len(cluster.brokers))
        yield from _settings(config, _settings_of(admin, name))


def _shape(config: Config, topic: TopicMetadata, brokers: int) -> Iterator[Finding]:
    wanted, partitions = config.ingest.topic_cfg, len(topic.partitions)
    leaderless = [number for number, partition in topic.partitions.items() if partition.leader < 0]
    if leaderless:
        yield error(
            PART, "broker.no_leader", f"partitions {leaderless} have no leader", "bring the broker that held them back"
        )
    if partitions != wanted.partitions:
        yield warning(
            PART,
            "broker.partitions",
            f"{config.ingest.topic} has {partitions} partitions, not ingest.topic_cfg.partitions: {wanted.partitions}",
            f"{CREATE} to raise them; where there are more, set the key to {partitions}",
        )
    replicas = min(len(partition.replicas) for partition in topic.partitions.values())
    if replicas == 1 < brokers:
        yield warning(
            PART,
            "broker.replication",
            f"{config.ingest.topic} has one replica on {brokers} brokers: losing one loses its records",
            "reassign the topic with replication 3 (the broker's tools), and set ingest.topic_cfg.replication",
        )


def _settings_of(admin: AdminClient, name: str) -> Mapping[str, Any]:
    resource = ConfigResource(ResourceType.TOPIC, name)
    try:
        entries = admin.describe_configs([resource])[resource].result(SECONDS)
    except KafkaException:
        return {}
    return {key: entry.value for key, entry in entries.items()}


def _settings(config: Config, settings: Mapping[str, Any]) -> Iterator[Finding]:
    if not settings:
        yield warning(PART, "broker.hidden", "the topic's settings may not be read", "grant DescribeConfigs on it")
        return
    found = [*_retention(config, int(settings["retention.ms"])), *_cleanup(settings["cleanup.policy"])]
    yield from found or [ok(PART, "broker.topic", f"{config.ingest.topic} is kept as long as it has to be")]


def _retention(config: Config, retention_ms: int) -> Iterator[Finding]:
    needed_ms = config.app.longest_window_ms + config.app.grace_ms + config.app.max_skew_ms
    if 0 <= retention_ms < needed_ms:
        yield error(
            PART,
            "broker.retention",
            f"the log is kept for {format_duration(retention_ms)}; after a loss of Redis the longest window could not"
            f" be rebuilt, for which {format_duration(needed_ms)} are needed",
            f"set ingest.topic_cfg.retention_ms to {needed_ms} or more, better days, and {CREATE}",
        )
    elif retention_ms != config.ingest.topic_cfg.retention_ms:
        yield warning(
            PART,
            "broker.other_retention",
            f"retention.ms is {retention_ms}, not {config.ingest.topic_cfg.retention_ms} as the configuration says",
            CREATE,
        )


def _cleanup(policy: str) -> Iterator[Finding]:
    if "compact" in policy:
        yield error(
            PART,
            "broker.compacted",
            f"cleanup.policy is {policy}: compaction throws away all but the last swap of each key",
            f"set ingest.topic_cfg.cleanup_policy: delete, and {CREATE}",
        )
