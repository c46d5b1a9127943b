"""Who may write a partition's state: the epoch in its checkpoint says."""

from collections.abc import Sequence

from swapstats.domain.errors import Fenced, StoreError
from swapstats.ports.swap_source import SourceIdentity


def checkpoint_key(prefix: str, source: SourceIdentity, partition: int | str) -> str:
    """The hash with a partition's `epoch`, `owner`, `revision` and the rest of its checkpoint's meta."""
    return f"{prefix}snap:{source.key}:{partition}"


def raise_if_fenced(error: StoreError, partitions: Sequence[int]) -> None:
    """Scripts answer "FENCED n" where the n-th of the partitions they were given belongs to somebody else now."""
    words = str(error.__cause__).split()
    if "FENCED" not in words:
        return
    partition = partitions[int(words[words.index("FENCED") + 1]) - 1]
    raise Fenced(f"partition {partition} was taken over, or its state moved on without us", partition) from error
