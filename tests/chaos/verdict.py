"""What the live store says against what the independent model makes of the log."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from redis import Redis

from realtime.stats_body import stats_body
from realtime.view import LiveView
from settings.config import RedisStore
from swapstats.adapters.redis.clients import async_client
from swapstats.adapters.redis.live_store import RedisLiveReader
from swapstats.domain.errors import StoreError
from swapstats.ports.live_store import LivePartition
from tests.chaos.topic import LogRecord
from tests.oracle import Oracle

SETTLE_SECONDS = 150
WINDOWS = {
    "20s": (20_000, 1_000),
    "5m": (300_000, 5_000),
    "1h": (3_600_000, 60_000),
    "24h": (86_400_000, 60_000),
}
"""The default ones, and a short one, in which much leaves while a scenario lasts."""
FINEST_MS = 1_000


@dataclass
class Verdict:
    """Everything found wrong; nothing means equal to the last digit."""

    records: int
    wrong_totals: list[str] = field(default_factory=list)
    wrong_outcomes: list[str] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0

    @property
    def is_exact(self) -> bool:
        return not (self.wrong_totals or self.wrong_outcomes or self.lost or self.doubled)


class State:
    """What the state store holds, read from outside."""

    def __init__(self, where: Callable[[], RedisStore]) -> None:
        self._where = where

    @property
    def _store(self) -> RedisStore:
        return self._where()

    def owners(self) -> set[str]:
        """Who holds partitions of the log that is live."""
        source = self.source()
        with _client(self._store) as redis:
            keys = redis.keys(f"{self._store.prefix}snap:{source}:*")
            return {(redis.hget(key, "owner") or b"").decode() for key in keys}

    def source(self) -> str:
        """Key of the log that is live."""
        with _client(self._store) as redis:
            return (redis.get(f"{self._store.prefix}live") or b"").decode()

    def checkpoints(self, source: str, partitions: int) -> dict[int, tuple[int, Counter[str]]]:
        """Next offset and outcomes per partition."""
        found = {}
        with _client(self._store) as redis:
            for number in range(partitions):
                key = f"{self._store.prefix}snap:{source}:{number}"
                next_offset, outcomes = redis.hmget(key, "next_offset", "outcomes")
                counts = Counter(msgspec.json.decode(outcomes or b"{}"))
                found[number] = (int(next_offset or 0), counts)
        return found

    def unread_mail(self, source: str, partitions: int) -> list[int]:
        """Partitions that have not saved the effect of all their mail."""
        prefix, unread = self._store.prefix, []
        with _client(self._store) as redis:
            for number in range(partitions):
                newest = redis.xrevrange(f"{prefix}mail:{source}:{number}", count=1)
                if newest and newest[0][0] != redis.hget(f"{prefix}snap:{source}:{number}", "mail_id"):
                    unread.append(number)
        return unread

    def live(self) -> dict[int, LivePartition]:
        """All partitions, through the very reader that web processes load with."""
        return asyncio.run(self._load())

    async def _load(self) -> dict[int, LivePartition]:
        reader = RedisLiveReader(async_client(self._store), self._store.prefix)
        try:
            source = await reader.source()
            loaded = {number: await reader.load(source, number) for number in await reader.partitions(source)}
            return {number: partition for number, partition in loaded.items() if partition}
        finally:
            await reader.close()


def _client(store: RedisStore) -> Redis:
    return Redis.from_url(store.url, socket_timeout=5)


def wait_until_settled(state: State, ends: Mapping[int, int], seconds: float = SETTLE_SECONDS) -> None:
    """Until all that the log holds is published and saved."""

    def lacking() -> str | None:
        live = state.live()
        behind = {n: (live[n].meta.offset if n in live else None, end) for n, end in ends.items()}
        behind = {n: both for n, both in behind.items() if both[0] != both[1] and (both[0] or both[1])}
        if behind:
            return f"published and written offsets differ: {behind}"
        saved = state.checkpoints(state.source(), len(ends))
        behind = {n: (saved[n][0], end) for n, end in ends.items() if saved[n][0] != end and end}
        if behind:
            return f"saved and written offsets differ: {behind}"
        unread = state.unread_mail(state.source(), len(ends))
        return f"partitions {unread} have not read all their mail" if unread else None

    wait_for(lacking, seconds)


def wait_for(lacking: Callable[[], str | None], seconds: float) -> None:
    """Polls until nothing is lacking any more."""
    deadline = time.monotonic() + seconds
    while why := _asked(lacking):
        assert time.monotonic() < deadline, f"not settled after {seconds:g} s: {why}"
        time.sleep(0.2)


def _asked(lacking: Callable[[], str | None]) -> str | None:
    try:
        return lacking()
    except (StoreError, OSError) as error:
        return str(error)


def model_of(log: list[LogRecord]) -> Oracle:
    """What the log means. Partitions are merged by record time, each in the order of its offsets."""
    oracle = Oracle(windows=WINDOWS)
    position: dict[int, int] = {}
    order = []
    for record in log:
        at_ms = max(record.timestamp_ms, position.get(record.partition, 0))
        position[record.partition] = at_ms
        order.append((at_ms, record.partition, record.offset, record))
    for *_, record in sorted(order, key=lambda item: item[:3]):
        oracle.record(record.value, record.timestamp_ms, record.partition)
    return oracle


def judge(
    state: State, model: Oracle, log: list[LogRecord], partitions: int, *, order_is_known: bool = True
) -> Verdict:
    """Compare every token's every window, and the outcomes. Where copies of a swap lie in several partitions, which
    of them came first is not in the log, so only what does not depend on it is compared."""
    verdict = Verdict(len(log))
    _compare_windows(model, _in_one_bucket(state), verdict)
    saved = state.checkpoints(state.source(), partitions)
    _compare_outcomes(model.outcomes, log, saved, verdict, order_is_known)
    return verdict


def compare_told(model: Oracle, told: Mapping[str, dict[str, Any]], verdict: Verdict) -> None:
    """What readers were told of tokens, each as of when it was told."""
    for token_id, body in told.items():
        as_of_ms = round(datetime.fromisoformat(body["as_of"]).timestamp() * 1000)
        _compare_stats(token_id, model.stats(token_id, as_of_ms), body, verdict)


def _in_one_bucket(state: State) -> dict[int, LivePartition]:
    """All partitions evaluated within one bucket of the finest width: then their parts add up."""
    for _ in range(100):
        live = state.live()
        if len({partition.meta.as_of_ms // FINEST_MS for partition in live.values()}) == 1:
            return live
    raise AssertionError("the partitions are never evaluated in the same second")


def _compare_windows(oracle: Oracle, live: dict[int, LivePartition], verdict: Verdict) -> None:
    view = LiveView()
    view.replace_all("log", live)
    now_ms = view.as_of_ms()
    for token_id in sorted(oracle.tokens() | set(view.token_ids())):
        expected = oracle.stats(token_id, now_ms)
        found = view.opening(token_id)
        actual = stats_body(found, 1)
        _compare_stats(token_id, expected, actual, verdict)


def _compare_stats(token_id: str, expected: dict[str, Any], actual: dict[str, Any], verdict: Verdict) -> None:
    if expected["price_usd"] != actual.get("price_usd"):
        verdict.wrong_totals.append(f"{token_id} price: {expected['price_usd']} is told as {actual.get('price_usd')}")
    for name, sums in expected["windows"].items():
        told = actual["windows"][name]
        wrong = {
            key: (value, told.get(key)) for key, value in sums.items() if key != "from_ms" and told.get(key) != value
        }
        if wrong:
            verdict.wrong_totals.append(f"{token_id} {name}: expected and told {wrong}")
        if name == "24h":
            difference = told["trades"] - sums["trades"]
            verdict.lost += max(0, -difference)
            verdict.doubled += max(0, difference)


def _compare_outcomes(
    expected: Counter[str],
    log: list[LogRecord],
    saved: Mapping[int, tuple[int, Counter[str]]],
    verdict: Verdict,
    order_is_known: bool,
) -> None:
    records = Counter(record.partition for record in log)
    for number, (_, outcomes) in saved.items():
        if outcomes.total() != records[number]:
            text = f"partition {number}: {records[number]} records have {outcomes.total()} outcomes"
            verdict.wrong_outcomes.append(text)
    told: Counter[str] = sum((outcomes for _, outcomes in saved.values()), Counter())
    measures = _NAMED if order_is_known else _ORDER_FREE
    for name, parts in measures.items():
        want, have = (sum(sign * counts[outcome] for outcome, sign in parts.items()) for counts in (expected, told))
        if want != have:
            verdict.wrong_outcomes.append(f"{name}: expected {want}, told {have}")


_OUTCOMES = ("applied", "late", "duplicate", "cancelled", "retracted", "retracted_late", "parked", "dead_lettered")
_NAMED = {name: {name: 1} for name in _OUTCOMES}
_ORDER_FREE = {
    "dead_lettered": {"dead_lettered": 1},
    "counted in the end": {"applied": 1, "retracted": -1},
    "first removals": {"retracted": 1, "retracted_late": 1, "parked": 1},
    "all others": {"applied": 1, "cancelled": 1, "late": 1, "duplicate": 1},
}
