"""`manage.py dlq` on both brokers: what a person at a terminal sees and does."""

from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from confluent_kafka import Message
from django.core.management import CommandError, call_command

from settings.config import Ingest, load_config
from swapstats.adapters.kafka.dead_letter_reader import KafkaDeadLetterReader
from swapstats.adapters.kafka.dead_letters import KafkaDeadLetters
from swapstats.domain.errors import SourceChanged
from swapstats.domain.swap import Invalid, InvalidReason
from swapstats.ports.dead_letters import DeadLetter
from swapstats.ports.swap_source import Record
from tests.contracts.test_dead_letters import read, topic_with_dead_letters
from tests.parts.topics import Broker

T0 = 1_700_000_000_000


class Desk:
    """A topic with four dead letters, and a terminal: what it showed, and whether the command failed."""

    def __init__(self, broker: Broker, run: Callable[..., tuple[str, str]]) -> None:
        self.broker = broker
        self.topic = topic_with_dead_letters(broker)
        self.ingest = Ingest(brokers=(broker.bootstrap,), topic=self.topic)
        self._run = run
        letters = KafkaDeadLetters(self.ingest)
        letters.put(
            [
                letter(0, 10, b"{", InvalidReason.MALFORMED_JSON, "unexpected end"),
                letter(2, 20, b"\xff\x00", InvalidReason.MALFORMED_JSON, "not UTF-8"),
                letter(2, 21, b'{"a":1}', InvalidReason.MISSING_FIELD, "expected `chain_id`"),
                letter(3, 30, None, InvalidReason.MALFORMED_JSON, "the record has no value"),
            ]
        )
        letters.close()

    def run(self, *arguments: str) -> tuple[str, str]:
        """What the command wrote, and its warnings."""
        return self._run(self.broker.bootstrap, self.topic, *arguments)

    def requeued(self, count: int) -> list[tuple[bytes | None, bytes | None, int]]:
        return sorted(map(_content, read(self.broker, self.topic, count)), key=str)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[str, str]]]:
    def run(bootstrap: str, topic: str, *arguments: str) -> tuple[str, str]:
        monkeypatch.setenv("SWAPSTATS_INGEST__BROKERS", f'["{bootstrap}"]')
        monkeypatch.setenv("SWAPSTATS_INGEST__TOPIC", topic)
        load_config.cache_clear()
        out, err = StringIO(), StringIO()
        call_command("dlq", *arguments, stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    yield run
    monkeypatch.undo()
    load_config.cache_clear()


@pytest.fixture
def desk(broker: Broker, terminal: Callable[..., tuple[str, str]]) -> Desk:
    return Desk(broker, terminal)


@pytest.fixture
def mock_desk(mock_broker: Broker, terminal: Callable[..., tuple[str, str]]) -> Desk:
    return Desk(mock_broker, terminal)


def letter(partition: int, offset: int, value: bytes | None, reason: InvalidReason, detail: str) -> DeadLetter:
    return DeadLetter(Record(partition, offset, T0 + offset, b"key", value), Invalid(reason, detail))


def _content(message: Message) -> tuple[bytes | None, bytes | None, int]:
    return message.key(), message.value(), message.timestamp()[1]


def test_list_shows_the_newest_and_counts_all(desk: Desk) -> None:
    shown, _ = desk.run("list", "--limit", "3")
    lines = shown.splitlines()
    assert len(lines) == 3 + 2 + 1
    assert f"missing_field  7 B  from {desk.topic} 2:21  expected `chain_id`" in shown
    assert [line.split()[0] for line in lines[-3:]] == ["3", "1", "4"]
    assert [line.split()[1] for line in lines[-3:]] == ["malformed_json", "missing_field", "in"]


def test_list_of_one_reason(desk: Desk) -> None:
    shown, _ = desk.run("list", "--reason", "missing_field")
    assert [line.split()[-2:] for line in shown.splitlines()][1:] == [["1", "missing_field"], ["in", "all"]]


def test_show_tells_everything(desk: Desk) -> None:
    shown, _ = desk.run("show", "2:0")
    for line in ("place: 2:0", "reason: malformed_json", "detail: not UTF-8", "source_partition: 2", "key: key"):
        assert line in shown.splitlines()
    assert "value: \\xff\x00" in shown
    assert "value: (none)" in desk.run("show", "3:0")[0]


@pytest.mark.parametrize("place", ["2:2", "9:0", "0:-1", "nonsense"])
def test_show_of_what_is_not_there(mock_desk: Desk, place: str) -> None:
    with pytest.raises(CommandError, match=r"there is no dead letter at|expected PARTITION:OFFSET"):
        mock_desk.run("show", place)


def test_requeue_writes_whole_records_as_they_were(desk: Desk) -> None:
    said, warned = desk.run("requeue", "--all")
    assert said.strip() == "3 requeued"
    assert "3:0 is not whole" in warned
    assert desk.requeued(3) == sorted(
        [(b"key", b"{", T0 + 10), (b"key", b"\xff\x00", T0 + 20), (b"key", b'{"a":1}', T0 + 21)], key=str
    )


def test_requeue_of_some_with_new_timestamps(desk: Desk) -> None:
    assert desk.run("requeue", "0:0", "2:1", "--timestamp", "now")[0].strip() == "2 requeued"
    found = desk.requeued(2)
    assert {value for _, value, _ in found} == {b"{", b'{"a":1}'}
    assert all(timestamp > T0 + 1_000_000 for _, _, timestamp in found)


@pytest.mark.parametrize("arguments", [[], ["--all", "0:0"], ["--all", "--reason", "bad_field"]])
def test_requeue_wants_to_know_which(mock_desk: Desk, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="expected one of"):
        mock_desk.run("requeue", *arguments)


@pytest.mark.kafka
def test_without_a_topic_of_dead_letters(kafka: Broker) -> None:
    reader = KafkaDeadLetterReader(Ingest(brokers=(kafka.bootstrap,), topic=kafka.new_topic()))
    with pytest.raises(SourceChanged, match=r"manage\.py topic"):
        next(reader.letters())
    reader.close()


def test_more_letters_than_one_batch(mock_desk: Desk) -> None:
    ingest = mock_desk.ingest
    queue = KafkaDeadLetters(ingest)
    queue.put([letter(1, n, b"{", InvalidReason.BAD_FIELD, "") for n in range(2_500)])
    queue.close()
    reader = KafkaDeadLetterReader(ingest)
    assert len(list(reader.letters())) == 2_504
    assert len(list(reader.letters())) == 2_504
    assert [found.headers["source_offset"] for found in reader.letters() if found.partition == 1] == [
        str(n) for n in range(2_500)
    ]
    reader.close()
