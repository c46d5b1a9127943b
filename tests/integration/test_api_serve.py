"""Two web processes as users run them: live answers, tokens from the command line, one allowance for both."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.listener import free_port
from tests.integration.test_api_feed import Worker

pytestmark = pytest.mark.redis

PROJECT = Path(__file__).resolve().parents[2]
MANAGE = [sys.executable, str(PROJECT / "manage.py")]
START_SECONDS = 60


@pytest.fixture
def environment(redis_server: RedisServer, redis_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "settings.dev",
        "SWAPSTATS_STORES__REDIS__URL": redis_url,
        "SWAPSTATS_STORES__REDIS__PREFIX": "test:",
        "SWAPSTATS_PUBSUB__CHANNEL_LAYER__URL": redis_url,
        "SWAPSTATS_PUBSUB__CHANNEL_LAYER__PREFIX": "asgi",
        "SWAPSTATS_EMBEDDED__DATA_DIR": str(tmp_path),
        "SWAPSTATS_RATE_LIMIT__BY_JWT__REFILL_PER_SEC": "0.001",
    }


@pytest.fixture
def sites(environment: dict[str, str]) -> Iterator[list[str]]:
    """The addresses of two web processes that are ready."""
    ports = [free_port(), free_port()]
    processes = [
        ChildProcess("serve", [*MANAGE, "serve"], env={**environment, "SWAPSTATS_API__HTTP__ADDR": f"127.0.0.1:{port}"})
        for port in ports
    ]
    try:
        for process, port in zip(processes, ports, strict=True):
            process.wait_until(lambda port=port: is_up(port), START_SECONDS, "answer /healthz")
        yield [f"http://127.0.0.1:{port}" for port in ports]
    finally:
        for process in processes:
            process.stop()


def is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def test_two_web_processes_are_one_site(sites: list[str], environment: dict[str, str], redis_url: str) -> None:
    assert [httpx.get(f"{site}/readyz").status_code for site in sites] == [503, 503]
    worker = asyncio.run(_published(redis_url))
    try:
        _check(sites, _minted(environment), worker)
    finally:
        worker.sender.close()


async def _published(redis_url: str) -> Worker:
    worker = Worker(redis_url)
    worker.tick({"1:a": 5})
    return worker


def _minted(environment: dict[str, str]) -> dict[str, str]:
    command = [*MANAGE, "mint_token", "--sub", "machine", "--ttl", "10m"]
    minted = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return {"Authorization": f"Bearer {minted.stdout.strip()}"}


def _check(sites: list[str], headers: dict[str, str], worker: Worker) -> None:
    deadline = time.monotonic() + START_SECONDS
    for site in sites:
        while httpx.get(f"{site}/readyz").status_code != 200:
            assert time.monotonic() < deadline
            worker.tick({})
            time.sleep(0.1)
    path = "/api/tokens/usdc/stats"
    assert httpx.get(sites[0] + path).json()["code"] == "not_authenticated"
    answers = [httpx.get(site + path, headers=headers).json() for site in sites]
    assert [answer["windows"]["5m"]["buys"] for answer in answers] == [5, 5]
    with ThreadPoolExecutor(4) as pool, httpx.Client() as client:
        statuses = list(pool.map(lambda n: client.get(sites[n % 2] + path, headers=headers).status_code, range(230)))
    assert statuses.count(200) == 198
    assert statuses.count(429) == 32
