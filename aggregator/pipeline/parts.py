"""What the pipeline is made of and set to; the bootstrap puts it together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from swapstats.domain.window import Window, longest_ms
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.ports.clock import Clock
from swapstats.ports.ledger import Ledger
from swapstats.ports.live_store import LiveWriter
from swapstats.ports.swap_source import SourceIdentity


@dataclass(frozen=True)
class PipelineSettings:
    """Times in milliseconds, sizes in bytes; what they mean stands in docs/configuration.md."""

    windows: tuple[Window, ...]
    grace_ms: int
    max_skew_ms: int
    late_policy: Literal["drop", "apply"]
    snapshot_interval_ms: int
    coalesce_ms: int
    start: Literal["window", "latest", "earliest"]
    max_bytes: int
    max_invalid_share: float
    invalid_sample: int
    batch_max: int

    @property
    def counts_late(self) -> bool:
        """Whether late swaps count in the windows."""
        return self.late_policy == "apply"

    @property
    def margin_ms(self) -> int:
        """How long a bucket is kept after it left its windows."""
        return self.grace_ms + self.max_skew_ms

    @property
    def reach_ms(self) -> int:
        """How far back a record can still matter to a window."""
        return longest_ms(self.windows) + self.margin_ms


class StateStores(NamedTuple):
    """Everything that one connection to the state store gives. It is all void once any of it raises StoreUnavailable;
    `close` never raises.

    `source` names the log under which all of it is kept. `set_aside` begins another incarnation of that log, with no
    state, and fences off whoever still writes under this one: for a log that is not the one its state came from.
    """

    source: SourceIdentity
    set_aside: Callable[[], None]
    ledger: Ledger
    checkpoints: CheckpointStore
    live: LiveWriter
    clock: Clock
    close: Callable[[], None]


OpenStores = Callable[[SourceIdentity], StateStores]
"""Connects anew, for the log as its broker names it. Raises StoreUnavailable."""
