"""The live view as every web process can load it: the latest part of each token, per partition.

A partition's parts change in steps numbered by `seq`, which only grows while its `live_epoch` stays the same. A new
live epoch says that continuity is lost: what was seen under the old one is void.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from swapstats.domain.window import Window


class LiveMeta(NamedTuple):
    """Where a partition's live view stands: evaluated at `as_of_ms` from all records below `offset`.

    `complete_since_ms` is the event time from which on its windows miss nothing (0: always).
    `windows` names the windows in the order of the parts' windows, as "5m/300000/5000,…".
    """

    live_epoch: str
    seq: int
    as_of_ms: int
    offset: int
    complete_since_ms: int
    windows: str


def describe_windows(windows: Sequence[Window]) -> str:
    """The windows as `LiveMeta.windows` names them."""
    return ",".join(f"{window.name}/{window.length_ms}/{window.bucket_ms}" for window in windows)


@lru_cache(maxsize=16)
def read_windows(description: str) -> tuple[Window, ...]:
    """What `describe_windows` described. Raises ValueError for anything else."""
    fields = (text.split("/") for text in description.split(","))
    return tuple(Window(name, int(length), int(bucket)) for name, length, bucket in fields)


ANNOUNCED = ""
"""The live epoch of a partition of which nobody has published anything yet."""


class Step(NamedTuple):
    """One step of a partition: the parts that changed (encoded) and the tokens that are gone, on top of `prev_seq`.
    Equal `prev_seq` and `meta.seq` say that only time has passed."""

    partition: int
    prev_seq: int
    meta: LiveMeta
    parts: Mapping[str, bytes]
    gone: Sequence[str]
    reorged: Sequence[str]
    """Tokens among `parts` or `gone` that a retraction corrected in this step."""
    whole: bool = False
    """`parts` are all there is: what else the partition held is gone. So is the first step of a live epoch, and that
    of a worker which continues one without knowing what tokens it held."""


class LivePartition(NamedTuple):
    """All of a partition, as loaded. A part comes with the seq of the step that wrote it."""

    meta: LiveMeta
    parts: Mapping[str, tuple[int, bytes]]


class LiveWriter(Protocol):
    """What a worker writes. Fenced by the lease's epoch, like checkpoints."""

    def open(self, partition: int, epoch: int) -> LiveMeta | None:
        """Where the view of this partition stands, None where there is none to continue: a fresh one, or one whose
        store has lost writes since, gets a new live epoch with its first step."""

    def announce(self, partitions: int, windows: str, now_ms: int) -> None:
        """Let readers know that the log has so many partitions: those of which the store holds nothing yet appear
        with the live epoch ANNOUNCED, without parts, and complete since now at the earliest."""

    def publish(self, steps: Sequence[Step], epochs: Mapping[int, int]) -> Sequence[int]:
        """Write the steps in one atomic step, and give those of their partitions that an operator wants saved now.
        Raises Fenced (nothing is written then) or StoreUnavailable."""


class LiveReader(Protocol):
    """What a web process loads; asynchronous. Raises StoreUnavailable."""

    async def now_ms(self) -> int:
        """Epoch milliseconds on the clock that workers evaluate by."""

    async def source(self) -> str:
        """Key of the log that is live now; empty where no worker has ever published."""

    async def partitions(self, source: str) -> Mapping[int, LiveMeta]:
        """Where each partition of that log stands."""

    async def load(self, source: str, partition: int) -> LivePartition | None:
        """The whole of a partition at one instant."""

    async def close(self) -> None:
        """Let go of the connection."""
