"""The archiver between a real log and a real ClickHouse engine: all arrives once, whatever happens on the way."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from confluent_kafka import Producer
from prometheus_client import REGISTRY

from aggregator.archive import delivery, metrics
from aggregator.archive.archiver import Archiver, ArchiveSettings
from aggregator.pipeline.decode import Decoder
from settings.config import Ingest
from swapstats.adapters.clickhouse.connection import Connection, database_of
from swapstats.adapters.clickhouse.history import ClickHouseHistory
from swapstats.adapters.clickhouse.pool import Pool
from swapstats.adapters.clickhouse.schema import Deployment, Schema
from swapstats.adapters.clickhouse.swap_archive import LAST_MOMENT_MS, ClickHouseArchive
from swapstats.adapters.kafka.swap_source import KafkaSwapSource
from swapstats.domain.errors import ArchiveError, SwapstatsError
from swapstats.ports.swap_archive import Interval, Row, Token
from tests.integration import archive_model as model
from tests.integration.archive_model import EXTREMES, GRACE_MS, NOON_MS, TOKENS, make_swap

pytestmark = pytest.mark.clickhouse

PARTITIONS = 4
WAIT_SECONDS = 60
QUICK = {"heartbeat.interval.ms": 200, "session.timeout.ms": 3_000}
"""The mock cluster takes almost a session's time for each rebalance."""


class Desk:
    """A log, an archive, and the archivers between them."""

    def __init__(self, broker, dsn: str) -> None:
        self.topic = broker.new_topic(PARTITIONS)
        self.ingest = Ingest.model_validate(
            {"brokers": (broker.bootstrap,), "topic": self.topic, "group_id": self.topic, "client": QUICK}
        )
        self.dsn = dsn
        self.answer_seconds = 5
        self._producer = Producer({"bootstrap.servers": broker.bootstrap})
        self._running: list[tuple[Archiver, threading.Thread]] = []
        self.failures: list[Exception] = []
        self.rows: list[Row] = []

    def create_tables(self) -> None:
        untiered = Deployment("", "", 90, 365)
        with Schema(lambda name: Connection(self.dsn, database=name), database_of(self.dsn), untiered) as schema:
            schema.migrate()

    def write(self, *swaps, partition: int = 0, delay_ms: int = 1000) -> None:
        for swap in swaps:
            self.write_raw(model.event_json(swap), partition, swap.event_time_ms + delay_ms)
        offset = sum(row.partition == partition for row in self.rows)
        late = delay_ms > GRACE_MS
        self.rows += [
            Row(partition, offset + i, swap.event_time_ms + delay_ms, late and not swap.removed, swap)
            for i, swap in enumerate(swaps)
        ]

    def write_raw(self, value: bytes, partition: int = 0, timestamp_ms: int = NOON_MS) -> None:
        self._producer.produce(self.topic, value, partition=partition, timestamp=timestamp_ms)
        if len(self._producer) >= 10_000:
            self._producer.flush()

    def start(self, batch_rows: int = 1000) -> Archiver:
        self._producer.flush()
        archiver = Archiver(
            KafkaSwapSource(self.ingest),
            lambda: ClickHouseArchive(Connection(f"{self.dsn}&send_receive_timeout={self.answer_seconds}")),
            Decoder(1_000_000, 60_000).decode,
            ArchiveSettings(GRACE_MS, batch_rows, 50),
        )
        thread = threading.Thread(target=self._run, args=(archiver,), daemon=True)
        thread.start()
        self._running.append((archiver, thread))
        return archiver

    def _run(self, archiver: Archiver) -> None:
        try:
            archiver.run()
        except SwapstatsError as error:
            self.failures.append(error)

    def stop(self) -> None:
        """All archivers, in good order."""
        self._producer.flush()
        for archiver, _ in self._running:
            archiver.stop()
        for _, thread in self._running:
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()
        self._running.clear()

    def query(self, sql: str) -> list[tuple]:
        with Connection(self.dsn) as connection:
            return connection.query(sql)

    def count(self, table: str = "raw_swaps") -> int:
        return self.query(f"SELECT count() FROM {table}")[0][0]

    def wait_for(self, condition: Callable[[], object]) -> None:
        self._producer.flush()
        deadline = time.monotonic() + WAIT_SECONDS
        while not _holds(condition):
            assert not self.failures, self.failures
            assert time.monotonic() < deadline, "did not come to pass"
            time.sleep(0.05)

    def wait_for_all(self) -> None:
        self.wait_for(lambda: self.count() >= len(self.rows))
        self.wait_for(lambda: sum(candle.swaps for candle in self.candles()) == self.counting())
        assert self.count() == len(self.rows)

    def wait_for_failures(self) -> None:
        """Until an attempt at ClickHouse failed that was made from now on, or was under way."""
        before = metrics.RETRIES._value.get()
        self.wait_for(lambda: metrics.RETRIES._value.get() > before)

    def candles(self) -> list:
        history = ClickHouseHistory(Pool(partial(Connection, self.dsn), 1, 5))
        try:
            return history.candles(TOKENS[0], Interval.MINUTE, 0, 10**15, True)
        finally:
            history.close()

    def counting(self) -> int:
        return sum(candle.swaps for candle in model.candles(self.rows, TOKENS[0], Interval.MINUTE, late=True))


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except ArchiveError:
        return False


def some_swaps(count: int, first: int = 0) -> list:
    return [make_swap(time_ms=NOON_MS + i * 500, tx_hash=f"0x{i:064x}") for i in range(first, first + count)]


@pytest.fixture
def desk(broker, clickhouse) -> Iterator[Desk]:
    desk = Desk(broker, clickhouse)
    desk.create_tables()
    yield desk
    desk.stop()


@pytest.fixture
def own_desk(mock_broker, own_clickhouse) -> Iterator[Desk]:
    """With an engine of its own, to break."""
    desk = Desk(mock_broker, own_clickhouse.dsn())
    desk.create_tables()
    yield desk
    if not own_clickhouse.process.is_running:
        own_clickhouse.start()
    desk.stop()


def test_every_record_arrives_once_and_candles_follow(desk):
    for partition in range(PARTITIONS):
        desk.write(*some_swaps(500, partition * 500), partition=partition)
    desk.write(*some_swaps(100), partition=1)  # again, in another partition
    desk.write(*(swap._replace(removed=True) for swap in some_swaps(50)), partition=2)
    desk.start()
    desk.wait_for_all()
    desk.stop()
    assert model.ratios(desk.candles()) == model.ratios(model.candles(desk.rows, TOKENS[0], Interval.MINUTE, late=True))


def test_a_second_archiver_goes_on_where_the_first_ended(desk):
    desk.write(*some_swaps(300))
    desk.start(batch_rows=100)
    desk.wait_for_all()
    desk.stop()
    desk.write(*some_swaps(300, 300))
    desk.start()
    desk.wait_for_all()


def test_archivers_share_the_partitions(desk):
    desk.start()
    for partition in range(PARTITIONS):
        desk.write(*some_swaps(100, partition * 1000), partition=partition)
    desk.wait_for_all()
    desk.start()
    for partition in range(PARTITIONS):
        desk.write(*some_swaps(100, partition * 1000 + 100), partition=partition)
    desk.wait_for_all()


def test_records_that_are_no_swaps_are_left_out(desk):
    desk.write(*some_swaps(2))
    for value in (b"", b"{", b"[]", b'{"chain_id": 1}'):
        desk.write_raw(value)
    desk.start()
    desk.wait_for_all()
    desk.wait_for(lambda: desk.query("SELECT next_offset FROM candle_progress FINAL") == [(6,)])


def test_a_swap_is_late_by_its_own_record_alone(desk):
    times = (GRACE_MS, GRACE_MS + 1)
    for i, delay_ms in enumerate(times):
        desk.write(make_swap(tx_hash=f"0x{i:064x}"), delay_ms=delay_ms)
    desk.write(make_swap(removed=True, tx_hash="0x" + "2" * 64), delay_ms=2 * GRACE_MS)
    desk.start()
    desk.wait_for(lambda: desk.count() == 3)
    assert desk.query("SELECT late, removed FROM raw_swaps ORDER BY source_offset") == [
        (False, False),
        (True, False),
        (False, True),
    ]


def test_a_hole_that_a_crash_left_in_the_last_block_is_filled(desk):
    days = [make_swap(time_ms=NOON_MS - day % 2 * model.DAY_MS, tx_hash=f"0x{day:064x}") for day in range(40)]
    desk.write(*days)
    source = KafkaSwapSource(desk.ingest)
    archive = ClickHouseArchive(Connection(desk.dsn))
    archive.insert(source.identity(), desk.rows[:10])
    archive.insert(source.identity(), [row for row in desk.rows[10:30] if row.offset % 2])  # one of its two days
    archive.close()
    source.close()
    desk.start()
    desk.wait_for_all()


def test_one_row_that_cannot_be_stored_does_not_hold_up_the_others(desk):
    desk.query(f"ALTER TABLE raw_swaps ADD CONSTRAINT odd CHECK tx_hash != '0x{77:064x}'")
    desk.write(*some_swaps(200))
    desk.start()
    desk.wait_for(lambda: desk.count() == 199 and desk.count("rejected_records") == 1)
    (event, error), *_ = desk.query("SELECT event, error FROM rejected_records")
    assert f"{77:064x}" in event
    assert "odd" in error
    desk.stop()
    desk.start()
    desk.write(*some_swaps(10, 1000))
    desk.wait_for(lambda: desk.count() == 209)
    assert desk.count("rejected_records") == 1


def test_another_log_under_the_same_name_is_not_mixed_in(desk):
    source = KafkaSwapSource(desk.ingest)
    archive = ClickHouseArchive(Connection(desk.dsn))
    archive.insert(source.identity(), [Row(0, 1000, NOON_MS, False, make_swap())])
    archive.close()
    source.close()
    desk.write(*some_swaps(10))
    desk.start()
    with pytest.raises(AssertionError, match="SourceChanged"):
        desk.wait_for(lambda: False)
    desk.failures.clear()
    desk.start()
    desk.wait_for(lambda: desk.query("SELECT count() FROM raw_swaps WHERE source LIKE '%~1'") == [(10,)])


def test_it_waits_for_clickhouse_and_then_catches_up(own_desk, own_clickhouse, monkeypatch):
    monkeypatch.setattr(delivery, "LONGEST_PAUSE_S", 0.5)
    own_desk.write(*some_swaps(500))
    own_clickhouse.kill()
    own_desk.start(batch_rows=100)
    own_desk.write(*some_swaps(5000, 500))
    own_desk.wait_for_failures()
    own_clickhouse.start()
    own_desk.wait_for_all()
    for round_ in range(3):
        own_desk.write(*some_swaps(2000, 100_000 + round_ * 2000), partition=round_)
        own_desk._producer.flush()
        own_clickhouse.kill()
        own_clickhouse.start()
    own_desk.wait_for_all()


def test_the_lag_grows_while_clickhouse_is_away(own_desk, own_clickhouse, monkeypatch):
    monkeypatch.setattr(delivery, "LONGEST_PAUSE_S", 0.5)
    own_desk.start(batch_rows=100)
    own_desk.write(*some_swaps(500))
    own_desk.wait_for_all()
    own_desk.wait_for(lambda: _lag("seconds") == _lag("records") == 0)
    own_clickhouse.kill()
    own_desk.write(*some_swaps(500, 500))
    own_desk.wait_for(lambda: _lag("records") == 500)
    before = _lag("seconds")
    own_desk.wait_for(lambda: _lag("seconds") > before > 0)
    own_clickhouse.start()
    own_desk.wait_for(lambda: _lag("seconds") == _lag("records") == 0)


def _lag(unit: str) -> float:
    return REGISTRY.get_sample_value(f"archive_lag_{unit}", {"partition": "0"}) or 0.0


def test_a_write_whose_outcome_is_unknown_is_not_repeated_in_vain(own_desk, own_clickhouse):
    """The engine stands still for longer than a client waits: what was sent may be written after all."""
    own_desk.answer_seconds = 1
    own_desk.start(batch_rows=100)
    for round_ in range(3):
        own_desk.write(*some_swaps(1000, round_ * 1000))
        own_desk.wait_for(lambda rows=round_ * 1010: own_desk.count() >= rows)
        own_clickhouse.pause()
        own_desk.write(*some_swaps(10, round_ * 10 + 10_000))
        own_desk.wait_for_failures()
        own_clickhouse.resume()
    own_desk.wait_for_all()


def test_extremes_of_the_log_are_stored_as_they_are_or_kept_aside(mock_broker, clickhouse):
    desk = Desk(mock_broker, clickhouse)
    desk.create_tables()
    swaps = [make_swap(**{"log_index": i, **fields}) for i, fields in enumerate(EXTREMES.values())]
    beyond = make_swap(time_ms=LAST_MOMENT_MS)
    desk.write(*swaps, beyond)
    desk.start()
    desk.wait_for(lambda: desk.count() == len(swaps) and desk.count("rejected_records") == 1)
    desk.stop()
    history = ClickHouseHistory(Pool(partial(Connection, clickhouse), 1, 5))
    tokens = {Token(swap.chain_id, swap.token_address) for swap in swaps}
    stored = [trade.swap for token in tokens for trade in history.trades(token, None, 100)]
    history.close()
    assert sorted(stored, key=str) == sorted(swaps, key=str)
    (event,) = desk.query("SELECT event FROM rejected_records")[0]
    assert json.loads(event) == beyond._asdict()
