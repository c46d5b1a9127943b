"""How the partitions stand: their snapshots, the log's ends, and what is wrong with them, if anything."""

from contextlib import closing
from typing import NamedTuple

from aggregator.snapshot.checkpoint import REFRESH_MS
from settings.config import load_config
from swapstats import bootstrap
from swapstats.domain.errors import SourceError
from swapstats.ports.checkpoint_admin import CheckpointAdmin, HeldCheckpoint
from swapstats.ports.live_store import LiveMeta
from swapstats.ports.swap_source import SourceIdentity

STALE_INTERVALS = 3


class Row(NamedTuple):
    """One partition. `end` is where its log ends (None: not known), `live` where its live view stands."""

    source: SourceIdentity
    held: HeldCheckpoint
    live: LiveMeta | None
    end: int | None
    now_ms: int

    @property
    def name(self) -> str:
        return f"{self.source.key}/{self.held.partition}"

    @property
    def lag(self) -> int | None:
        """Records that are not in the snapshot yet."""
        if self.end is None or self.held.meta is None:
            return None
        return max(0, self.end - self.held.meta.next_offset)

    @property
    def age_s(self) -> float | None:
        return (self.now_ms - self.held.meta.saved_at_ms) / 1000 if self.held.meta else None

    @property
    def live_age_s(self) -> float | None:
        return (self.now_ms - self.live.as_of_ms) / 1000 if self.live else None

    @property
    def trouble(self) -> str:
        """What is wrong, and what helps; empty where nothing is."""
        age_s, live_age_s, interval_s = self.age_s, self.live_age_s, load_config().app.snapshot_interval_ms / 1000
        if age_s is None:
            return "No snapshot yet: its worker is still reading, or no worker runs."
        if age_s > REFRESH_MS / 1000 + STALE_INTERVALS * interval_s:
            return "Nobody saves it: no worker runs, or its worker hangs. Release it, so that another takes it."
        if live_age_s is not None and live_age_s > load_config().api.http.stale_after_ms / 1000:
            return "Its live view stands still: its worker is catching up, or hangs. If it stays so, release it."
        return ""


class Survey(NamedTuple):
    """`broker_trouble` says why the log's ends are not known."""

    rows: list[Row]
    broker_trouble: str


def survey() -> Survey:
    """All partitions of all logs that have snapshots. Raises StoreUnavailable."""
    now_ms = bootstrap.view_feed().now_ms()
    ends, trouble = log_ends()
    with closing(bootstrap.checkpoint_admin(load_config())) as admin:
        rows = [
            Row(source, held, _live_of(source, held.partition), ends.get((source.topic, held.partition)), now_ms)
            for source in admin.sources()
            for held in admin.checkpoints(source)
        ]
    return Survey(rows, trouble)


def find(admin: CheckpointAdmin, name: str) -> Row | None:
    """The partition of this name. Raises StoreUnavailable."""
    key, _, number = name.rpartition("/")
    for source in admin.sources():
        if source.key == key and number.isdecimal():
            found = (held for held in admin.checkpoints(source) if held.partition == int(number))
            if held := next(found, None):
                end = log_ends()[0].get((source.topic, held.partition))
                return Row(source, held, _live_of(source, held.partition), end, bootstrap.view_feed().now_ms())
    return None


def _live_of(source: SourceIdentity, partition: int) -> LiveMeta | None:
    view = bootstrap.live_view()
    return view.metas().get(partition) if view.source == source.key else None


def log_ends() -> tuple[dict[tuple[str, int], int], str]:
    """Where the partitions of the configured log end, by topic and number; or why that is not known."""
    topic = load_config().ingest.topic
    try:
        with closing(bootstrap.swap_log(load_config())) as log:
            return {(topic, number): log.bounds(number)[1] for number in range(log.partition_count())}, ""
    except SourceError as error:
        return {}, str(error)
