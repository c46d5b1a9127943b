"""Reading over HTTP, measured: `python -m tests.load.bench_http`.

One WSGI worker (granian, as production runs it) on one core, JWT and limiter on, its metrics in files that processes
share, its view fed with changes ten times a second; Redis and the client have the other cores. Requests go round all
tokens, over keep-alive connections.
"""

import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx

from settings.config.load import variable
from settings.config.values import PROJECT_DIR
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.listener import free_port
from swapstats.domain.stats import Part
from tests.load.report import Row, percentile, publish
from tests.load.system import cpu_seconds, memory_bytes
from tests.parts.live_feed import traded
from tests.parts.publisher import Publisher

CONNECTIONS = 32
CHANGED_A_TICK = 100
TICK_SECONDS = 0.1
WARM_SECONDS = 4.0
ROUNDS = 3
STEADY = 1_000
"""Requests a second at which latency is measured."""


class Site(NamedTuple):
    """A WSGI worker that answers on `port`, and what it asks for."""

    port: int
    worker_pid: int
    token: str
    ids: list[str]

    def request(self, path: str) -> str:
        """As nginx passes it on."""
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "X-Forwarded-Proto: https"]
        return "\r\n".join([*lines, "X-Forwarded-For: 192.0.2.1", f"Authorization: Bearer {self.token}", "", ""])


class Load(NamedTuple):
    per_second: float
    cpu_us: float
    times_ms: list[float]


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=10_000, help="tokens in the live view (default: 10000)")
    parser.add_argument("--seconds", type=float, default=12, help="how long each load lasts (default: 12)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, running_site(Path(directory), options.tokens) as site:
        publish("reading over HTTP", measure(site, options.seconds))


def measure(site: Site, seconds: float) -> list[Row]:
    stats = [site.request(f"/api/tokens/{token_id}/stats") for token_id in site.ids]
    overview = [site.request("/api/overview")]
    return [
        ("tokens in the live view", f"{len(site.ids):,}"),
        *_rows("statistics of one token", site, stats, seconds),
        *_rows("overview", site, overview, seconds),
        ("memory of the worker", f"{memory_bytes(site.worker_pid) / 2**20:.0f} MiB"),
    ]


def _rows(name: str, site: Site, requests: list[str], seconds: float) -> list[Row]:
    """Medians of rounds, for machines are noisy; of the slowest answers their range too."""
    most, steady = zip(
        *((load(site, requests, seconds), load(site, requests, seconds, STEADY)) for _ in range(ROUNDS)), strict=True
    )
    slowest = sorted(percentile(one.times_ms, 0.99) for one in steady)
    return [
        (f"{name}: requests a second on one core", f"{median(one.per_second for one in most):,.0f}"),
        (f"{name}: CPU time of the worker per request", f"{median(one.cpu_us for one in most):.0f} µs"),
        (f"{name}: p50 at 1,000 requests a second", f"{median(percentile(o.times_ms, 0.5) for o in steady):.1f} ms"),
        (f"{name}: p99 at 1,000 requests a second", f"{median(slowest):.1f} ms ({slowest[0]:.1f}–{slowest[-1]:.1f})"),
    ]


def load(site: Site, requests: list[str], seconds: float, rate: float = 0) -> Load:
    plan = {"port": site.port, "requests": requests, "connections": CONNECTIONS, "rate": rate}
    _ask(plan | {"seconds": WARM_SECONDS})
    cpu = cpu_seconds(site.worker_pid)
    done = _ask(plan | {"seconds": seconds})
    cpu = cpu_seconds(site.worker_pid) - cpu
    count = sum(done["statuses"].values())
    if set(done["statuses"]) != {"200"}:
        raise RuntimeError(f"not all were answered with 200: {done['statuses']}")
    return Load(count / done["seconds"], cpu / count * 1e6, done["times_ms"])


def _ask(plan: dict[str, Any]) -> dict[str, Any]:
    client = [sys.executable, "-m", "tests.load.http_client"]
    asked = subprocess.run(client, input=json.dumps(plan), capture_output=True, text=True, check=True, cwd=PROJECT_DIR)
    answer: dict[str, Any] = json.loads(asked.stdout)
    return answer


@contextmanager
def running_site(directory: Path, tokens: int) -> Iterator[Site]:
    with RedisServer(directory / "redis") as redis, Publisher(redis.url(), redis.url(1)) as publisher:
        port, environment = free_port(), _environment(redis, directory)
        with on_one_core():
            server = ChildProcess("granian", _granian(port), env=environment, cwd=PROJECT_DIR)
        ids = fill(publisher, tokens)
        with server, trading(publisher, ids):
            server.wait_until(lambda: _is_ready(port), 60, "be ready")
            yield Site(port, _worker_of(server), _token(environment), ids)


def _environment(redis: RedisServer, directory: Path) -> dict[str, str]:
    settings = {
        "stores.redis.url": redis.url(),
        "pubsub.channel_layer.url": redis.url(1),
        "embedded.data_dir": str(directory),
        "rate_limit.by_jwt.refill_per_sec": "1000000",
        "rate_limit.by_jwt.burst": "1000000",
        "metrics.pprof": "null",
        "security.secret_key": secrets.token_urlsafe(48),
        "security.jwt.secret": secrets.token_urlsafe(48),
        "api.http.public_hosts": '["127.0.0.1"]',
    }
    named = {variable(key): value for key, value in settings.items()}
    metrics = {"PROMETHEUS_MULTIPROC_DIR": str(directory / "metrics")}
    return os.environ | named | metrics | {"DJANGO_SETTINGS_MODULE": "settings.prod"}


def _granian(port: int) -> list[str]:
    options = ["--interface", "wsgi", "--port", str(port), "--no-access-log", "--blocking-threads", "8"]
    return [sys.executable, "-m", "granian", *options, "swapstats.wsgi:application"]


@contextmanager
def on_one_core() -> Iterator[None]:
    """Processes that are started meanwhile stay on one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def fill(publisher: Publisher, tokens: int) -> list[str]:
    rng = random.Random(5)
    ids = [f"1:0x{rng.getrandbits(160):040x}" for _ in range(tokens)]
    now_ms = publisher.now_ms()
    publisher.publish({token_id: _traded(token_id, rng, now_ms) for token_id in ids}, whole=True)
    return ids


def _traded(token_id: str, rng: random.Random, now_ms: int) -> Part:
    return traded(rng.randint(1, 500), symbol=token_id[-6:].upper(), at_ms=now_ms)


@contextmanager
def trading(publisher: Publisher, ids: list[str]) -> Iterator[None]:
    """A hundred tokens change at each tick: a thousand swaps a second."""
    ended, rng = threading.Event(), random.Random(6)

    def trade() -> None:
        while not ended.wait(TICK_SECONDS):
            now_ms = publisher.now_ms()
            changed = rng.sample(ids, min(CHANGED_A_TICK, len(ids)))
            publisher.publish({token_id: _traded(token_id, rng, now_ms) for token_id in changed})

    thread = threading.Thread(target=trade)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", headers={"X-Forwarded-Proto": "https"}).status_code == 200
    except httpx.TransportError:
        return False


def _worker_of(server: ChildProcess) -> int:
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return next(int(pid) for pid in children if "resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_text())


def _token(environment: dict[str, str]) -> str:
    command = [sys.executable, str(PROJECT_DIR / "manage.py"), "mint_token", "--sub", "load", "--ttl", "1d"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
