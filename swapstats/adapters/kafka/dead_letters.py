"""Dead letters in the topic beside the swaps': `<topic>.dlq`."""

from collections.abc import Callable, Sequence
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from settings.config import Ingest
from swapstats.adapters.kafka.client_config import new_client, producer_settings
from swapstats.domain.errors import DeadLetterError
from swapstats.ports.dead_letters import DeadLetter

ACKNOWLEDGED_SECONDS = 30.0
FULL_PAUSE_SECONDS = 0.1
MAX_REQUEST_BYTES = 64 * 1024 * 1024
KEPT_BYTES = 65_536
"""How much stays of a value that the broker refuses for its size; header `truncated_from` tells how long it was."""

_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD})


class KafkaDeadLetters:
    """Fulfils the port `DeadLetterQueue`."""

    def __init__(self, ingest: Ingest) -> None:
        limits = {"message.max.bytes": MAX_REQUEST_BYTES, "delivery.timeout.ms": int(ACKNOWLEDGED_SECONDS * 1000)}
        self._producer = new_client(Producer, {"linger.ms": 0, **limits, **producer_settings(ingest)})
        self._source = ingest.topic
        self._topic = f"{ingest.topic}.dlq"

    def put(self, letters: Sequence[DeadLetter]) -> None:
        refused = self._send([(letter, letter.record.value, ()) for letter in letters])
        too_large = [letter for letter, error in refused if error.code() in _TOO_LARGE and letter.record.value]
        _raise_for(refused, besides=too_large)
        _raise_for(self._send([_truncated(letter) for letter in too_large]), besides=())

    def close(self) -> None:
        self._producer.flush(ACKNOWLEDGED_SECONDS)

    def _send(self, letters: "Sequence[_Sendable]") -> list[tuple[DeadLetter, KafkaError]]:
        """Send and wait; gives the letters that the broker refused."""
        refused: list[tuple[DeadLetter, KafkaError]] = []
        waiting = len(letters)

        def told(letter: DeadLetter, error: KafkaError | None, _: Message) -> None:
            nonlocal waiting
            waiting -= 1
            if error is not None:
                refused.append((letter, error))

        for letter, value, extra in letters:
            self._produce(letter, value, [*self._headers(letter), *extra], partial(told, letter))
        self._producer.flush(ACKNOWLEDGED_SECONDS)
        if waiting:
            raise DeadLetterError(f"{waiting} dead letters were not acknowledged within {ACKNOWLEDGED_SECONDS:.0f} s")
        return refused

    def _produce(self, letter: DeadLetter, value: bytes | None, headers: "_Headers", told: "_Told") -> None:
        while True:
            try:
                self._producer.produce(self._topic, value, letter.record.key, headers=headers, on_delivery=told)
                return
            except BufferError:
                self._producer.poll(FULL_PAUSE_SECONDS)
            except KafkaException as error:
                raise DeadLetterError(f"a dead letter was refused: {error.args[0].str()}") from error

    def _headers(self, letter: DeadLetter) -> "_Headers":
        record, invalid = letter
        return [
            ("reason", invalid.reason.value.encode()),
            ("detail", invalid.detail.encode(errors="replace")),
            ("source_topic", self._source.encode()),
            ("source_partition", str(record.partition).encode()),
            ("source_offset", str(record.offset).encode()),
            ("source_timestamp", str(record.timestamp_ms).encode()),
        ]


_Headers = list[tuple[str, str | bytes | None]]
_Told = Callable[[KafkaError | None, Message], None]
_Sendable = tuple[DeadLetter, bytes | None, Sequence[tuple[str, str | bytes | None]]]


def _truncated(letter: DeadLetter) -> _Sendable:
    value = letter.record.value or b""
    return letter, value[:KEPT_BYTES], [("truncated_from", str(len(value)).encode())]


def _raise_for(refused: Sequence[tuple[DeadLetter, KafkaError]], besides: Sequence[DeadLetter]) -> None:
    others = [(letter, error) for letter, error in refused if letter not in besides]
    if others:
        (record, _), error = others[0]
        where = f"offset {record.offset} of partition {record.partition}"
        raise DeadLetterError(f"{len(others)} dead letters were refused, that of {where} first: {error.str()}")
