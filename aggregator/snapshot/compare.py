"""The live view of a partition against what its snapshot says: two ways to the same numbers."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from aggregator.snapshot.codec import decode_segment
from aggregator.windows.engine import WindowEngine
from swapstats.domain.part_codec import decode_part
from swapstats.domain.stats import EMPTY_WINDOW, WindowPart
from swapstats.ports.checkpoint_store import SegmentKey
from swapstats.ports.live_store import LivePartition, read_windows


class Difference(NamedTuple):
    """A window of a token in which both do not agree."""

    token: str
    window: str
    live: WindowPart
    recomputed: WindowPart


class Comparison(NamedTuple):
    """How many tokens were compared, at `as_of_ms`, and where both differ."""

    tokens: int
    as_of_ms: int
    differences: list[Difference]


def compare(segments: Iterable[tuple[SegmentKey, bytes]], live: LivePartition, margin_ms: int) -> Comparison:
    """Recompute all windows from the segments, as of the live view's time. Raises StoreError for one that cannot be
    read."""
    windows = read_windows(live.meta.windows)
    engine = WindowEngine(windows, margin_ms, live.meta.as_of_ms)
    for key, data in segments:
        engine.load(key.width_ms, key.bucket, decode_segment(data))
    tokens = sorted(engine.tokens() | live.parts.keys())
    names = [window.name for window in windows]
    return Comparison(len(tokens), live.meta.as_of_ms, list(_differences(tokens, names, engine, live)))


def _differences(
    tokens: list[str], names: list[str], engine: WindowEngine, live: LivePartition
) -> Iterator[Difference]:
    nothing = (EMPTY_WINDOW,) * len(names)
    for token in tokens:
        part, (_, data) = engine.part(token), live.parts.get(token, (0, b""))
        recomputed = part.windows if part else nothing
        shown = decode_part(data).windows if data else nothing
        for name, one, other in zip(names, shown, recomputed, strict=True):
            if one[:5] != other[:5]:
                yield Difference(token, name, one, other)
