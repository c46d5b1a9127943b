"""Writing swaps to a Kafka-protocol broker."""

import logging
import time
from functools import partial

from confluent_kafka import KafkaError, Message, Producer

from settings.config import Ingest
from swapstats.adapters.kafka.client_config import new_client, producer_settings
from swapstats.domain.errors import SourceUnavailable
from swapstats.ports.swap_sink import OnSent, Sent

WAIT_SECONDS = 60.0
FULL_PAUSE_SECONDS = 0.1
MAX_REQUEST_BYTES = 64 * 1024 * 1024

log = logging.getLogger(__name__)


class KafkaSwapSink:
    """Fulfils the port `SwapSink`. A record that is larger than the broker takes is left out, with a warning."""

    def __init__(self, ingest: Ingest, on_sent: OnSent) -> None:
        batching = {"linger.ms": 5, "message.max.bytes": MAX_REQUEST_BYTES, "queue.buffering.max.messages": 100_000}
        self._producer = new_client(Producer, {**batching, **producer_settings(ingest)})
        self._topic = ingest.topic
        self._on_sent = on_sent
        self._refusal: str | None = None

    def send(self, key: bytes | None, value: bytes, timestamp_ms: int) -> None:
        self._raise_refusal()
        told = partial(self._delivered, timestamp_ms)
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                self._producer.produce(self._topic, value, key, timestamp=timestamp_ms, on_delivery=told)
            except BufferError:
                if time.monotonic() > deadline:
                    raise SourceUnavailable(f"the broker took no records for {WAIT_SECONDS:.0f} s") from None
                self._producer.poll(FULL_PAUSE_SECONDS)
            else:
                self._producer.poll(0)
                return

    def flush(self) -> None:
        if left := self._producer.flush(WAIT_SECONDS):
            raise SourceUnavailable(f"the broker did not acknowledge {left} records within {WAIT_SECONDS:.0f} s")
        self._raise_refusal()

    def _delivered(self, timestamp_ms: int, error: KafkaError | None, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            log.warning("the broker takes no record of %d bytes; it was left out", len(message))
        elif error is not None or partition is None or offset is None:
            self._refusal = error.str() if error else "no offset was given"
        else:
            self._on_sent(Sent(message.key(), message.value() or b"", timestamp_ms, partition, offset))

    def _raise_refusal(self) -> None:
        if self._refusal:
            raise SourceUnavailable(f"the broker refused a record: {self._refusal}")
