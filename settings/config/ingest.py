"""Reading swaps and keeping the windows: the keys `ingest` and `app`."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    ByteSize,
    Field,
    FilePath,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from settings.config.section import Section
from settings.config.values import Count, Duration, Interval, Server, Size, format_duration, setting

Share = Annotated[float, Field(gt=0, le=1)]
WindowName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,16}$")]


class TopicConfig(Section):
    partitions: Count = 12
    """How many partitions `manage.py topic` gives the topic."""
    replication: Count = 1
    """Its replication factor."""
    retention_ms: int = Field(604_800_000, ge=-1)
    """How long the log keeps records, in milliseconds; -1 keeps them for ever."""
    cleanup_policy: Literal["delete", "compact", "compact,delete"] = "delete"
    """What becomes of old records."""
    segment_ms: Count = 3_600_000
    """After how many milliseconds a log segment is closed."""


class BrokerSecurity(Section):
    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to speak to the brokers."""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """The SASL mechanism; required with a SASL protocol."""
    username: str | None = None
    """The SASL user."""
    password: SecretStr | None = None
    """The SASL user's password."""
    password_file: Path | None = None
    """A file that holds it."""
    ca_file: FilePath | None = None
    """The authority that signed the brokers' certificates (PEM); the system's authorities if not given."""
    certificate_file: FilePath | None = None
    """Our own certificate (PEM), where brokers ask for one."""
    key_file: FilePath | None = None
    """The key of that certificate (PEM)."""
    key_password: SecretStr | None = None
    """The password of that key."""
    key_password_file: Path | None = None
    """A file that holds it."""

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> Self:
        if self.protocol.startswith("SASL_") and not (self.mechanism and self.username and self.password):
            raise ValueError(f"protocol {self.protocol} needs mechanism, username and a password")
        return self


class Ingest(Section):
    broker_type: Literal["redpanda", "kafka"] = "redpanda"
    """Which broker is behind the addresses; nothing else changes."""
    brokers: tuple[Server, ...] = Field(("localhost:9092",), min_length=1)
    """The brokers to begin with."""
    topic: str = Field("raw-swaps", pattern=r"^[A-Za-z0-9._-]{1,245}$")
    """The topic of swap events; refused records go to the same name with `.dlq`."""
    group_id: str = Field("swap-stats", min_length=1)
    """The consumer group of the statistics."""
    start: Literal["window", "latest", "earliest"] = "window"
    """Where to begin a partition without a snapshot; `window` is now minus the longest window."""
    max_bytes: Size = ByteSize(1_048_576)
    """The largest record that is read as a swap; a larger one is dead-lettered."""
    batch_max: Count = 1_000
    """How many records one step takes at most."""
    poll_timeout_ms: Interval = setting("10ms", "poll_timeout")
    """How long one step waits for its batch to fill; it is paid as latency."""
    max_invalid_share: Share = 0.5
    """Stop when more than this share of the latest records is invalid: then it is the topic that is wrong."""
    invalid_sample: Count = 1_000
    """Over how many of the latest records that share is taken."""
    topic_cfg: TopicConfig = TopicConfig()
    security: BrokerSecurity = BrokerSecurity()
    client: dict[str, str | int | float | bool] = Field({})
    """Further librdkafka settings, passed on as they are."""


class Window(Section):
    length_ms: Interval = Field(alias="length")
    """How far back the window reaches."""
    bucket_ms: Interval = Field(alias="bucket")
    """The step in which it moves."""

    @model_validator(mode="after")
    def _length_is_whole_buckets(self) -> Self:
        if self.length_ms % self.bucket_ms:
            length, bucket = format_duration(self.length_ms), format_duration(self.bucket_ms)
            raise ValueError(f"expected a length that is a multiple of the bucket; {length} is none of {bucket}")
        return self


DEFAULT_WINDOWS = {
    "5m": {"length": "5m", "bucket": "5s"},
    "1h": {"length": "1h", "bucket": "60s"},
    "24h": {"length": "24h", "bucket": "60s"},
}


class App(Section):
    grace_ms: Duration = setting("120s", "grace")
    """How long after its event time a swap may reach the log and still count in the windows."""
    max_skew_ms: Duration = setting("60s", "max_skew")
    """How far a swap's event time may lie after its record's timestamp."""
    late_policy: Literal["drop", "apply"] = "drop"
    """What happens to a late swap: left out of the windows, or counted while its bucket is still held."""
    snapshot_interval_ms: Interval = setting("5s", "snapshot_interval")
    """How often a worker saves what changed."""
    partition_queue: Count = 1_000
    """How many records of one partition may wait for a worker."""
    windows: dict[WindowName, Window] = Field(DEFAULT_WINDOWS, min_length=1, validate_default=True)
    """The windows by name. Each bucket must be a multiple of the finest one."""
    dedupe_ttl_ms: Interval = setting("24h", "dedupe_ttl")
    """How long a swap is remembered to recognise its repetition; at least the longest window."""

    @field_validator("windows")
    @classmethod
    def _buckets_nest(cls, windows: dict[str, Window]) -> dict[str, Window]:
        finest = min(window.bucket_ms for window in windows.values())
        uneven = [name for name, window in windows.items() if window.bucket_ms % finest]
        if uneven:
            raise ValueError(f"expected buckets that are multiples of the finest; {uneven[0]}'s is not")
        return windows

    @field_validator("dedupe_ttl_ms")
    @classmethod
    def _ttl_covers_windows(cls, ttl: int, info: ValidationInfo) -> int:
        longest = max((window.length_ms for window in info.data.get("windows", {}).values()), default=0)
        if ttl < longest:
            raise ValueError(f"expected at least the longest window, {format_duration(longest)}")
        return ttl

    @property
    def longest_window_ms(self) -> int:
        return max(window.length_ms for window in self.windows.values())
