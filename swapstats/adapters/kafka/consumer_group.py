"""The consumer group, asked of the broker."""

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, MemberDescription

from settings.config import Ingest
from swapstats.adapters.kafka.broker_errors import as_source_error
from swapstats.adapters.kafka.client_config import client_settings, new_client
from swapstats.adapters.kafka.topic_facts import is_mock, topic_metadata
from swapstats.domain.errors import SourceUnavailable
from swapstats.ports.consumer_group import GroupState, Member

REQUEST_SECONDS = 5.0


class KafkaConsumerGroup:
    """Fulfils the port `ConsumerGroup`."""

    def __init__(self, ingest: Ingest) -> None:
        self._topic = ingest.topic
        self._group = ingest.group_id
        self._admin = new_client(AdminClient, client_settings(ingest))

    def look(self) -> GroupState:
        cluster_id, _ = topic_metadata(self._admin, self._topic, REQUEST_SECONDS)
        if is_mock(cluster_id):
            raise SourceUnavailable("the embedded broker does not tell how a group stands")
        with as_source_error(f"asking for the group {self._group}"):
            return self._look()

    def _look(self) -> GroupState:
        described = self._admin.describe_consumer_groups([self._group], request_timeout=REQUEST_SECONDS)
        try:
            found = described[self._group].result(REQUEST_SECONDS)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return GroupState(self._group, "not known yet", [], {})
            raise
        members = [self._member(member) for member in found.members]
        return GroupState(self._group, found.state.name.lower(), members, self._committed())

    def _member(self, member: MemberDescription) -> Member:
        places = member.assignment.topic_partitions if member.assignment else []
        partitions = sorted(place.partition for place in places if place.topic == self._topic)
        return Member(member.member_id, member.client_id, member.host, partitions)

    def _committed(self) -> dict[int, int]:
        asked = self._admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(self._group)], request_timeout=REQUEST_SECONDS
        )
        places = asked[self._group].result(REQUEST_SECONDS).topic_partitions or []
        return {place.partition: place.offset for place in places if place.topic == self._topic and place.offset >= 0}
