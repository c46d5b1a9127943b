"""Hot on disk, cold on S3, with the configuration that docker/clickhouse has."""

import time
from functools import partial
from pathlib import Path

import pytest

from swapstats.adapters.clickhouse.connection import Connection
from swapstats.adapters.clickhouse.history import ClickHouseHistory
from swapstats.adapters.clickhouse.pool import Pool
from swapstats.adapters.clickhouse.schema import Deployment, Schema
from swapstats.adapters.clickhouse.swap_archive import ClickHouseArchive
from swapstats.adapters.embedded.clickhouse.process import ClickHouseServer
from swapstats.domain.errors import ArchiveError, ArchiveUnavailable, PartError
from swapstats.ports.swap_archive import Interval
from tests.integration.archive_model import DAY_MS, SOURCE, TOKENS, make_row, make_swap
from tests.parts.clickhouse import need_engine

pytestmark = pytest.mark.clickhouse

PROJECT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 60
AGES = (0, 1, 100, 200)


class Tiers:
    """An archive on both volumes, with ten swaps of each age in days."""

    def __init__(self, server: ClickHouseServer) -> None:
        self.dsn = server.dsn()
        self.connection = Connection(self.dsn)
        self.archive = ClickHouseArchive(self.connection)
        self.history = ClickHouseHistory(Pool(partial(Connection, self.dsn), 1, 5))
        self.now_ms = int(time.time() * 1000) // DAY_MS * DAY_MS
        self.offset = 0

    def migrate(self, hot_days: int = 90) -> None:
        deployment = Deployment("", "hot_to_s3", hot_days, 365)
        with Schema(lambda database: Connection(self.dsn, database=database), "swaps", deployment) as schema:
            schema.migrate()
            assert schema.is_tiered()

    def add(self, *ages: int) -> None:
        for age in ages:
            rows = [make_row(self.offset + i, self._swap(age, self.offset + i)) for i in range(10)]
            self.archive.insert(SOURCE, rows)
            self.offset += 10

    def _swap(self, age: int, number: int):
        return make_swap(time_ms=self.now_ms - age * DAY_MS + number, tx_hash=f"0x{number:064x}")

    def rows_by_disk(self) -> dict[str, int]:
        return dict(
            self.connection.query(
                "SELECT disk_name, sum(rows) FROM system.parts "
                "WHERE database = 'swaps' AND table = 'raw_swaps' AND active GROUP BY disk_name"
            )
        )

    def wait_for(self, **rows: int) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while self.rows_by_disk() != rows:
            assert time.monotonic() < deadline, self.rows_by_disk()
            time.sleep(0.1)

    def totals(self) -> tuple[int, int]:
        """Of all rows, read from both volumes."""
        count, usd = self.connection.query("SELECT count(), sum(usd_e6) FROM raw_swaps WHERE tx_hash != ''")[0]
        return count, usd

    def moves(self) -> int:
        self.connection.query("SYSTEM FLUSH LOGS")
        return self.connection.query(
            "SELECT count() FROM system.part_log WHERE table = 'raw_swaps' AND event_type = 'MovePart'"
        )[0][0]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Docker's, but for the directory and for system logs that are written without delay."""
    text = (PROJECT / "docker/clickhouse/config.d/storage.xml").read_text()
    log = "<part_log><database>system</database><table>part_log</table></part_log>"
    path = tmp_path / "config.xml"
    path.write_text(
        text.replace("/var/lib/clickhouse", str(tmp_path / "data")).replace("</clickhouse>", f"{log}</clickhouse>")
    )
    return path


@pytest.fixture
def server(tmp_path, config, s3_environment):
    need_engine()
    with ClickHouseServer(tmp_path / "data", config=config) as server:
        yield server


@pytest.fixture
def tiers(server):
    tiers = Tiers(server)
    tiers.migrate()
    tiers.add(*AGES)
    yield tiers
    tiers.history.close()
    tiers.connection.close()


def test_days_move_to_s3_when_they_are_old(tiers, s3):
    tiers.wait_for(hot=20, s3_cold=20)
    assert s3.files() > 0
    assert tiers.moves() == 2
    assert tiers.totals() == (40, 60_000_000)


def test_a_day_can_be_moved_by_hand(tiers):
    tiers.wait_for(hot=20, s3_cold=20)
    day = time.strftime("%Y%m%d", time.gmtime((tiers.now_ms - DAY_MS) / 1000))
    tiers.connection.query(f"ALTER TABLE raw_swaps MOVE PARTITION {day} TO VOLUME 'cold'")
    assert tiers.rows_by_disk() == {"hot": 10, "s3_cold": 30}
    assert tiers.totals() == (40, 60_000_000)
    tiers.connection.query(f"ALTER TABLE raw_swaps MOVE PARTITION {day} TO VOLUME 'hot'")
    assert tiers.rows_by_disk() == {"hot": 20, "s3_cold": 20}


def test_another_age_moves_more(tiers):
    tiers.wait_for(hot=20, s3_cold=20)
    tiers.migrate(hot_days=1)
    tiers.wait_for(hot=10, s3_cold=30)


def test_a_page_of_trades_spans_both_volumes(tiers):
    tiers.wait_for(hot=20, s3_cold=20)
    assert len(tiers.history.trades(TOKENS[0], None, 100)) == 40


def test_while_s3_is_away_only_what_lies_there_is_missing(tiers, s3):
    tiers.archive.refresh(SOURCE, {0: tiers.offset})
    tiers.wait_for(hot=20, s3_cold=20)
    tiers.connection.query("SYSTEM CLEAR MARK CACHE")
    s3.kill()
    with pytest.raises(ArchiveError):
        tiers.history.trades(TOKENS[0], None, 100)
    assert len(tiers.history.trades(TOKENS[0], None, 5)) == 5
    assert len(tiers.history.candles(TOKENS[0], Interval.DAY, 0, 10**13, True)) == len(AGES)
    tiers.add(0, 100)
    assert tiers.rows_by_disk() == {"hot": 40, "s3_cold": 20}
    s3.start()
    tiers.wait_for(hot=30, s3_cold=30)
    assert tiers.totals() == (60, 90_000_000)


@pytest.fixture
def away(tiers, s3):
    """S3, gone after the candles knew everything and the old days were moved there."""
    tiers.archive.refresh(SOURCE, {0: tiers.offset})
    tiers.wait_for(hot=20, s3_cold=20)
    for cache in ("MARK", "INDEX MARK", "INDEX UNCOMPRESSED", "UNCOMPRESSED"):
        tiers.connection.query(f"SYSTEM CLEAR {cache} CACHE")
    s3.kill()
    return s3


def swaps_by_age(tiers) -> dict[int, int]:
    days = tiers.history.candles(TOKENS[0], Interval.DAY, 0, 10**13, True)
    return {(tiers.now_ms - day.start_ms) // DAY_MS: day.swaps for day in days}


def refresh_in_part(tiers) -> None:
    with pytest.raises(ArchiveUnavailable):
        tiers.archive.refresh(SOURCE, {0: tiers.offset})


def test_while_s3_is_away_candles_of_days_that_do_not_lie_there_stay_current(tiers, away):
    tiers.add(0, 100, 1, 50)
    refresh_in_part(tiers)
    assert swaps_by_age(tiers) == {0: 20, 1: 20, 50: 10, 100: 10, 200: 10}
    tiers.add(0)
    refresh_in_part(tiers)
    assert swaps_by_age(tiers) == {0: 30, 1: 20, 50: 10, 100: 10, 200: 10}
    away.start()
    tiers.archive.refresh(SOURCE, {0: tiers.offset})
    assert swaps_by_age(tiers) == {0: 30, 1: 20, 50: 10, 100: 20, 200: 10}


def test_candles_without_s3_take_a_long_way_in_steps(tiers, away, monkeypatch):
    monkeypatch.setattr("swapstats.adapters.clickhouse.swap_archive.REFRESH_OFFSETS", 7)
    tiers.add(0, 0, 0)
    refresh_in_part(tiers)
    assert swaps_by_age(tiers)[0] == 40


def test_an_archiver_finds_its_place_without_s3(tiers, away):
    tiers.add(0)
    with Connection(tiers.dsn) as connection:
        another = ClickHouseArchive(connection)
        assert another.highest(SOURCE, [0]) == {0: tiers.offset - 1}
        assert another.held(SOURCE, 0, 0, 1000) == {*range(20), *range(40, 50)}
        with pytest.raises(ArchiveUnavailable):
            another.refresh(SOURCE, {0: tiers.offset})
    assert swaps_by_age(tiers)[0] == 20


def test_rows_on_both_volumes_survive_a_kill(tiers, server):
    tiers.wait_for(hot=20, s3_cold=20)
    server.kill()
    server.start()
    assert tiers.totals() == (40, 60_000_000)


def test_tokens_are_known_without_s3(tiers, away):
    assert tiers.history.knows(TOKENS[0])


def test_the_embedded_engine_starts_again_once_s3_is_back(tiers, away, server):
    server.kill()
    with pytest.raises(PartError, match="S3"):
        server.start()
    away.start()
    server.start()
    assert tiers.totals() == (40, 60_000_000)
