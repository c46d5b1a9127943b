"""What is in a snapshot, for people."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from aggregator.snapshot.codec import decode_segment
from swapstats.ports.checkpoint_store import SegmentKey


class Summary(NamedTuple):
    """`buckets` counts the segments by their width in milliseconds; `volumes` holds the USD volume, in 10^-6 dollars,
    of each token in all buckets of the widest kind."""

    buckets: Counter[int]
    volumes: Counter[str]


def summarize(segments: Iterable[tuple[SegmentKey, bytes]]) -> Summary:
    """Raises StoreError where a segment cannot be read."""
    buckets: Counter[int] = Counter()
    volumes: dict[int, Counter[str]] = defaultdict(Counter)
    for key, data in segments:
        buckets[key.width_ms] += 1
        segment = decode_segment(data)
        for token, bought, sold in zip(segment.tokens, segment.buy_usd, segment.sell_usd, strict=True):
            volumes[key.width_ms][token] += bought + sold
    return Summary(buckets, volumes[max(buckets)] if buckets else Counter())
