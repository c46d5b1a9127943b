"""The live path, measured: `python -m tests.load.bench_live`.

Throughput is that of one worker process with everything included: a log on a real Kafka is read from its beginning to
its end. Latency is that from producing a swap to the WebSocket frame that shows it, at 1,000 swaps a second.
"""

import asyncio
import json
import random
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

from confluent_kafka import Producer
from websockets.asyncio.client import connect

from aggregator.feeds.market import Market
from aggregator.feeds.stream import Shares, SwapStream
from settings.config.load import variable
from swapstats.adapters.system.listener import free_port
from tests.load.report import Row, percentile, publish
from tests.load.system import System, cpu_seconds, memory_bytes, running_system, scrape

PARTITIONS = 4
LOOK_SECONDS = 0.25
PROBE = "1:0x00000000000000000000000000000000000000aa"


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=600_000, help="records of the log (default: 600000)")
    parser.add_argument("--tokens", type=int, default=2_000, help="tokens in it (default: 2000)")
    parser.add_argument("--seconds", type=int, default=30, help="how long latency is measured (default: 30)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, running_system(Path(directory), PARTITIONS) as system:
        publish("throughput of one worker", throughput(system, options.records, options.tokens))
    with tempfile.TemporaryDirectory() as directory, running_system(Path(directory), PARTITIONS) as system:
        publish("latency at 1,000 swaps a second", asyncio.run(latency(system, options.seconds)))


def throughput(system: System, records: int, tokens: int) -> list[Row]:
    print(f"writing {records} records …", flush=True)
    fill(system, records, tokens)
    port = int(system.environment[variable("metrics.prometheus")].rpartition(":")[2])
    worker = system.command("consume")
    worker.wait_until(lambda: ingested(port) > 0, 60, "begin to read")
    redis_pid = system.redis.process.pid
    began, first = time.perf_counter(), ingested(port)
    cpu, redis_cpu = cpu_seconds(worker.pid), cpu_seconds(redis_pid)
    worker.wait_until(lambda: looked(port) >= records, 600, "read everything")
    took, count = time.perf_counter() - began, records - first
    cpu, redis_cpu = cpu_seconds(worker.pid) - cpu, cpu_seconds(redis_pid) - redis_cpu
    metrics, memory = scrape(port), memory_bytes(worker.pid)
    worker.stop(30)
    entries, ledger = ledger_size(system)
    snapshots = max(metrics["snapshot_duration_ms_count"], 1)
    return [
        ("swaps per second of one worker, everything included", f"{count / took:,.0f}"),
        ("CPU time of the worker per swap", f"{cpu / count * 1e6:.1f} µs"),
        ("CPU time of Redis per swap", f"{redis_cpu / count * 1e6:.1f} µs"),
        ("snapshot of a worker at full speed, mean", f"{metrics['snapshot_duration_ms_sum'] / snapshots:.0f} ms"),
        ("bytes of a snapshot at full speed, mean", f"{metrics['snapshot_bytes_total'] / snapshots:,.0f}"),
        ("memory of the worker", f"{memory / 2**20:.0f} MiB"),
        (f"bytes of Redis per ledger entry, of {entries:,} entries", f"{ledger / entries:.1f}"),
    ]


def ingested(port: int) -> float:
    try:
        return scrape(port).get("events_ingested_total", 0)
    except OSError:
        return 0


def looked(*ports: int) -> float:
    """How many all have ingested, asked now and then: telling metrics costs a worker some milliseconds."""
    time.sleep(LOOK_SECONDS)
    return sum(map(ingested, ports))


def ledger_size(system: System) -> tuple[int, int]:
    """Entries of the ledger, and what they add to Redis's memory, found by letting go of all of them."""
    import redis

    with redis.Redis.from_url(system.redis.url()) as client:
        keys = list(client.scan_iter("swapstats:ledger:*", count=10_000))
        index = min(keys, key=len)
        entries, before = int(client.hget(index, "entries")), client.info("memory")["used_memory"]
        for start in range(0, len(keys), 1_000):
            client.delete(*keys[start : start + 1_000])
        return entries, before - client.info("memory")["used_memory"]


def fill(system: System, records: int, tokens: int) -> None:
    """Write a log whose swaps spread over the last minutes, as after an outage."""
    rng = random.Random(7)
    stream = SwapStream(Market(rng, tokens, 1.0), Shares(invalid=0), rng, "token", 120_000, 1_048_576)
    producer = Producer({"bootstrap.servers": system.kafka.bootstrap, "linger.ms": 50, "compression.type": "lz4"})
    began_ms = int(time.time() * 1000) - 300_000
    for number in range(records):
        key, value, timestamp_ms = stream.next(began_ms + number * 300_000 // records)
        while True:
            try:
                producer.produce(system.topic, value, key, timestamp=timestamp_ms)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush()


async def latency(system: System, seconds: int) -> list[Row]:
    port = free_port()
    worker = system.command("consume")
    web = system.command("serve", api__http__addr=f"127.0.0.1:{port}")
    web.wait_until(lambda: _answers(port), 60, "answer")
    feed = system.command("generate", "--rate", "1000", "--tokens", "500", "--duration", str(seconds + 5))
    try:
        times = await probe(system, port, seconds)
    finally:
        for process in (feed, web, worker):
            process.stop(20)
    return [
        ("produce to WebSocket frame, p50", f"{percentile(times, 0.5):.0f} ms"),
        ("p90", f"{percentile(times, 0.9):.0f} ms"),
        ("p99", f"{percentile(times, 0.99):.0f} ms"),
        ("probes", f"{len(times)}"),
    ]


def _answers(port: int) -> bool:
    import http.client

    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False


async def probe(system: System, port: int, seconds: int) -> list[float]:
    """Send one swap after the other of a token of our own, and wait for the frame that shows each."""
    producer = Producer({"bootstrap.servers": system.kafka.bootstrap, "linger.ms": 0})
    rng, times, number = random.Random(3), [], 0
    async with connect(f"ws://127.0.0.1:{port}/ws", max_size=None) as socket:
        await socket.send(json.dumps({"subscribe": f"token:{PROBE}"}))
        await asyncio.sleep(5)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            number += 1
            sent = time.perf_counter()
            producer.produce(system.topic, swap(number), PROBE.encode())
            producer.poll(0)
            await shows(socket, number)
            times.append((time.perf_counter() - sent) * 1000)
            await asyncio.sleep(rng.uniform(0.05, 0.25))
    return times


def swap(number: int) -> bytes:
    return json.dumps(
        {
            "chain_id": 1,
            "tx_hash": f"0x{number:064x}",
            "log_index": 0,
            "token_address": PROBE[2:],
            "side": "buy",
            "amount_token": "1",
            "amount_usd": "1",
            "event_time": int(time.time() * 1000),
        }
    ).encode()


async def shows(socket: object, trades: int) -> None:
    """Until a frame tells of so many trades."""
    while True:
        frame = json.loads(await asyncio.wait_for(socket.recv(), 30))  # type: ignore[attr-defined]
        bodies = [frame] if frame["type"] == "snapshot" else frame.get("items", [])
        for body in bodies:
            windows = body.get("data", {}).get("windows", {})
            if windows.get("24h", {}).get("trades", 0) >= trades:
                return


if __name__ == "__main__":
    main()
