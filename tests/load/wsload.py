"""How many WebSocket clients one web process serves, and how fast: `python -m tests.load.wsload --help`.

The server has a core of its own; the clients, the store and the worker's part share another. All that is real: Redis,
the channel layer, `manage.py serve`, and clients that check each patch against the one before.
"""

import argparse
import asyncio
import os
import random
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from swapstats.adapters.embedded.redis_server import RedisServer
from tests.load.ws_client import LoadClient, Tally
from tests.parts.market import Market
from tests.parts.publisher import Publisher
from tests.parts.web_process import WebProcess

SERVER_CORE, CLIENT_CORE = 0, 1
SETTLE_S = 3.0
TICK_S = 0.1
OPEN_FILES = 65_536


class Load(NamedTuple):
    clients: int = 1_000
    subscriptions: int = 5
    tokens: int = 500
    seconds: float = 20
    stalled: int = 0
    connect_in: float = 10
    """Seconds in which all clients connect."""


class Report(NamedTuple):
    """Rates are per second; latencies in milliseconds at the 50th, 99th and 100th percentile; memory in MB."""

    connect_s: float
    frames: float
    patches: float
    megabytes: float
    from_frame: tuple[float, float, float]
    from_tick: tuple[float, float, float]
    gaps: int
    lost: int
    byes: dict[str, int]
    ticks: float
    server_cpu: float
    memory_before: float
    memory_after: float

    def __str__(self) -> str:
        return "\n".join(f"{name:14} {_readable(value)}" for name, value in self._asdict().items())


def run(load: Load) -> Report:
    """Runs server, worker and clients, and says what came of it."""
    _allow_many_files()
    os.sched_setaffinity(0, {CLIENT_CORE})
    with (
        tempfile.TemporaryDirectory() as directory,
        RedisServer(Path(directory) / "redis") as redis,
        Publisher(redis.url(2), redis.url(3)) as publisher,
        WebProcess(
            Path(directory),
            redis.url(2),
            redis.url(3),
            SWAPSTATS_API__WS__MAX_CONN=str(load.clients + load.stalled + 10),
        ) as web,
    ):
        assert web.process is not None
        os.sched_setaffinity(web.process.pid, {SERVER_CORE})
        return _measure(load, publisher, web)


def _measure(load: Load, publisher: Publisher, web: WebProcess) -> Report:
    market = Market(load.tokens, publisher.now_ms())
    publisher.publish(market.all(), whole=True)
    worker = _Worker(publisher, market)
    worker.start()
    try:
        return asyncio.run(_drive(load, web, [asset.token_id for asset in market.assets], worker))
    finally:
        worker.stop()


class _Worker(threading.Thread):
    """Changes every token at every tick."""

    def __init__(self, publisher: Publisher, market: Market) -> None:
        super().__init__()
        self._publisher = publisher
        self._market = market
        self._stopped = threading.Event()
        self.ticks = 0

    def run(self) -> None:
        while not self._stopped.wait(TICK_S - time.time() % TICK_S):
            self._publisher.publish(self._market.move(self._publisher.now_ms(), len(self._market.assets)))
            self.ticks += 1

    def stop(self) -> None:
        self._stopped.set()
        self.join()


async def _drive(load: Load, web: WebProcess, tokens: Sequence[str], worker: _Worker) -> Report:
    assert web.process is not None
    tally, pid = Tally(), web.process.pid
    connect_s = await _connect(load, web.port, tokens, tally)
    await asyncio.sleep(SETTLE_S)
    tally.restart()
    memory_before, cpu_before, ticks, began = _memory_mb(pid), _cpu_s(pid), worker.ticks, time.monotonic()
    await asyncio.sleep(load.seconds)
    took = time.monotonic() - began
    return Report(
        connect_s,
        tally.frames / took,
        tally.patches / took,
        tally.bytes / took / 1e6,
        _percentiles(tally.from_frame),
        _percentiles(tally.from_tick),
        tally.gaps,
        tally.lost,
        tally.byes,
        (worker.ticks - ticks) / took,
        (_cpu_s(pid) - cpu_before) / took,
        memory_before,
        _memory_mb(pid),
    )


async def _connect(load: Load, port: int, tokens: Sequence[str], tally: Tally) -> float:
    loop, dice = asyncio.get_running_loop(), random.Random(1)
    began, count = time.monotonic(), load.clients + load.stalled
    for number in range(count):
        topics = [f"token:{token_id}" for token_id in dice.sample(tokens, load.subscriptions)]
        client = LoadClient(topics, tally, stalled=number >= load.clients)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)
        await asyncio.sleep(max(0.0, began + load.connect_in * number / count - time.monotonic()))
    while tally.snapshots < count * load.subscriptions and time.monotonic() < began + 120:
        await asyncio.sleep(0.05)
    return time.monotonic() - began


def _percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    ordered = sorted(values) or [float("nan")]
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], ordered[-1]


def _memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _allow_many_files() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))


def _readable(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, tuple):
        return " / ".join(f"{each:,.1f}" for each in value)
    return str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in Load()._asdict().items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    print(run(Load(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
