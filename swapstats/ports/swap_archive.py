"""The archive: every valid record of the log, kept for a year, and the history that is told from it.

Rows carry their position in the log, so the archive itself knows what it holds: whoever writes asks it where to go
on. Writers keep one promise, on which everybody who resumes relies: a batch of a partition is a stretch of its log
without holes, at most MAX_BATCH offsets wide, and is written only after all of the partition before it has been
acknowledged. So whatever lies MAX_BATCH below the highest offset held is there for sure.

Candles are computed by the archive from distinct occurrences that were not retracted. Amounts are fixed-point
integers (CONTRACT units: 10^-6 USD, 10^-18 tokens), times epoch milliseconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol, Self

from swapstats.domain.swap import Swap
from swapstats.ports.swap_source import SourceIdentity

MAX_BATCH = 20_000
"""How many offsets of one partition a batch may span."""


class Row(NamedTuple):
    """A swap as it stands in the log. `late`: an addition that reached it more than the grace after its event time."""

    partition: int
    offset: int
    record_ms: int
    late: bool
    swap: Swap


class ArchiveGround(Protocol):
    """What the archive knows about its own reach; used by one thread. Every call may raise ArchiveUnavailable or
    another ArchiveError. `source` is the name that rows carry; `incarnation` tells it from the name that the broker
    gives its log."""

    def incarnation(self, named: SourceIdentity) -> SourceIdentity:
        """Where rows of the log belong that its broker names so: the incarnation that was begun last."""

    def highest(self, source: SourceIdentity, partitions: Sequence[int]) -> Mapping[int, int]:
        """The highest offset held of each partition; those without a row are left out."""

    def held(self, source: SourceIdentity, partition: int, first: int, last: int) -> set[int]:
        """Which offsets from `first` to `last` are held."""

    def refreshed(self, source: SourceIdentity, partitions: Sequence[int]) -> Mapping[int, int]:
        """Up to which offset (not including it) the candles know every record of each partition. So all that is valid
        below it is held, or was noted as missing."""


class ArchiveWriter(ArchiveGround, Protocol):
    """What an archiver needs."""

    def set_aside(self, named: SourceIdentity, source: SourceIdentity) -> None:
        """Begin another incarnation, since the log is not the one that the rows of `source` came from."""

    def note_missing(self, source: SourceIdentity, partition: int, first: int, end: int) -> None:
        """Remember that the log no longer had the offsets from `first` up to `end` (not including it) when they were
        to be archived."""

    def insert(self, source: SourceIdentity, rows: Sequence[Row]) -> None:
        """Writes a batch; writing the very same again changes nothing. After ArchiveUnavailable it may have been
        written, wholly or in part. Raises ArchiveRefused where a row can never be stored; nothing is written then."""

    def reject(self, source: SourceIdentity, row: Row, error: str) -> None:
        """Keeps aside a row that `insert` refused."""

    def refresh(self, source: SourceIdentity, written: Mapping[int, int]) -> bool:
        """Computes the candles anew that rows below the offsets in `written` have changed since the last time; False
        when there is more to do than one call does. Raises ArchiveUnavailable also where rows of old days cannot be
        reached; what came for other days is told by candles all the same."""

    def close(self) -> None: ...


class Slice(NamedTuple):
    """Stretches of the log, by partition from the first offset up to the second (not including it), that were written
    at about the same time; `records` is about how many there are in them."""

    records: int
    stretches: Mapping[int, tuple[int, int]]


class ArchiveReplay(ArchiveGround, Protocol):
    """What it takes to decide archived records anew."""

    def logs(self) -> Sequence[str]:
        """The names of the logs it holds, as `SourceIdentity.key`."""

    def since(
        self, source: SourceIdentity, partitions: Sequence[int], record_ms: int, event_ms: int
    ) -> Mapping[int, int]:
        """The first offset of each partition whose record was written at `record_ms` or later and tells of `event_ms`
        or later; partitions without one are left out."""

    def before(self, source: SourceIdentity, partition: int, offset: int) -> int | None:
        """The highest offset held among the MAX_BATCH below `offset`."""

    def missing(self, source: SourceIdentity, partition: int) -> Sequence[tuple[int, int]]:
        """What `note_missing` was told, as (first, end)."""

    def slices(self, source: SourceIdentity, stretches: Mapping[int, tuple[int, int]]) -> Sequence[Slice]:
        """Cuts the stretches into slices of bounded size, in the order in which they were written."""

    def rows(self, source: SourceIdentity, part: Slice) -> Iterator[Sequence[Row]]:
        """What is held of a slice, in pieces of a few thousand: each partition's rows once and in the order of their
        offsets, partitions beside each other by the time of their records. Rejected rows are among them; `pool_address`
        and `trader`, of which windows know nothing, are left out."""

    def close(self) -> None: ...


class SchemaChange(Protocol):
    """A step in the history of the archive's tables."""

    @property
    def version(self) -> int: ...

    @property
    def name(self) -> str: ...


class ArchiveSchema(Protocol):
    """The archive's tables. Every call may raise ArchiveError."""

    @property
    def newest(self) -> int:
        """The version that this program wants."""

    def pending(self) -> Sequence[SchemaChange]:
        """What is missing, in order."""

    def migrate(self) -> Sequence[SchemaChange]:
        """Makes the tables as wanted, and gives rows the configured time to live; what was missing. Safe to repeat."""

    def is_tiered(self) -> bool:
        """Whether rows move to a cold volume as they age."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Interval(Enum):
    """A candle's width in milliseconds."""

    MINUTE = 60_000
    MINUTES_5 = 300_000
    MINUTES_15 = 900_000
    HOUR = 3_600_000
    HOURS_4 = 14_400_000
    DAY = 86_400_000


class Token(NamedTuple):
    chain_id: int
    address: str


class Price(NamedTuple):
    """What a swap paid: a ratio, kept exact."""

    usd: int
    token: int


class Candle(NamedTuple):
    """Sums over the swaps from `start_ms` on; prices are those of single swaps, None where none has a price."""

    start_ms: int
    swaps: int
    buys: int
    buy_usd: int
    sell_usd: int
    token: int
    open: Price | None
    high: Price | None
    low: Price | None
    close: Price | None
    traders: int
    """Distinct traders, estimated above a few tens of thousands (uniqCombined64)."""


class TradeKey(NamedTuple):
    """A trade's place in a token's history. `height` is the block's number, 0 where it is not known; `block` tells
    blocks apart: `#` and its hash, or `@` and its number, or nothing."""

    event_time_ms: int
    height: int
    log_index: int
    tx_hash: str
    block: str


class Trade(NamedTuple):
    """One occurrence. `retracted`: a reorganisation took it out of the chain again."""

    key: TradeKey
    swap: Swap
    late: bool
    retracted: bool


class ArchiveReader(Protocol):
    """What history needs; thread-safe. Every call raises ArchiveUnavailable where the answer takes too long."""

    def candles(self, token: Token, interval: Interval, from_ms: int, to_ms: int, late: bool) -> list[Candle]:
        """Those that start from `from_ms` (inclusive) to `to_ms` (exclusive) and have swaps, oldest first. `late`
        counts late swaps too."""

    def trades(self, token: Token, before: TradeKey | None, limit: int) -> list[Trade]:
        """At most `limit` occurrences, newest first, from just before that place on."""

    def knows(self, token: Token) -> bool:
        """Whether it ever had a swap of this token."""

    def close(self) -> None: ...
