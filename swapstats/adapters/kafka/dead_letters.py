"""Dead letters in the topic beside the swaps': `<topic>.dlq`."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from settings.config import Ingest
from swapstats.adapters.kafka.broker_errors import TOPIC_GONE, is_fatal
from swapstats.adapters.kafka.client_config import new_client, producer_settings
from swapstats.adapters.kafka.dead_letter_reader import KafkaDeadLetterReader
from swapstats.domain.errors import DeadLetterError, SourceChanged, SourceError
from swapstats.ports.dead_letters import DeadLetter

ACKNOWLEDGED_SECONDS = 30.0
FULL_PAUSE_SECONDS = 0.1
MAX_REQUEST_BYTES = 64 * 1024 * 1024
KEPT_BYTES = (65_536, 0)
"""How much stays of key and value where the broker refuses a letter for its size, in one attempt after the other."""

_ANY_PARTITION = -1
_NUMBER = re.compile("-?[0-9]{1,19}", re.ASCII)
_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD})

_Headers = list[tuple[str, str | bytes | None]]
_Told = Callable[[KafkaError | None, Message | None], None]


class _Envelope(NamedTuple):
    """A letter as it is to be sent."""

    letter: DeadLetter
    key: bytes | None
    value: bytes | None
    headers: _Headers


_Refused = list[tuple[DeadLetter, KafkaError]]


class KafkaDeadLetters:
    """Fulfils the port `DeadLetterQueue`. A letter goes to the partition with its source's number, where there is one.

    Where the broker refuses a letter for its size, the beginning of key and value is kept, and the headers
    `truncated_from` and `key_truncated_from` tell how many bytes they had.
    """

    def __init__(self, ingest: Ingest, *, acknowledged_seconds: float = ACKNOWLEDGED_SECONDS) -> None:
        self._seconds = acknowledged_seconds
        timeout_ms = int(acknowledged_seconds * 1000)
        limits = {
            "message.max.bytes": MAX_REQUEST_BYTES,
            "delivery.timeout.ms": timeout_ms,
            # A topic that was just created is not known at once; for so long it is waited for.
            "topic.metadata.propagation.max.ms": timeout_ms // 3,
        }
        self._settings = {"linger.ms": 0, **limits, **producer_settings(ingest)}
        self._producer = new_client(Producer, self._settings)
        self._ingest = ingest
        self._source = ingest.topic
        self._topic = f"{ingest.topic}.dlq"

    def put(self, letters: Sequence[DeadLetter]) -> None:
        partitions = self._partitions()
        refused = self._send([_whole(letter, self._source) for letter in letters], partitions)
        # Alone, a letter is judged by its own size and not by that of the batch it was in.
        refused = self._send_alone([_whole(letter, self._source) for letter in _too_large(refused)], partitions)
        for kept in KEPT_BYTES:
            shortened = [_shortened(_whole(letter, self._source), kept) for letter in _too_large(refused)]
            refused = self._send_alone(shortened, partitions)
        if refused:
            raise _refusal(*refused[0])

    def kept(self, partitions: Collection[int]) -> Collection[tuple[int, int, int]]:
        reader = KafkaDeadLetterReader(self._ingest)
        try:
            letters = [letter.headers for letter in reader.newest(partitions, self._ingest.batch_max)]
        except SourceChanged:  # there is no such topic; a `put` tells what to do about it
            return frozenset()
        except SourceError as error:
            raise DeadLetterError(f"looking for what was put last: {error}") from error
        finally:
            reader.close()
        places = {_place_of(headers) for headers in letters if headers.get("source_topic") == self._source}
        return {(number, offset, at_ms) for number, offset, at_ms in places if number in partitions and offset >= 0}

    def close(self) -> None:
        self._producer.flush(self._seconds)

    def _partitions(self) -> int:
        """How many partitions the topic has; 0 while the broker does not know it."""
        try:
            found = self._producer.list_topics(self._topic, timeout=self._seconds).topics[self._topic]
        except KafkaException as error:
            raise DeadLetterError(f"no broker answers for {self._topic}: {error.args[0].str()}") from error
        return len(found.partitions)

    def _send_alone(self, envelopes: Sequence[_Envelope], partitions: int) -> _Refused:
        return [refused for envelope in envelopes for refused in self._send([envelope], partitions)]

    def _send(self, envelopes: Sequence[_Envelope], partitions: int) -> _Refused:
        """Send and wait; gives the letters that were refused."""
        refused: _Refused = []
        waiting = len(envelopes)

        def told(letter: DeadLetter, error: KafkaError | None, _: Message | None) -> None:
            nonlocal waiting
            waiting -= 1
            if error is not None:
                refused.append((letter, error))

        for envelope in envelopes:
            number = envelope.letter.record.partition
            self._produce(envelope, number if number < partitions else _ANY_PARTITION, partial(told, envelope.letter))
        self._producer.flush(self._seconds + 1)
        if waiting:
            raise DeadLetterError(f"{waiting} dead letters were not acknowledged within {self._seconds:g} s")
        return refused

    def _produce(self, envelope: _Envelope, partition: int, told: _Told) -> None:
        _, key, value, headers = envelope
        while True:
            try:
                self._producer.produce(self._topic, value, key, partition, headers=headers, on_delivery=told)
            except BufferError:
                self._producer.poll(FULL_PAUSE_SECONDS)
            except KafkaException as error:
                self._replace_if_broken(error.args[0])
                told(error.args[0], None)
                return
            else:
                return

    def _replace_if_broken(self, error: KafkaError) -> None:
        """A producer that has met a fatal error sends nothing any more."""
        if is_fatal(error):
            self._producer = new_client(Producer, self._settings)


def _whole(letter: DeadLetter, source: str) -> _Envelope:
    record, invalid = letter
    headers: _Headers = [
        ("reason", invalid.reason.value.encode()),
        ("detail", invalid.detail.encode(errors="replace")),
        ("source_topic", source.encode()),
        ("source_partition", str(record.partition).encode()),
        ("source_offset", str(record.offset).encode()),
        ("source_timestamp", str(record.timestamp_ms).encode()),
    ]
    return _Envelope(letter, record.key, record.value, headers)


def _place_of(headers: Mapping[str, str]) -> tuple[int, int, int]:
    """Partition, offset and timestamp of the record that a letter is about; -1 where it does not say."""
    texts = [headers.get(f"source_{name}", "") for name in ("partition", "offset", "timestamp")]
    partition, offset, timestamp_ms = (int(text) if _NUMBER.fullmatch(text) else -1 for text in texts)
    return partition, offset, timestamp_ms


def _shortened(whole: _Envelope, kept: int) -> _Envelope:
    letter, key, value, headers = whole
    lengths = (("truncated_from", value), ("key_truncated_from", key))
    cut: _Headers = [(name, str(len(data)).encode()) for name, data in lengths if data is not None and len(data) > kept]
    return _Envelope(letter, key and key[:kept], value and value[:kept], headers + cut)


def _too_large(refused: _Refused) -> list[DeadLetter]:
    """Raises DeadLetterError where one was refused for another reason."""
    for letter, error in refused:
        if error.code() not in _TOO_LARGE:
            raise _refusal(letter, error)
    return [letter for letter, _ in refused]


def _refusal(letter: DeadLetter, error: KafkaError) -> DeadLetterError:
    record = letter.record
    remedy = "; `manage.py topic` creates its topic" if error.code() in TOPIC_GONE else ""
    return DeadLetterError(
        f"the dead letter of partition {record.partition}, offset {record.offset}: {error.str()}{remedy}"
    )
