"""How the live path grows: `python -m tests.load.bench_growth`, some five minutes on two cores.

The same log is read from its beginning to its end by 1, 2 and 4 workers, and by one worker with 10² to 10⁵ tokens.
"""

import tempfile
import time
from argparse import ArgumentParser
from functools import cache
from pathlib import Path

from redis import Redis

from settings.config.load import variable
from swapstats.adapters.system.listener import free_port
from tests.load.bench_live import fill, ingested, looked
from tests.load.report import SCALING, Row, publish
from tests.load.system import System, memory_bytes, running_system, scrape

PARTITIONS = 8
PATIENCE_SECONDS = 600
RESTORE_SECONDS = 120
USUAL_TOKENS = 1_000


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=150_000, help="records of each log (default: 150000)")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4], help="how many (default: 1 2 4)")
    parser.add_argument("--tokens", type=int, nargs="*", default=[100, 1_000, 10_000, 100_000])
    options = parser.parse_args()
    measured = cache(lambda tokens, workers: run(options.records, tokens, workers))
    publish("growth by workers", [measured(USUAL_TOKENS, workers) for workers in options.workers], SCALING)
    publish("growth by tokens", [measured(tokens, 1) for tokens in options.tokens], SCALING)


def run(records: int, tokens: int, workers: int) -> Row:
    with tempfile.TemporaryDirectory() as directory, running_system(Path(directory), PARTITIONS) as system:
        fill(system, records, tokens)
        ports = [free_port() for _ in range(workers)]
        running = [system.command("consume", metrics__prometheus=f"127.0.0.1:{port}") for port in ports]
        running[0].wait_until(lambda: sum(map(ingested, ports)) > 0, 60, "begin to read")
        began, first = time.perf_counter(), sum(map(ingested, ports))
        running[0].wait_until(lambda: looked(*ports) >= records, PATIENCE_SECONDS, "read everything")
        rate = (records - first) / (time.perf_counter() - began)
        memory = sum(memory_bytes(worker.pid) for worker in running)
        snapshot_ms = max(map(_snapshot_ms, ports))
        for worker in running:
            worker.stop(30)
        words = f"{workers} workers, {tokens:,} tokens" if workers > 1 else f"1 worker, {tokens:,} tokens"
        figures = _figures(rate, memory, snapshot_ms, _restore_s(system), _redis_bytes(system))
        print(f"{words}: {figures}", flush=True)
        return words, figures


def _figures(rate: float, memory: int, snapshot_ms: float, restore_s: float, redis: int) -> str:
    return (
        f"{rate:,.0f} swaps/s · {memory / 2**20:.0f} MiB in workers · snapshot {snapshot_ms:.0f} ms"
        f" · restored {restore_s:.1f} s after its start · Redis {redis / 2**20:.0f} MiB"
    )


def _snapshot_ms(port: int) -> float:
    metrics = scrape(port)
    return metrics["snapshot_duration_ms_sum"] / max(metrics["snapshot_duration_ms_count"], 1)


def _restore_s(system: System) -> float:
    """From the start of a process to all partitions taken."""
    began = time.perf_counter()
    worker = system.command("consume", metrics__prometheus=f"127.0.0.1:{free_port()}")
    worker.wait_until(lambda: _taken(worker.last_lines) >= PARTITIONS, RESTORE_SECONDS, "take all partitions")
    took = time.perf_counter() - began
    worker.stop(30)
    return took


def _taken(lines: list[str]) -> int:
    return sum(" taken: " in line for line in lines)


def _redis_bytes(system: System) -> int:
    with Redis.from_url(system.environment[variable("stores.redis.url")]) as client:
        return int(client.info("memory")["used_memory"])


if __name__ == "__main__":
    main()
