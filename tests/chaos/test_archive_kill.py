"""The recorded day, archived while the archiver is killed every few seconds and the engine twice."""

import gzip
import json
import os
import random
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import Producer

from aggregator.pipeline.decode import Decoder
from swapstats.adapters.clickhouse.connection import Connection
from swapstats.adapters.clickhouse.history import ClickHouseHistory
from swapstats.adapters.clickhouse.pool import Pool
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.domain.errors import ArchiveError
from swapstats.ports.swap_archive import Interval, Row, Token
from swapstats.ports.swap_source import Record
from tests.integration import archive_model as model

pytestmark = [pytest.mark.chaos, pytest.mark.clickhouse, pytest.mark.kafka]

PROJECT = Path(__file__).resolve().parents[2]
PARTITIONS = 4
SECONDS = 30
KILLS = 6
WAIT_SECONDS = 120
WETH = Token(1, "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")
DAY_USD, DAY_WETH, BUYS, SELLS = 265_531_408_951256, 118_369_185570463270788128, 2_724, 3_589


@pytest.fixture(scope="module")
def recording(shared_data) -> list[dict]:
    with gzip.open(shared_data / "uniswap_v3_eth_2024-01-05.jsonl.gz") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture
def log(recording) -> list[tuple[int, dict]]:
    """Partition and event of each record: the day, with repetitions, and with swaps that a reorganisation took back."""
    dice = random.Random(5)
    events = list(recording)
    for event in recording:
        if dice.random() < 0.05:
            events.insert(dice.randrange(len(events)), event)
        if dice.random() < 0.02:
            orphan = {**event, "block_hash": "0x" + f"{dice.getrandbits(256):064x}"}
            at = dice.randrange(len(events))
            events[at:at] = [orphan, {**orphan, "removed": True}]
    return [(dice.randrange(PARTITIONS), event) for event in events]


def feed(bootstrap: str, topic: str, log: list[tuple[int, dict]]) -> None:
    """All of it, spread over SECONDS."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    started = time.monotonic()
    for i, (partition, event) in enumerate(log):
        producer.produce(topic, json.dumps(event), partition=partition)
        if i % 50 == 0:
            producer.flush()
            time.sleep(max(0.0, started + SECONDS * i / len(log) - time.monotonic()))
    producer.flush()


def start_archiver(bootstrap: str, topic: str, dsn: str) -> ChildProcess:
    settings = {
        "SWAPSTATS_INGEST__BROKERS": json.dumps([bootstrap]),
        "SWAPSTATS_INGEST__TOPIC": topic,
        "SWAPSTATS_INGEST__GROUP_ID": topic,
        "SWAPSTATS_INGEST__CLIENT": json.dumps({"session.timeout.ms": 2000, "heartbeat.interval.ms": 500}),
        "SWAPSTATS_STORES__CLICKHOUSE__DSN": f"{dsn}&send_receive_timeout=5",
        "SWAPSTATS_STORES__CLICKHOUSE__BATCH_ROWS": "50",
        "SWAPSTATS_METRICS__PROMETHEUS": "null",
        "DJANGO_SETTINGS_MODULE": "settings.test",
    }
    command = [sys.executable, "manage.py", "archive"]
    return ChildProcess("archive", command, env={**os.environ, **settings}, cwd=PROJECT)


def wait_until(condition) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not _holds(condition):
        assert time.monotonic() < deadline, "did not come to pass"
        time.sleep(0.2)


def _holds(condition) -> bool:
    try:
        return bool(condition())
    except ArchiveError:
        return False


def test_kills_leave_no_hole_and_no_repetition(kafka, own_clickhouse, log):
    topic, dsn = kafka.new_topic(PARTITIONS), own_clickhouse.dsn()
    feeding = threading.Thread(target=feed, args=(kafka.bootstrap, topic, log))
    feeding.start()
    archivers = [start_archiver(kafka.bootstrap, topic, dsn) for _ in range(2)]
    dice, kills = random.Random(1), 0
    while feeding.is_alive() or kills < KILLS:
        time.sleep(dice.uniform(2, 5))
        victim = kills % len(archivers)
        archivers[victim].kill()
        archivers[victim] = start_archiver(kafka.bootstrap, topic, dsn)
        kills += 1
        if kills in (2, 4):
            own_clickhouse.kill()
            own_clickhouse.start()
    try:
        check(dsn, rows(log))
    finally:
        for archiver in archivers:
            archiver.stop()


def rows(log: list[tuple[int, dict]]) -> list[Row]:
    decode = Decoder(10**6, 60_000).decode
    following = dict.fromkeys(range(PARTITIONS), 0)
    found = []
    for partition, event in log:
        offset = following[partition]
        following[partition] += 1
        record = Record(partition, offset, 1_800_000_000_000, None, json.dumps(event).encode())
        found.append(Row(partition, offset, record.timestamp_ms, True, decode(record)))
    return found


def check(dsn: str, expected: list[Row]) -> None:
    with Connection(dsn) as connection:
        history = ClickHouseHistory(Pool(partial(Connection, dsn), 1, 5))
        wait_until(lambda: connection.query("SELECT count() FROM raw_swaps")[0][0] >= len(expected))
        wait_until(lambda: sum(c.swaps for c in history.candles(WETH, Interval.DAY, 0, 10**13, True)) == BUYS + SELLS)
        positions = connection.query("SELECT count(), uniqExact(source_partition, source_offset) FROM raw_swaps")
        assert positions == [(len(expected), len(expected))]
        day = history.candles(WETH, Interval.DAY, 0, 10**13, True)[0]
        assert (day.buy_usd + day.sell_usd, day.token, day.buys, day.swaps - day.buys) == (
            DAY_USD,
            DAY_WETH,
            BUYS,
            SELLS,
        )
        for interval in Interval:
            found = history.candles(WETH, interval, 0, 10**13, True)
            assert model.ratios(found) == model.ratios(model.candles(expected, WETH, interval, late=True))
        history.close()
