"""What librdkafka's error codes mean to swapstats."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from swapstats.domain.errors import SourceChanged, SourceError, SourceUnavailable

TOPIC_GONE = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError.INCONSISTENT_TOPIC_ID,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)

OUT_OF_RANGE = frozenset({KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET})

PASSING = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._MAX_POLL_EXCEEDED,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
    }
)
"""librdkafka gets over these by itself."""


def is_passing(error: KafkaError) -> bool:
    return not is_fatal(error) and (error.code() in PASSING or error.retriable())


def is_fatal(error: KafkaError) -> bool:
    """The client is of no use any more. What comes in place of a message says so by its code only."""
    return error.fatal() or error.code() == KafkaError._FATAL


def source_error(error: KafkaError, doing: str) -> SourceError:
    """The error of the port for one of librdkafka; `doing` is what could not be done."""
    message = f"{doing}: {error.str()}"
    if error.code() in OUT_OF_RANGE or error.code() in TOPIC_GONE:
        return SourceChanged(message)
    if is_fatal(error):
        return SourceError(message)
    return SourceUnavailable(message)


@contextmanager
def as_source_error(doing: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise source_error(error.args[0], doing) from error
