"""How many WebSocket clients one web process serves, and how fast: `python -m tests.load.wsload`.

Without options it measures what docs/performance.md publishes, in less than three minutes; with any, that load alone.
The server has a core of its own; the clients, the store and the worker's part share another. All that is real: Redis,
the channel layer, `manage.py serve`, and clients that check each patch against the one before.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from swapstats.adapters.embedded.redis_server import RedisServer
from tests.load.report import Row, publish
from tests.load.ws_client import LoadClient, Tally
from tests.parts.market import Market
from tests.parts.publisher import Publisher
from tests.parts.web_process import START_SECONDS, WebProcess

SERVER_CORE, CLIENT_CORE = 0, 1
SETTLE_S = 3.0
TICK_S = 0.1
OPEN_FILES = 65_536


class Load(NamedTuple):
    clients: int = 1_000
    subscriptions: int = 5
    tokens: int = 500
    seconds: float = 20.0
    stalled: int = 0
    connect_in: float = 10.0
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
        _Worker(redis.url(2), redis.url(3), load.tokens) as worker,
        WebProcess(
            Path(directory),
            redis.url(2),
            redis.url(3),
            SWAPSTATS_API__WS__MAX_CONN=str(load.clients + load.stalled + 10),
        ) as web,
    ):
        assert web.process is not None
        os.sched_setaffinity(web.process.pid, {SERVER_CORE})
        tokens = [asset.token_id for asset in Market(load.tokens, 0).assets]
        return asyncio.run(_drive(load, web, tokens, worker))


class _Worker:
    """Changes every token at every tick, in a process of its own, so that it never waits for the clients' turn."""

    def __init__(self, store_url: str, layer_url: str, tokens: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ticks = context.Value("q", 0)
        self._stopped = context.Event()
        arguments = (store_url, layer_url, tokens, self._ticks, self._stopped)
        self._process = context.Process(target=_work, args=arguments, daemon=True)

    @property
    def ticks(self) -> int:
        ticks: int = self._ticks.value
        return ticks

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._process.join()


def _work(store_url: str, layer_url: str, tokens: int, ticks: Any, stopped: Any) -> None:
    with Publisher(store_url, layer_url) as publisher:
        market = Market(tokens, publisher.now_ms())
        publisher.publish(market.all(), whole=True)
        while not stopped.wait(TICK_S - time.time() % TICK_S):
            publisher.publish(market.move(publisher.now_ms(), tokens))
            ticks.value += 1


async def _drive(load: Load, web: WebProcess, tokens: Sequence[str], worker: _Worker) -> Report:
    assert web.process is not None
    tally, pid = Tally(), web.process.pid
    await _until_fed(web)
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


async def _until_fed(web: WebProcess) -> None:
    """Until the server knows the tokens; before, every client would begin with zeros."""
    deadline = time.monotonic() + START_SECONDS
    while (await asyncio.to_thread(_status, f"{web.url}/readyz")) != 200:
        if time.monotonic() > deadline:
            raise RuntimeError("the web process is not fed")
        await asyncio.sleep(0.1)


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own, on loopback
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code


async def _connect(load: Load, port: int, tokens: Sequence[str], tally: Tally) -> float:
    loop, dice = asyncio.get_running_loop(), random.Random(1)
    began, count = time.monotonic(), load.clients + load.stalled
    stalled = set(dice.sample(range(count), load.stalled))
    for number in range(count):
        topics = [f"token:{token_id}" for token_id in dice.sample(tokens, load.subscriptions)]
        client = LoadClient(topics, tally, stalled=number in stalled)
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


SCENES = {
    "1,000 clients": Load(),
    "5,000 clients": Load(clients=5_000),
    "1,000 clients, of whom 300 never read": Load(clients=700, stalled=300, seconds=15),
}


def rows(load: Load, report: Report) -> list[Row]:
    """What the page tells of a run."""
    return [
        ("subscriptions of each client", f"{load.subscriptions}"),
        (f"until all had connected, who came within {load.connect_in:.0f} s, and had their snapshots",
         f"{report.connect_s:.1f} s"),
        ("patches per second, all clients together", f"{report.patches:,.0f}"),
        ("frames per second, all clients together", f"{report.frames:,.0f}"),
        ("from the worker's tick to the client, median / p99", _latency(report.from_tick)),
        ("from the frame's making to the client, median / p99", _latency(report.from_frame)),
        ("patches that did not follow on the one before", f"{report.gaps}"),
        ("clients sent away", ", ".join(f"{n} {reason}" for reason, n in report.byes.items()) or "none"),
        ("CPU time of the server per frame", f"{report.server_cpu / max(report.frames, 1) * 1e6:.0f} µs"),
        ("share of its core that the server used", f"{report.server_cpu:.0%}"),
        ("memory of the server, at the beginning and at the end",
         f"{report.memory_before:.0f} and {report.memory_after:.0f} MiB"),
    ]  # fmt: skip


def _latency(percentiles: tuple[float, float, float]) -> str:
    return f"{percentiles[0]:,.0f} / {percentiles[1]:,.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in Load()._asdict().items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), help=f"(default: {default})")
    chosen = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    if chosen:
        print(run(Load(**chosen)))
        return
    for title, load in SCENES.items():
        publish(f"WebSocket: {title}", rows(load, run(load)))


if __name__ == "__main__":
    main()
