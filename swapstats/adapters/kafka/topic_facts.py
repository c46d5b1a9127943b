"""What a broker says about a topic."""

from collections.abc import Mapping
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata, TopicMetadata

from swapstats.adapters.kafka.broker_errors import TOPIC_GONE, as_source_error, source_error
from swapstats.adapters.kafka.client_config import new_client
from swapstats.domain.errors import SourceChanged

MOCK_CLUSTER = "mockCluster"
"""How the cluster ids of librdkafka's mock cluster begin; it knows no admin requests and lets them time out."""

NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""The zero UUID, which brokers without topic ids give."""


class MetadataClient(Protocol):
    """Any librdkafka client."""

    def list_topics(self, topic: str = ..., timeout: float = ...) -> ClusterMetadata: ...


def topic_metadata(client: MetadataClient, topic: str, timeout: float) -> tuple[str, TopicMetadata]:
    """The cluster's id, and the topic. Raises SourceChanged where there is no such topic, and SourceUnavailable."""
    with as_source_error(f"asking for topic {topic}"):
        cluster = client.list_topics(topic, timeout=timeout)
        found = cluster.topics[topic]
        if found.error is not None and found.error.code() in TOPIC_GONE:
            raise SourceChanged(f"there is no topic {topic} on this cluster; `manage.py topic` creates it")
        if found.error is not None:
            raise source_error(found.error, f"asking for topic {topic}")
        return str(cluster.cluster_id), found


def is_mock(cluster_id: str) -> bool:
    return cluster_id.startswith(MOCK_CLUSTER)


def topic_id(settings: Mapping[str, Any], topic: str, timeout: float) -> str:
    """The broker's own id of this incarnation of the topic; empty where it has none or may not tell."""
    admin = new_client(AdminClient, settings)
    with as_source_error(f"asking for the id of topic {topic}"):
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=timeout)
        try:
            found = str(described[topic].result(timeout).topic_id)
        except KafkaException as error:
            if error.args[0].code() == KafkaError._UNSUPPORTED_FEATURE:
                return ""
            raise
    return "" if found == NO_ID else found
