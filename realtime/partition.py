"""One partition's share of the live view: where it stands, and how it stood at the end of the bucket before.

Parts of two partitions add up only when both are evaluated in the same bucket, and their workers' messages cross a
bucket's edge moments apart. So a partition keeps what its latest bucket changed, and can be asked for either side.
"""

from typing import NamedTuple

from swapstats.domain.window import Window, finest_bucket_ms
from swapstats.ports.live_store import LiveMeta, read_windows


class Entry(NamedTuple):
    """A token's encoded part, the seq of the step that wrote it, and that of the last one that corrected it by a
    retraction (0: none). One that is gone counts as zero; its data still tell symbol and last event."""

    seq: int
    data: bytes
    reorg_seq: int = 0
    gone: bool = False


class Share(NamedTuple):
    """A token's entry in one partition, and where that partition stood when this held."""

    number: int
    entry: Entry
    meta: LiveMeta


class PartitionState:
    """Mutable, and guarded by the view's lock. `gone` names the tokens whose entries are gone but not yet forgotten."""

    __slots__ = ("bucket", "bucket_ms", "earlier", "earlier_meta", "entries", "gone", "meta", "number", "windows")

    def __init__(self, number: int, meta: LiveMeta, entries: dict[str, Entry]) -> None:
        self.number = number
        self.meta = meta
        self.windows: tuple[Window, ...] = read_windows(meta.windows)
        self.bucket_ms = finest_bucket_ms(self.windows)
        self.bucket = meta.as_of_ms // self.bucket_ms
        self.entries = entries
        self.gone: set[str] = set()
        self.earlier: dict[str, Entry | None] = {}
        self.earlier_meta: LiveMeta | None = None

    @property
    def earlier_bucket(self) -> int | None:
        return self.earlier_meta.as_of_ms // self.bucket_ms if self.earlier_meta else None

    def leaves_bucket(self, as_of_ms: int) -> bool:
        return as_of_ms // self.bucket_ms != self.bucket

    def advance(self, meta: LiveMeta) -> None:
        """Stand at `meta`; where that is another bucket, what was held until now becomes the earlier side."""
        if self.leaves_bucket(meta.as_of_ms):
            self.earlier, self.earlier_meta = {}, self.meta
            self.bucket = meta.as_of_ms // self.bucket_ms
        self.meta = meta

    def write(self, token_id: str, seq: int, data: bytes, *, reorged: bool) -> None:
        before = self._remember(token_id)
        reorg_seq = seq if reorged else before.reorg_seq if before else 0
        self.entries[token_id] = Entry(seq, data, reorg_seq)
        self.gone.discard(token_id)

    def remove(self, token_id: str, seq: int, *, reorged: bool) -> None:
        before = self._remember(token_id)
        if before:
            self.entries[token_id] = Entry(seq, before.data, seq if reorged else before.reorg_seq, gone=True)
            self.gone.add(token_id)

    def forget(self, token_id: str) -> None:
        del self.entries[token_id]
        self.gone.discard(token_id)

    def at(self, token_id: str, bucket: int) -> Share | None:
        """What this partition held of the token in that bucket. Raises LookupError where that is not known any more."""
        if bucket == self.bucket:
            entry, meta = self.entries.get(token_id), self.meta
        elif self.earlier_meta and bucket == self.earlier_bucket:
            known = token_id in self.earlier
            entry = self.earlier[token_id] if known else self.entries.get(token_id)
            meta = self.earlier_meta
        else:
            raise LookupError(f"partition {self.number} holds nothing of bucket {bucket} any more")
        return Share(self.number, entry, meta) if entry else None

    def _remember(self, token_id: str) -> Entry | None:
        before = self.entries.get(token_id)
        self.earlier.setdefault(token_id, before)
        return before


def continues(held: LiveMeta, new: LiveMeta) -> bool:
    """Whether both stand on one line of steps with the same windows."""
    return held.live_epoch == new.live_epoch and held.windows == new.windows
