"""Windows back from the archive: Redis is empty, the log has let go, and yet nothing is counted wrong."""

import time
from collections import Counter
from contextlib import closing

import pytest
import redis
from django.core.management import CommandError, call_command

from settings.config import Config
from swapstats.adapters.clickhouse import replay
from swapstats.adapters.clickhouse.connection import Connection
from swapstats.adapters.clickhouse.replay import ClickHouseReplay
from swapstats.adapters.clickhouse.swap_archive import ClickHouseArchive
from swapstats.domain.errors import ArchiveError, SourceChanged, StoreError
from swapstats.ports.swap_source import SourceIdentity
from tests.integration.archive_model import DAY_MS, GRACE_MS, NOON_MS, make_row, make_swap
from tests.integration.rebuild_scene import INVALID, NOW_MS, PARTITIONS, SKEW_MS, Scene, a_log, echoes
from tests.parts.topics import Broker

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka, pytest.mark.redis]


@pytest.fixture
def scene(kafka: Broker, redis_url: str, clickhouse: str) -> Scene:
    return Scene(kafka, redis_url, clickhouse)


@pytest.mark.parametrize("late_policy", ["drop", "apply"])
def test_windows_are_what_they_were_and_stay_exact_with_all_that_comes_later(scene, late_policy, monkeypatch):
    """Read in many small slices."""
    monkeypatch.setattr(replay, "SLICE_RECORDS", 40)
    scene.late_policy = scene.oracle.late_policy = late_policy
    rows = a_log(1)
    scene.write(rows[:200])
    scene.write_raw(1, NOON_MS, INVALID)
    scene.write(rows[200:])
    scene.archive()
    scene.let_go()
    scene.write(echoes(rows, 2) + a_log(3, 100))  # some of it after the archive's end, before the rebuild
    scene.rebuild()
    scene.write(echoes(rows, 4))
    scene.work()
    scene.check()
    assert {meta.complete_since_ms for meta in scene.live().values()} == {0}
    outcomes = sum((Counter(meta.outcomes) for meta in scene.saved().values()), Counter())
    assert outcomes + Counter(dead_lettered=1) == scene.oracle.outcomes


def test_decisions_that_the_ledger_kept_are_repeated(scene):
    rows = a_log(5)
    scene.write(rows)
    scene.archive()
    scene.work("earliest")
    before = scene.saved()
    scene.let_go()
    with redis.Redis.from_url(scene.url) as client:
        client.delete(*client.keys("t:s*"), *client.keys("t:live*"))  # all but the ledger
    scene.rebuild()
    assert {p: meta.outcomes for p, meta in scene.saved().items()} == {p: meta.outcomes for p, meta in before.items()}
    scene.write(echoes(rows, 6))
    scene.work()
    scene.check()


def test_partitions_are_decided_in_the_order_in_which_their_records_were_written(scene):
    """A late copy in the first partition came after the one in time in the last: it must not be taken for the first."""
    swaps = [make_swap(time_ms=NOON_MS + i * 1000, tx_hash=f"0x{i:064x}") for i in range(50)]
    scene.write([make_row(0, swap) for swap in swaps], lambda _: PARTITIONS - 1)
    scene.write([make_row(0, swap, delay_ms=2 * GRACE_MS) for swap in swaps], lambda _: 0)
    scene.archive()
    scene.let_go()
    scene.rebuild()
    scene.work()
    scene.check()
    assert scene.oracle.outcomes == Counter(applied=50, duplicate=50)


def test_only_what_can_still_matter_is_read(scene):
    old = [make_swap(time_ms=NOON_MS - DAY_MS + i * 1000, tx_hash=f"0x{i:064x}") for i in range(100)]
    scene.write([make_row(0, swap) for swap in old])
    scene.write(a_log(7, 50))
    scene.archive()
    scene.let_go()
    scene.now = NOW_MS + DAY_MS - 7_200_000
    scene.retention_ms = DAY_MS + GRACE_MS + SKEW_MS
    scene.rebuild()
    assert sum(Counter(meta.outcomes).total() for meta in scene.saved().values()) < 150
    scene.work()
    scene.check()


def test_what_a_snapshot_held_before_is_replaced(scene):
    """A worker began with an empty Redis and what little the log had; segments of its snapshot must not survive."""
    rows = a_log(8)
    scene.write(rows)
    scene.archive()
    scene.let_go()
    scene.write([make_row(0, make_swap(time_ms=NOW_MS - 60_000 + i, tx_hash=f"0x{i + 10**6:064x}")) for i in range(40)])
    scene.work("window")
    assert min(meta.complete_since_ms for meta in scene.saved().values()) > 0
    scene.rebuild()
    scene.work()
    scene.check()
    assert {meta.complete_since_ms for meta in scene.saved().values()} == {0}


def test_rejected_records_count_as_they_did(scene):
    rows = a_log(9, 60)
    scene.query("ALTER TABLE raw_swaps ADD CONSTRAINT odd CHECK log_index != 3")
    scene.write(rows)
    scene.archive()
    assert scene.query("SELECT count() FROM rejected_records")[0][0] > 5
    scene.let_go()
    scene.rebuild()
    scene.write(echoes(rows, 10))
    scene.work()
    scene.check()


def test_where_records_are_missing_the_windows_say_since_when_they_are_complete(scene):
    """Partition 0: the archive began late. 1: the log let go before the archive had read on. 2: nothing is missing."""
    swaps = [make_swap(time_ms=NOON_MS + i * 1000, tx_hash=f"0x{i:064x}") for i in range(60)]
    place = {0: swaps[:20], 1: swaps[20:40], 2: swaps[40:]}
    scene.write([make_row(0, swap) for swap in place[0][:10]], lambda _: 0)
    scene.let_go()
    for p in (1, 2):
        scene.write([make_row(0, swap) for swap in place[p][:5]], lambda _, p=p: p)
    scene.write([make_row(0, swap) for swap in place[0][10:]], lambda _: 0)
    scene.archive()
    scene.write([make_row(0, swap) for swap in place[1][5:10]], lambda _: 1)
    scene.let_go()
    for p in (1, 2):
        scene.write([make_row(0, swap) for swap in place[p][10:]], lambda _, p=p: p)
    scene.archive()
    scene.let_go()
    scene.rebuild()
    since = {p: meta.complete_since_ms for p, meta in scene.saved().items()}
    assert since == {0: NOON_MS + 11_000 + SKEW_MS, 1: NOON_MS + 31_000 + SKEW_MS, 2: 0}


def test_a_worker_that_takes_the_partition_meanwhile_is_left_alone(scene, monkeypatch):
    scene.write(a_log(11, 50))
    scene.archive()
    stores = scene.open_stores(scene.identity)
    fetch = ClickHouseReplay.rows

    def taken_first(self, source, part):
        stores.checkpoints.take(2, "worker")
        return fetch(self, source, part)

    with closing(stores):
        monkeypatch.setattr(ClickHouseReplay, "rows", taken_first)
        with pytest.raises(StoreError, match="a worker took partition 2 meanwhile"):
            scene.rebuild()
    assert scene.saved() == {}


def test_it_says_why_it_cannot(scene):
    with pytest.raises(ArchiveError, match=r"holds nothing of .*; it holds nothing at all"):
        scene.rebuild()
    other = SourceIdentity("elsewhere", "swaps", "")
    with Connection(scene.dsn) as connection:
        archive = ClickHouseArchive(connection)
        archive.insert(other, [make_row(0, make_swap())])
        archive.refresh(other, {0: 1})
        with pytest.raises(ArchiveError, match=f"it holds {other.key}"):
            scene.rebuild()
        archive.insert(scene.identity, [make_row(100, make_swap())])
    with pytest.raises(SourceChanged, match="up to 100, but the log ends at 0: it is another log"):
        scene.rebuild()


def test_a_snapshot_that_is_better_than_what_can_be_made_is_kept(scene):
    rows = a_log(12, 100)
    scene.write(rows[:50], lambda _: 0)
    scene.archive()
    scene.write(rows[50:], lambda _: 0)
    scene.work("earliest")
    scene.let_go()
    saved = scene.saved()
    with pytest.raises(StoreError, match=r"has a snapshot at offset \d+, but the archive ends at \d+"):
        scene.rebuild(0)
    assert scene.saved() == saved


def test_the_command_does_it_with_the_configured_parts(scene, monkeypatch, capsys):
    """On Redis's own clock, under the configured names."""
    now_ms = int(time.time() * 1000)
    swaps = [make_swap(time_ms=now_ms - 60_000 + i, tx_hash=f"0x{i:064x}") for i in range(30)]
    scene.write([make_row(0, swap) for swap in swaps], lambda _: 2)
    scene.archive()
    stores = {"clickhouse": {"dsn": scene.dsn}, "redis": {"url": scene.url}}
    config = Config(ingest=scene.ingest.model_dump(exclude_unset=True), stores=stores)
    monkeypatch.setattr("aggregator.management.commands.snapshots.load_config", lambda: config)
    call_command("snapshots", "rebuild", "2")
    assert "partition 2: 30 records from offset 0 to 30, 1 tokens" in capsys.readouterr().out
    call_command("snapshots", "show", "2")
    assert "30 applied" in capsys.readouterr().out
    with pytest.raises(CommandError, match="the archive holds nothing of"):
        call_command("snapshots", "rebuild", "3")


def test_partitions_may_be_named(scene):
    scene.write(a_log(13, 100))
    scene.archive()
    scene.rebuild(1, 3)
    assert scene.saved().keys() == {1, 3}
    assert any(line.startswith("partition 3: ") and "saved" in line for line in scene.said)
