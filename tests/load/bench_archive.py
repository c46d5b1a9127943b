"""The archive, measured: `python -m tests.load.bench_archive`.

Throughput is that of one archiver process with everything included: a log on a real Kafka is read from its beginning to
its end into the embedded engine, candles too. History is asked of ten million swaps.
"""

import random
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from pathlib import Path

from settings.config.load import variable
from swapstats.adapters.clickhouse import swap_archive
from swapstats.adapters.clickhouse.connection import Connection
from swapstats.adapters.clickhouse.history import ClickHouseHistory
from swapstats.adapters.clickhouse.pool import Pool
from swapstats.adapters.clickhouse.schema import Deployment, Schema
from swapstats.adapters.clickhouse.swap_archive import ClickHouseArchive
from swapstats.adapters.embedded.clickhouse.process import ClickHouseServer
from swapstats.domain.swap import Swap
from swapstats.ports.swap_archive import Interval, Row, Token
from swapstats.ports.swap_source import SourceIdentity
from tests.load.bench_live import fill
from tests.load.report import Row as Figure
from tests.load.report import percentile, publish
from tests.load.system import System, cpu_seconds, memory_bytes, running_system, scrape

PARTITIONS = 4
SOURCE = SourceIdentity("bench", "swaps", "")
TOKENS = 500
DAYS = 10
DAY_MS = Interval.DAY.value
LOOK_SECONDS = 0.5
"""Telling metrics costs the archiver some milliseconds, so it is not asked too often."""


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=400_000, help="records of the log (default: 400000)")
    parser.add_argument("--tokens", type=int, default=500, help="tokens in it (default: 500)")
    parser.add_argument("--history", type=int, default=10_000_000, help="swaps to ask about (default: 10 million)")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        running_system(Path(directory), PARTITIONS) as system,
        ClickHouseServer(Path(directory) / "clickhouse") as engine,
    ):
        publish("the archive catching up", throughput(system, engine, options.records, options.tokens))
    with tempfile.TemporaryDirectory() as directory, ClickHouseServer(Path(directory) / "clickhouse") as engine:
        publish("history of ten million swaps", history(engine, options.history))


def throughput(system: System, engine: ClickHouseServer, records: int, tokens: int) -> list[Figure]:
    print(f"writing {records} records …", flush=True)
    fill(system, records, tokens)
    system.environment[variable("stores.clickhouse.dsn")] = engine.dsn()
    port = int(system.environment[variable("metrics.prometheus")].rpartition(":")[2])
    archiver = system.command("archive")
    archiver.wait_until(lambda: _total(port, "archive_read_total") > 0, 60, "begin to read")
    began, first = time.perf_counter(), _archived(port)
    cpu, engine_cpu = cpu_seconds(archiver.pid), cpu_seconds(engine.process.pid)
    archiver.wait_until(lambda: _archived(port) >= records or time.sleep(LOOK_SECONDS), 900, "archive everything")
    took, count = time.perf_counter() - began, records - first
    cpu, engine_cpu = cpu_seconds(archiver.pid) - cpu, cpu_seconds(engine.process.pid) - engine_cpu
    metrics, memory = scrape(port), memory_bytes(archiver.pid)
    archiver.stop(60)
    inserts = metrics["clickhouse_flush_duration_ms_count"]
    return [
        ("rows per second of one archiver, from the log into ClickHouse", f"{count / took:,.0f}"),
        ("CPU time of the archiver per row", f"{cpu / count * 1e6:.1f} µs"),
        ("CPU time of the engine per row, candles and merges included", f"{engine_cpu / count * 1e6:.1f} µs"),
        ("rows of an insert, mean", f"{metrics['clickhouse_batch_size_sum'] / inserts:,.0f}"),
        ("duration of an insert, mean", f"{metrics['clickhouse_flush_duration_ms_sum'] / inserts:.0f} ms"),
        ("memory of the archiver", f"{memory / 2**20:.0f} MiB"),
        ("memory of the engine", f"{memory_bytes(engine.process.pid) / 2**20:.0f} MiB"),
        *_sizes(engine),
    ]


def _archived(port: int) -> float:
    return sum(_total(port, f'archive_records_total{{outcome="{name}"}}') for name in ("archived", "invalid", "held"))


def _total(port: int, name: str) -> float:
    try:
        return scrape(port).get(name, 0)
    except OSError:
        return 0


def _sizes(engine: ClickHouseServer) -> list[Figure]:
    """Of the tables as they are once everything is merged."""
    with Connection(engine.dsn() + "&send_receive_timeout=900") as connection:
        rows = connection.query("SELECT count() FROM raw_swaps")[0][0]
        sizes = {}
        for table in ("raw_swaps", "minute_candles"):
            connection.query(f"OPTIMIZE TABLE {table} FINAL")
            where = f"database = 'swaps' AND table = '{table}' AND active"
            sizes[table] = connection.query(f"SELECT sum(bytes_on_disk) FROM system.parts WHERE {where}")[0][0]
    return [
        ("bytes of a raw swap on disk", f"{sizes['raw_swaps'] / rows:.0f}"),
        ("bytes of minute candles on disk per raw swap", f"{sizes['minute_candles'] / rows:.0f}"),
    ]


def history(engine: ClickHouseServer, rows: int) -> list[Figure]:
    with Schema(lambda name: Connection(engine.dsn(), database=name), "swaps", Deployment("", "", 90, 365)) as schema:
        schema.migrate()
    start_ms = int(time.time() * 1000) // DAY_MS * DAY_MS - DAYS * DAY_MS
    with Connection(engine.dsn() + "&send_receive_timeout=900") as connection:
        print(f"making up {rows} swaps …", flush=True)
        make_up(connection, rows, start_ms)
        archive = ClickHouseArchive(connection)
        swap_archive.REFRESH_OFFSETS = 500_000
        while not archive.refresh(SOURCE, {0: rows}):
            pass
        inserts = insert_times(archive, rows)
        pool = Pool(partial(Connection, engine.dsn()), 2, 5)
        reader = ClickHouseHistory(pool)
        tokens = [Token(1, name) for (name,) in connection.query("SELECT DISTINCT token_address FROM day_candles")]
        candles = ask(lambda dice: _candles(reader, dice, tokens, start_ms))
        trades = ask(lambda dice: reader.trades(dice.choice(tokens), None, 100))
        pool.close()
    return [
        ("swaps asked of", f"{rows:,}"),
        ("insert of 1,000 rows, p50", f"{percentile(inserts, 0.5):.0f} ms"),
        ("insert of 1,000 rows, p99", f"{percentile(inserts, 0.99):.0f} ms"),
        ("up to 1,000 candles of any interval, p50", f"{percentile(candles, 0.5):.0f} ms"),
        ("up to 1,000 candles of any interval, p99", f"{percentile(candles, 0.99):.0f} ms"),
        ("100 trades, p50", f"{percentile(trades, 0.5):.0f} ms"),
        ("100 trades, p99", f"{percentile(trades, 0.99):.0f} ms"),
    ]


def make_up(connection: Connection, rows: int, start_ms: int) -> None:
    """Swaps of TOKENS tokens over DAYS days; a few tokens have most of them."""
    step = 1_000_000
    for first in range(0, rows, step):
        connection.query(
            f"""
            INSERT INTO raw_swaps (chain_id, token_address, event_time, log_index, tx_hash, block_hash, block_number,
                trader, is_buy, usd_e6, token_e18, source, source_partition, source_offset, record_time)
            SELECT 1, concat('0x', lpad(hex(intDiv({TOKENS} * pow(rand(1) / 4294967296, 3), 1)), 40, '0')),
                fromUnixTimestamp64Milli(toInt64({start_ms} + intDiv(number * {DAYS * DAY_MS}, {rows}))) AS event_time,
                rand(2) % 300,
                concat('0x', lower(hex(sipHash128(number, 1))), lower(hex(sipHash128(number, 2)))),
                concat('0x', lower(hex(sipHash128(number DIV 50, 3))), lower(hex(sipHash128(number DIV 50, 4)))),
                number DIV 50, concat('0x', lpad(hex(rand(5) % 100000), 40, '0')), rand(6) % 2,
                rand(7), toInt256(1 + rand(8)) * 1000000000, '{SOURCE.key}', 0, number, event_time
            FROM numbers({first}, {min(step, rows - first)})
            """,
            settings={"max_partitions_per_insert_block": 0},
        )


def insert_times(archive: ClickHouseArchive, first: int, count: int = 200) -> list[float]:
    times = []
    for number in range(count):
        rows = _rows(first + number * 1000)
        began = time.perf_counter()
        archive.insert(SOURCE, rows)
        times.append((time.perf_counter() - began) * 1000)
    return times


def _rows(first: int) -> list[Row]:
    now_ms, dice = int(time.time() * 1000), random.Random(first)
    return [Row(0, first + i, now_ms, False, _swap(dice, now_ms + i)) for i in range(1000)]


def _swap(dice: random.Random, time_ms: int) -> Swap:
    address, tx_hash = f"0x{dice.randrange(TOKENS):040X}", f"0x{dice.getrandbits(256):064x}"
    identity, block = f"1:{tx_hash}:7", f"0x{time_ms // 50:064x}"
    amounts = (dice.randrange(10**9), dice.randrange(10**21))
    who = (address, address, f"0x{dice.getrandbits(17):040x}")
    return Swap(identity, f"1:{address}", True, *amounts, time_ms, False, block, time_ms, "T", 1, tx_hash, 7, *who)


def _candles(reader: ClickHouseHistory, dice: random.Random, tokens: list[Token], start_ms: int) -> object:
    interval = dice.choice(list(Interval))
    latest = start_ms + DAYS * DAY_MS - dice.randrange(DAYS * DAY_MS)
    end_ms = latest // interval.value * interval.value
    return reader.candles(dice.choice(tokens), interval, end_ms - 1000 * interval.value, end_ms, True)


def ask(question: Callable[[random.Random], object], count: int = 500) -> list[float]:
    dice, times = random.Random(11), []
    for _ in range(count):
        began = time.perf_counter()
        question(dice)
        times.append((time.perf_counter() - began) * 1000)
    return times


if __name__ == "__main__":
    main()
