"""What an error of librdkafka means: over soon, another log, or the end of this client."""

import pytest
from confluent_kafka import KafkaError

from swapstats.adapters.kafka.broker_errors import is_passing, source_error
from swapstats.domain.errors import SourceChanged, SourceError, SourceUnavailable


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (KafkaError(KafkaError._TRANSPORT), SourceUnavailable),
        (KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), SourceUnavailable),
        (KafkaError(KafkaError.OFFSET_OUT_OF_RANGE), SourceChanged),
        (KafkaError(KafkaError.UNKNOWN_TOPIC_ID), SourceChanged),
        (KafkaError(KafkaError.FENCED_INSTANCE_ID, fatal=True), SourceError),
        (KafkaError(KafkaError._FATAL), SourceError),  # as it comes in place of a message
    ],
)
def test_meaning(error: KafkaError, meaning: type[SourceError]) -> None:
    assert type(source_error(error, "reading")) is meaning


@pytest.mark.parametrize("error", [KafkaError(KafkaError._FATAL), KafkaError(KafkaError._TRANSPORT, fatal=True)])
def test_what_is_fatal_does_not_pass(error: KafkaError) -> None:
    assert not is_passing(error)


def test_a_lost_connection_passes() -> None:
    assert is_passing(KafkaError(KafkaError._TRANSPORT))
