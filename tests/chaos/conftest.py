"""A fresh deployment for each scenario, on real parts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4
from zlib import crc32

import pytest

from swapstats.adapters.embedded.redis_server import RedisServer
from tests.chaos.arena import Arena
from tests.chaos.client import Client
from tests.chaos.report import Report
from tests.chaos.topic import LogRecord, Topic

SEED = 20_261_122


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    report = Report()
    yield report
    report.write()


@pytest.fixture
def make_arena(
    request: pytest.FixtureRequest, tmp_path: Path, kafka_bootstrap: str, own_redis: RedisServer, report: Report
) -> Iterator[Callable[..., Arena]]:
    """Gives arenas on the session's Kafka and a Redis of the test's own; `brokers` and `redis_url` name others."""
    with ExitStack() as stack:

        def make(
            partitions: int = 4, *, brokers: str = "", redis_url: str = "", replication: int = 1, **options: Any
        ) -> Arena:
            topic = Topic(brokers or kafka_bootstrap, f"swaps-{uuid4().hex[:8]}", partitions, replication)
            topic.create()
            seed = SEED + crc32(request.node.name.encode())
            arena = Arena(tmp_path / "arena", topic, redis_url or own_redis.url(), seed=seed, **options)
            return stack.enter_context(arena)

        yield make


@pytest.fixture
def conclude(report: Report) -> Callable[..., None]:
    """Ends a scenario: everything settles, is compared with the model, and goes into the report.

    `client` was told what it was told; `kept` were counted before they left the log, `lost` of them never could be.
    A store that forgets its last writes runs backwards itself; otherwise none of its times ever does.
    """

    def end(
        arena: Arena,
        scenario: str,
        *,
        client: Client | None = None,
        kept: Sequence[LogRecord] = (),
        lost: int = 0,
        store_forgets: bool = False,
    ) -> None:
        verdict = arena.settle(client, kept)
        if lost:
            arena.note(f"{lost} records gone before they were read")
        report.add(arena.row(scenario, verdict))
        assert verdict.is_exact, "\n".join(verdict.wrong_outcomes + verdict.wrong_totals[:10])
        assert store_forgets or not arena.watch.backwards, arena.watch.backwards[:3]

    return end
