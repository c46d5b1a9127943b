"""The made-up feed is deterministic and full of everything; recordings keep their buckets when moved in time."""

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from aggregator.feeds.journal import Journal, read_journal
from aggregator.feeds.market import Market
from aggregator.feeds.pace import Pace
from aggregator.feeds.recording import read_recording
from aggregator.feeds.stream import KeyBy, Outgoing, Shares, SwapStream
from swapstats.domain.errors import ConfigError
from swapstats.ports.swap_sink import Sent
from tests.oracle import Oracle

NOW_MS = 1_800_000_000_000
GRACE_MS, MAX_BYTES = 120_000, 100_000
MANY = Shares(0.05, 0.02, 0.1, 0.05, 0.05, 0.5, 0.3)
REASONS = {
    "malformed_json",
    "missing_field",
    "bad_field",
    "event_id_mismatch",
    "from_the_future",
    "unsupported_schema_version",
    "too_large",
}


def feed(count: int, seed: int = 1, shares: Shares = MANY, key_by: KeyBy = "token") -> list[Outgoing]:
    rng = random.Random(seed)
    stream = SwapStream(Market(rng, 20, 1.0), shares, rng, key_by, GRACE_MS, MAX_BYTES)
    records = [stream.next(NOW_MS + i * 10) for i in range(count)]
    return records + stream.drain(NOW_MS + count * 10)


def judged(records: Sequence[Outgoing]) -> Oracle:
    oracle = Oracle(max_bytes=MAX_BYTES)
    oracle.records((record.value, record.timestamp_ms) for record in records)
    return oracle


def test_the_same_seed_gives_the_same_records() -> None:
    assert feed(500, seed=7) == feed(500, seed=7)
    assert feed(500, seed=7) != feed(500, seed=8)


def test_it_has_every_outcome_and_every_reason() -> None:
    oracle = judged(feed(20_000))
    kinds = {"applied", "late", "duplicate", "retracted", "parked", "cancelled", "dead_lettered"}
    assert kinds <= oracle.outcomes.keys()
    assert oracle.reasons.keys() == REASONS


def test_without_shares_every_record_counts() -> None:
    records = feed(2_000, shares=Shares(0, 0, 0, 0, 0))
    assert judged(records).outcomes == {"applied": 2_000}


def test_what_is_put_off_is_sent_in_the_end() -> None:
    oracle = judged(feed(5_000, shares=Shares(0, 0, 0, 0, reorged=0.2, reincluded=0, retracted_first=0)))
    assert oracle.outcomes["parked"] == 0
    assert len(oracle.counted) == oracle.outcomes["applied"] - oracle.outcomes["retracted"]
    assert oracle.outcomes["retracted"] > 500


@pytest.mark.parametrize(("key_by", "keys"), [("none", 1), ("token", 20)])
def test_keys(key_by: KeyBy, keys: int) -> None:
    assert len({record.key for record in feed(5_000, key_by=key_by)}) == keys


def test_a_journal_gives_back_what_was_sent(tmp_path: Path) -> None:
    sent = [Sent(b"k", b'{"a": 1}', 5, 0, 1), Sent(None, b"\xff\x00", 6, 3, 2)]
    for path in (tmp_path / "plain.jsonl", tmp_path / "small.jsonl.gz"):
        journal = Journal(path)
        for record in sent:
            journal.write(record)
        journal.close()
        assert list(read_journal(path)) == sent


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_the_pace_makes_up_for_slow_moments_and_ends_exactly() -> None:
    clock = Clock()
    pace = Pace(rate=100, duration_s=2, monotonic=lambda: clock.now, sleep=clock.sleep)
    counts = [pace.due()]
    clock.now += 0.5
    counts.append(pace.due())
    assert counts[1] >= 49
    while (due := pace.due()) >= 0:
        counts.append(due)
    assert sum(counts) == pace.sent == 200


def write_recording(path: Path, times: Sequence[int]) -> Path:
    events = [
        {"chain_id": 1, "token_address": "0xaa", "event_time": time, "log_index": i} for i, time in enumerate(times)
    ]
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)
    return path


def test_a_recording_is_moved_by_whole_buckets_and_never_into_the_future(tmp_path: Path) -> None:
    times = [1_700_000_000_000, 1_700_000_061_500, 1_700_000_030_000]
    recording = read_recording(write_recording(tmp_path / "r.jsonl.gz", times), 1_500).shifted_to(NOW_MS, 60_000)
    moved = [json.loads(record.value)["event_time"] for record in recording.records]
    assert {(after - before) % 60_000 for before, after in zip(times, moved, strict=True)} == {0}
    newest = max(record.timestamp_ms for record in recording.records)
    assert NOW_MS - 60_000 < newest <= NOW_MS
    assert [record.timestamp_ms for record in recording.records] == [time + 1_500 for time in moved]


@pytest.mark.parametrize("line", ["{", "[]", '{"event_time": "yesterday"}', '{"chain_id": 1}'])
def test_a_broken_recording_names_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text('{"event_time": 1}\n' + line + "\n")
    with pytest.raises(ConfigError, match="line 2: expected a swap event"):
        read_recording(path, 0)


def test_an_empty_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(ConfigError, match="the file is empty"):
        read_recording(tmp_path / "empty.jsonl", 0)
