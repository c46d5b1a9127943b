"""Dead letters in the operators' room: counted, searched, opened, and sent again."""

import re
from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from settings.config import Ingest
from swapstats.adapters.kafka.dead_letters import KafkaDeadLetters
from swapstats.domain.swap import Invalid, InvalidReason
from swapstats.ports.dead_letters import DeadLetter
from swapstats.ports.swap_source import Record
from tests.contracts.test_dead_letters import read, topic_with_dead_letters
from tests.parts.operators import client_of, text_of
from tests.parts.topics import Broker

pytestmark = [pytest.mark.redis, pytest.mark.django_db]

LETTERS = "/admin/api/deadletter/"


@pytest.fixture
def topic(mock_broker: Broker, configured: Callable[..., None]) -> str:
    """With three dead letters."""
    topic = topic_with_dead_letters(mock_broker)
    configured(mock_broker, topic)
    queue = KafkaDeadLetters(Ingest(brokers=(mock_broker.bootstrap,), topic=topic))
    found = [
        (0, b"{<script>alert(1)</script>", InvalidReason.MALFORMED_JSON, "unexpected end"),
        (1, b"\xff\x00", InvalidReason.MALFORMED_JSON, "not UTF-8"),
        (2, b'{"chain_id":1}', InvalidReason.MISSING_FIELD, "expected `tx_hash`"),
    ]
    queue.put(
        [
            DeadLetter(Record(0, n, 1_700_000_000_000, b"key", value), Invalid(reason, detail))
            for n, value, reason, detail in found
        ]
    )
    queue.close()
    return topic


def letter_pages(client: Client, query: str = "") -> list[str]:
    return re.findall(r'href="(/admin/api/deadletter/[^"]+/change/)"', text_of(client.get(f"{LETTERS}{query}")))


def test_dead_letters_are_counted_searched_and_opened(topic: str, operator: Client) -> None:
    text = text_of(operator.get(LETTERS))
    assert "How many there are: 3" in text
    assert len(letter_pages(operator)) == 3
    assert len(letter_pages(operator, "?reason=malformed_json")) == 2
    assert len(letter_pages(operator, "?q=tx_hash")) == 1
    assert letter_pages(operator, "?q=nowhere") == []
    [page] = letter_pages(operator, "?q=alert")
    text = text_of(operator.get(page))
    assert "&lt;script&gt;" in text
    assert "000000  7b 3c 73" in text
    assert operator.get(f"{LETTERS}0_3A999/change/").status_code == 404
    assert operator.get(f"{LETTERS}rubbish/change/").status_code == 404


def test_one_or_all_of_a_reason_are_sent_again(topic: str, operator: Client, mock_broker: Broker) -> None:
    [page] = letter_pages(operator, "?q=tx_hash")
    requeue = page.replace("/change/", "/requeue/")
    assert "1 record would be written" in text_of(operator.get(requeue))
    assert "Sent again: 1 of 1" in text_of(operator.post(requeue, follow=True))
    everything = f"{LETTERS}malformed_5Fjson/requeue/"
    assert "2 records would be written" in text_of(operator.get(everything))
    assert "Sent again: 2 of 2" in text_of(operator.post(everything, follow=True))
    assert sorted(message.value() for message in read(mock_broker, topic, 3)) == [
        b'{"chain_id":1}',
        b"{<script>alert(1)</script>",
        b"\xff\x00",
    ]
    assert [entry.object_id for entry in LogEntry.objects.order_by("pk")][1] == "malformed_json"
    viewer = client_of("view_deadletter")
    assert viewer.post(everything).status_code == 403
    assert "/requeue/" not in text_of(viewer.get(LETTERS))
