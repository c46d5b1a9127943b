"""Notices that a topic was deleted and made anew while it is read.

librdkafka reads on in the new topic as if nothing had happened, as long as its offset exists there.
"""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._topic import TopicDescription

from swapstats.adapters.kafka.client_config import new_client

INTERVAL_SECONDS = 30.0


class TopicWatch:
    """Asks for the topic's id every `INTERVAL_SECONDS`, without ever waiting for the answer."""

    def __init__(self, settings: Mapping[str, Any], topic: str, topic_id: str, now: float) -> None:
        self._admin = new_client(AdminClient, settings)
        self._topic = topic
        self._topic_id = topic_id
        self._asked_at = now
        self._answer: Future[TopicDescription] | None = None

    def has_changed(self, now: float) -> bool:
        """Whether the answers so far say so; `now` is in seconds of the clock that the watch began with."""
        if self._answer is None:
            if now - self._asked_at >= INTERVAL_SECONDS:
                self._asked_at = now
                self._answer = self._admin.describe_topics(TopicCollection([self._topic]))[self._topic]
            return False
        if not self._answer.done():
            return False
        answer, self._answer = self._answer, None
        return _id_in(answer, self._topic_id) != self._topic_id


def _id_in(answer: Future[TopicDescription], otherwise: str) -> str:
    """No answer says nothing about the topic; what is wrong shows where the log is read."""
    try:
        return str(answer.result().topic_id)
    except KafkaException:
        return otherwise
