"""How long a worker takes to restore a day: `python -m tests.load.bench_restore`.

A checkpoint of 24 hours is written into a real Redis, with so many tokens active in every minute, and restored as a
worker does when it takes the partition.
"""

import random
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from statistics import median

from aggregator.snapshot.codec import decode_segment, encode_segment
from aggregator.windows.engine import WindowEngine
from aggregator.windows.segments import OpenSegment, PackedSegment
from settings.config import RedisStore
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.redis.checkpoint_store import RedisCheckpointStore
from swapstats.adapters.redis.session import RedisSession
from swapstats.domain.window import Window
from swapstats.garbage import spare_the_collector
from swapstats.ports.checkpoint_store import CheckpointMeta, SegmentKey
from swapstats.ports.swap_source import SourceIdentity
from tests.load.report import SCALING, Row, publish

MINUTE_MS, FIVE_SECONDS_MS = 60_000, 5_000
MARGIN_MS = 180_000
RUNS = 5
WINDOWS = (
    Window("5m", 300_000, FIVE_SECONDS_MS),
    Window("1h", 3_600_000, MINUTE_MS),
    Window("24h", 86_400_000, MINUTE_MS),
)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--active", type=int, default=2_000, help="tokens active in each minute (default: 2000)")
    parser.add_argument("--tokens", type=int, default=20_000, help="tokens altogether (default: 20000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, RedisServer(Path(directory)) as server:
        publish("restoring a day", restore(server.url(), options.active, options.tokens), SCALING)


def restore(url: str, active: int, tokens: int) -> list[Row]:
    spare_the_collector()
    session = RedisSession.open(RedisStore(url=url))
    store = RedisCheckpointStore(session, "bench:", SourceIdentity("bench", "swaps", ""), 86_400_000)
    now_ms = time.time_ns() // 1_000_000
    size = fill(store, now_ms, active, tokens)
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        engine = take(store, now_ms)
        times.append(time.perf_counter() - began)
    assert len(engine.tokens()) > active
    return [
        (f"a day restored, median of {RUNS}", f"{median(times):.1f} s"),
        ("the shortest and the longest", f"{min(times):.1f} s, {max(times):.1f} s"),
        ("its rows (token and minute)", f"{active * 1_440:,}"),
        ("tokens in its windows", f"{len(engine.tokens()):,}"),
        ("its size in Redis", f"{size / 2**20:.0f} MiB"),
    ]


def take(store: RedisCheckpointStore, now_ms: int) -> WindowEngine:
    """As a worker takes a partition."""
    store.take(0, "bench")
    engine = WindowEngine(WINDOWS, MARGIN_MS, now_ms)
    for key, data in store.segments(0):
        engine.load(key.width_ms, key.bucket, decode_segment(data))
    return engine


def fill(store: RedisCheckpointStore, now_ms: int, active: int, tokens: int) -> int:
    """Write a day's segments, an hour's at a time; gives their bytes."""
    rng, size = random.Random(11), 0
    names = [f"1:0x{rng.getrandbits(160):040x}" for _ in range(tokens)]
    spans = [(MINUTE_MS, 1_440), (FIVE_SECONDS_MS, (300_000 + MARGIN_MS) // FIVE_SECONDS_MS)]
    keys = [SegmentKey(width, now_ms // width - back) for width, count in spans for back in range(count)]
    lease = store.take(0, "fill")
    for revision, first in enumerate(range(0, len(keys), 60), 1):
        segments = {key: segment(rng, key, names, active) for key in keys[first : first + 60]}
        store.save(lease, CheckpointMeta(revision, 1, {"applied": 1}, 0, now_ms), segments, [])
        size += sum(map(len, segments.values()))
    return size


def segment(rng: random.Random, key: SegmentKey, names: list[str], active: int) -> bytes:
    """One bucket; a token's rows have amounts of 10^18 a token, as real ones."""
    count = max(1, active * key.width_ms // MINUTE_MS)
    rows: OpenSegment = {
        name: [
            rng.randrange(10**12),
            rng.randrange(10**12),
            rng.randrange(10**24),
            3,
            2,
            key.bucket * key.width_ms,
            "T",
        ]
        for name in rng.sample(names, count)
    }
    return encode_segment(PackedSegment.of(rows))


if __name__ == "__main__":
    main()
