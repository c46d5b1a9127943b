"""A token's stats as the sum of its parts."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from realtime.partition import Entry, Share, continues
from swapstats.domain.part_codec import decode_part
from swapstats.domain.stats import EMPTY_WINDOW, Part, merge_parts
from swapstats.domain.window import Window
from swapstats.ports.live_store import read_windows


class TokenView(NamedTuple):
    """A token's stats as of `as_of_ms`; immutable.

    `seq` grows with every change while `epoch` stays the same; another epoch says that continuity is lost. `reorg_seq`
    changes whenever a retraction corrected the token. `windows` describes `part.windows`, in that order, and they miss
    nothing from `complete_since_ms` on. A token that is not `known` has no swap in any window.
    """

    token_id: str
    symbol: str | None
    as_of_ms: int
    epoch: str
    seq: int
    part: Part
    complete_since_ms: int
    reorg_seq: int
    windows: tuple[Window, ...]
    known: bool


def same_entries(one: Sequence[Share], other: Sequence[Share]) -> bool:
    if len(one) != len(other):
        return False
    return all(
        a.entry is b.entry and a.number == b.number and continues(a.meta, b.meta)
        for a, b in zip(one, other, strict=True)
    )


def later(view: TokenView, shares: Sequence[Share], complete_since_ms: int) -> TokenView:
    """The same stats at a later time."""
    return view._replace(
        as_of_ms=min(share.meta.as_of_ms for share in shares),
        complete_since_ms=complete_since_ms,
    )


def merge_shares(token_id: str, shares: Sequence[Share], complete_since_ms: int) -> TokenView:
    if len(shares) == 1:
        return _alone(token_id, shares[0], complete_since_ms)
    part = merge_parts([_part_of(share.entry) for share in shares])
    return TokenView(
        token_id,
        part.symbol,
        min(share.meta.as_of_ms for share in shares),
        _epoch_of(tuple((share.number, share.meta.live_epoch) for share in shares)),
        sum(share.entry.seq for share in shares),
        part,
        complete_since_ms,
        sum(share.entry.reorg_seq for share in shares),
        read_windows(shares[0].meta.windows),
        known=not all(share.entry.gone for share in shares),
    )


def _alone(token_id: str, share: Share, complete_since_ms: int) -> TokenView:
    """The sum of one, which most tokens are: their swaps come in one partition."""
    _, entry, meta = share
    part = _part_of(entry)
    return TokenView(
        token_id,
        part.symbol,
        meta.as_of_ms,
        meta.live_epoch,
        entry.seq,
        part,
        complete_since_ms,
        entry.reorg_seq,
        read_windows(meta.windows),
        not entry.gone,
    )


def _part_of(entry: Entry) -> Part:
    part = decode_part(entry.data)
    if not entry.gone:
        return part
    return Part(part.symbol, part.last_event_ms, None, (EMPTY_WINDOW,) * len(part.windows))


@lru_cache(maxsize=4096)
def _epoch_of(contributors: tuple[tuple[int, str], ...]) -> str:
    """The live epoch of the only contributor, or a digest that changes with any of theirs and with who they are."""
    if len(contributors) == 1:
        return contributors[0][1]
    text = ",".join(f"{number}:{epoch}" for number, epoch in sorted(contributors))
    return blake2b(text.encode(), digest_size=8).hexdigest()
