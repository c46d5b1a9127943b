"""The errors of swapstats, one small tree.

SwapstatsError
├── ConfigError            a configured value is wrong; names the key and what was expected
├── StoreError             the state store (Redis)
│   ├── StoreUnavailable   not reachable, or its connection broke: RAM state must be restored before going on
│   └── Fenced             another worker has taken the partition, or its state moved on without us: let go
├── SourceError            the log (Kafka); as such, it refuses this client for good
│   ├── SourceUnavailable  not reachable for now
│   ├── TopicRefused       what is asked of a topic is what Kafka cannot do, or would not
│   └── SourceChanged      the topic is not the one we began with, or an offset is out of range
├── DatabaseUnavailable    Django's own tables cannot be read
├── DeadLetterError        a dead letter was not acknowledged
├── ArchiveError           the archive (ClickHouse) said no, for a reason that an operator must see
│   ├── ArchiveUnavailable down, too slow or overloaded: whether a write took place is not known
│   └── ArchiveRefused     it understood, and these rows can never be stored
├── ViewNotReady           the live view cannot answer yet: not loaded, or its partitions stand too far apart
├── TokenRefused           a bearer token is not accepted
│   ├── TokenExpired       it was valid once
│   └── BadToken           it never was, here
├── MessageRefused         a WebSocket message, or one topic of it, asks for what cannot be had
├── AlertNotSent           an alert was not accepted
├── PartError              an embedded part (Redis, broker …) could not start, or died
└── TooManyInvalid         most of the stream is invalid: a broken schema, not a few broken records
"""


class SwapstatsError(Exception):
    """Base of everything swapstats raises on purpose."""


class ConfigError(SwapstatsError):
    pass


class StoreError(SwapstatsError):
    pass


class StoreUnavailable(StoreError):  # noqa: N818 - reads as the state it names
    pass


class Fenced(StoreError):  # noqa: N818
    """`partition` is the one that was lost."""

    def __init__(self, message: str, partition: int) -> None:
        super().__init__(message)
        self.partition = partition


class SourceError(SwapstatsError):
    pass


class SourceUnavailable(SourceError):  # noqa: N818
    pass


class TopicRefused(SourceError):  # noqa: N818
    pass


class SourceChanged(SourceError):  # noqa: N818
    pass


class DatabaseUnavailable(SwapstatsError):  # noqa: N818 - reads as the state it names
    pass


class DeadLetterError(SwapstatsError):
    pass


class TokenRefused(SwapstatsError):  # noqa: N818
    pass


class TokenExpired(TokenRefused):
    pass


class BadToken(TokenRefused):
    pass


class ViewNotReady(SwapstatsError):  # noqa: N818
    pass


class ArchiveError(SwapstatsError):
    pass


class ArchiveUnavailable(ArchiveError):  # noqa: N818
    pass


class ArchiveRefused(ArchiveError):  # noqa: N818
    pass


class TooManyInvalid(SwapstatsError):  # noqa: N818
    pass


class MessageRefused(SwapstatsError):  # noqa: N818
    """`code` is one of the protocol's error codes; `id` the message's own, where it could be read."""

    def __init__(self, code: str, message: str, id: int | str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.id = id


class AlertNotSent(SwapstatsError):  # noqa: N818 - reads as the state it names
    """`is_final` where trying again cannot help; `retry_after_s` is how long the receiver wants to be left alone."""

    def __init__(self, message: str, *, is_final: bool = False, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.is_final = is_final
        self.retry_after_s = retry_after_s


class PartError(SwapstatsError):
    pass
