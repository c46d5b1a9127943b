"""Who was refused lately: counted by each process in RAM, told to Redis, and bounded in both."""

from collections.abc import Iterator

import pytest
from redis import Redis

from swapstats.adapters.redis.refusal_log import KEPT_MS, LONGEST, MOST_KEPT, RedisRefusalLog
from swapstats.domain.errors import StoreUnavailable
from swapstats.ports.refusal_log import Refusal, Refused, Tally
from swapstats.refusals import MOST_AT_ONCE, OTHERS, Refusals

pytestmark = pytest.mark.redis

NOW_MS = 1_800_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> float:
        return self.now_ms / 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(redis_url: str) -> Iterator["Redis"]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def log(client: "Redis", clock: Clock) -> RedisRefusalLog:
    return RedisRefusalLog(client, "test:", clock)


def test_what_several_processes_counted_adds_up(log: RedisRefusalLog, clock: Clock) -> None:
    assert log.recent() == []
    processes = [Refusals(clock), Refusals(clock)]
    for process in processes:
        for who, code in (
            ("sub:desk 7", "rate_limited"),
            ("ip:192.0.2.1", "bad_token"),
            ("sub:desk 7", "rate_limited"),
        ):
            clock.now_ms += 1
            process.note(who, code)
        process.tell(log)
    processes[0].tell(log)
    assert log.recent() == [
        Refusal("sub:desk 7", "rate_limited", 4, NOW_MS + 3, NOW_MS + 6),
        Refusal("ip:192.0.2.1", "bad_token", 2, NOW_MS + 2, NOW_MS + 5),
    ]


def test_a_process_that_tells_late_does_not_turn_time_back(log: RedisRefusalLog) -> None:
    refused = Refused("ip:192.0.2.1", "bad_token")
    log.add({refused: Tally(1, NOW_MS)})
    log.add({refused: Tally(5, NOW_MS - 900)})
    assert log.recent() == [Refusal(*refused, 6, NOW_MS, NOW_MS)]


def test_after_a_day_everybody_is_forgotten(log: RedisRefusalLog, clock: Clock, client: "Redis") -> None:
    log.add({Refused("a", "bad_token"): Tally(3, NOW_MS)})
    assert all(0 < client.pttl(key) <= KEPT_MS for key in client.keys("test:refusals:*"))
    clock.now_ms += KEPT_MS + 1
    assert log.recent() == []
    log.add({Refused("b", "bad_token"): Tally(1, clock.now_ms)})
    assert client.hlen("test:refusals:count") == client.hlen("test:refusals:since") == 1


def test_so_many_are_kept_and_the_oldest_go(log: RedisRefusalLog, client: "Redis") -> None:
    for start in (0, 600, 1_200):
        log.add({Refused(f"ip:{n}", "bad_token"): Tally(1, NOW_MS + n) for n in range(start, start + 600)})
    found = log.recent()
    assert [each.who for each in found] == [f"ip:{n}" for n in range(1_799, 799, -1)]
    assert MOST_KEPT == client.hlen("test:refusals:count") == client.hlen("test:refusals:since") == 1_000


@pytest.mark.parametrize("who", ["", "sub: ", "sub:\ud800", "sub:ä\n\x00", "sub:" + "ü" * 256])
def test_any_subject(log: RedisRefusalLog, who: str) -> None:
    log.add({Refused(who, "rate_limited"): Tally(1, NOW_MS)})
    [found] = log.recent()
    assert (found.code, found.times) == ("rate_limited", 1)
    assert len(found.who) <= LONGEST


def test_a_process_counts_so_many_apart_and_the_others_together(clock: Clock) -> None:
    told: list[dict[Refused, Tally]] = []
    refusals = Refusals(clock)
    for number in range(MOST_AT_ONCE + 500):
        refusals.note(f"ip:{number}", "bad_token")
    refusals.note("ip:7", "bad_token")
    refusals.tell(_Into(told))  # type: ignore[arg-type]
    assert len(told[0]) == MOST_AT_ONCE + 1
    assert told[0][Refused(OTHERS, "bad_token")].times == 500
    assert told[0][Refused("ip:7", "bad_token")].times == 2


def test_what_could_not_be_told_is_told_the_next_time(log: RedisRefusalLog, clock: Clock) -> None:
    refusals = Refusals(clock)
    away = RedisRefusalLog(Redis.from_url("redis://127.0.0.1:1/0"), "test:", clock)
    refusals.note("a", "bad_token")
    with pytest.raises(StoreUnavailable):
        refusals.tell(away)
    with pytest.raises(StoreUnavailable):
        away.recent()
    refusals.note("a", "bad_token")
    refusals.tell(log)
    assert [(each.who, each.times) for each in log.recent()] == [("a", 2)]


class _Into:
    def __init__(self, told: list[dict[Refused, Tally]]) -> None:
        self.told = told

    def add(self, tallies: dict[Refused, Tally]) -> None:
        self.told.append(tallies)
