"""Topics for tests: each with a name of its own, gone afterwards."""

import time
import uuid
from dataclasses import dataclass, field

from confluent_kafka.admin import AdminClient, NewTopic

SECONDS = 30
MOCK_PARTITIONS = 4


@dataclass
class Broker:
    """A broker's address, and how to get a fresh topic on it.

    The mock cluster creates a topic when it is first asked for, always with 4 partitions; a real Kafka creates
    what it is told to.
    """

    bootstrap: str
    is_mock: bool = False
    _created: list[str] = field(default_factory=list)

    def new_topic(self, partitions: int = MOCK_PARTITIONS, name: str = "swaps", **config: object) -> str:
        """The name of a new, empty topic; `config` are its settings, as `retention_ms=…`."""
        topic = f"{name}-{uuid.uuid4().hex[:8]}"
        if self.is_mock:
            assert partitions == MOCK_PARTITIONS, "the mock cluster's topics have 4 partitions"
        else:
            settings = {key.replace("_", "."): str(value) for key, value in config.items()}
            admin = self._admin()  # held on to: without it its futures fail
            admin.create_topics([NewTopic(topic, partitions, 1, config=settings)])[topic].result(SECONDS)
        self._wait_for(topic, partitions)
        self._created.append(topic)
        return topic

    def _wait_for(self, topic: str, partitions: int) -> None:
        """Until the topic's leaders are known: a client that comes too early would be told there is no such topic."""
        admin, deadline = self._admin(), time.monotonic() + SECONDS
        while not _is_led(admin, topic, partitions):
            assert time.monotonic() < deadline, f"{topic} has no leaders after {SECONDS} s"
            time.sleep(0.02)

    def delete_topics(self) -> None:
        if self._created and not self.is_mock:
            admin = self._admin()
            for future in admin.delete_topics(self._created).values():
                future.result(SECONDS)
        self._created.clear()

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap})


def _is_led(admin: AdminClient, topic: str, partitions: int) -> bool:
    found = admin.list_topics(topic, timeout=SECONDS).topics[topic].partitions
    return len(found) == partitions and all(partition.leader >= 0 for partition in found.values())
