"""The rate limiter's contract, as ports/rate_limiter.py says it: shared on Redis's clock, local without Redis."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.redis.rate_limiter import RedisRateLimiter
from swapstats.adapters.redis.ticket_store import RedisTicketStore
from swapstats.adapters.system.rate_limiter import LocalRateLimiter
from swapstats.domain.errors import StoreUnavailable
from swapstats.ports.rate_limiter import BucketSize, RateLimiter
from swapstats.ports.token_verifier import Caller

pytestmark = pytest.mark.redis

SLOW = BucketSize(0.01, 20)


@pytest.fixture(params=["redis", "local"])
def limiter(request: pytest.FixtureRequest, redis_url: str) -> Iterator[RateLimiter]:
    if request.param == "local":
        yield LocalRateLimiter()
        return
    with Redis.from_url(redis_url) as client:
        yield RedisRateLimiter(client, "test:", LocalRateLimiter())


def test_a_burst_is_let_through_and_no_more(limiter: RateLimiter) -> None:
    verdicts = [limiter.take("a", SLOW) for _ in range(25)]
    assert [verdict.is_allowed for verdict in verdicts] == [True] * 20 + [False] * 5
    assert [verdict.remaining for verdict in verdicts] == [*range(19, -1, -1), 0, 0, 0, 0, 0]
    assert verdicts[0].limit == 20
    assert verdicts[0].reset_s == pytest.approx(100, abs=5)
    assert verdicts[19].reset_s == pytest.approx(2_000, abs=5)
    assert verdicts[19].retry_after_s == 0
    assert verdicts[24].retry_after_s == pytest.approx(100, abs=5)


def test_each_key_has_its_own(limiter: RateLimiter) -> None:
    for key in ("a", "b", "ip:::1", "sub:ä\n"):
        assert limiter.take(key, SLOW).remaining == 19


def test_costs(limiter: RateLimiter) -> None:
    assert limiter.take("a", SLOW, 15).remaining == 5
    assert not limiter.take("a", SLOW, 6).is_allowed
    assert limiter.take("a", SLOW, 5).is_allowed
    assert not limiter.take("b", SLOW, 21).is_allowed


def test_what_is_spent_is_refilled(limiter: RateLimiter) -> None:
    size, started = BucketSize(200, 1), time.monotonic()
    allowed = 0
    while allowed < 5:
        allowed += limiter.take("a", size).is_allowed
    assert time.monotonic() - started >= 4 / 200 - 0.001


def test_two_processes_share_one_bucket(redis_url: str) -> None:
    """Whatever their own clocks say: only Redis's is looked at."""

    def take(number: int) -> bool:
        return limiters[number % 2].take("sub:x", SLOW).is_allowed

    with Redis.from_url(redis_url) as one, Redis.from_url(redis_url) as other:
        limiters = [RedisRateLimiter(client, "test:", LocalRateLimiter()) for client in (one, other)]
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(take, range(400))) == 20


def test_four_hundred_in_a_second_give_the_burst_and_what_is_refilled(redis_url: str) -> None:
    """Of one `sub`, from two processes whose clocks are two seconds apart."""
    size = BucketSize(50, 200)
    clocks: list[Callable[[], float]] = [time.monotonic, lambda: time.monotonic() + 2]

    def take(number: int) -> bool:
        return limiters[number % 2].take("sub:x", size).is_allowed

    with Redis.from_url(redis_url) as one, Redis.from_url(redis_url) as other, ThreadPoolExecutor(8) as pool:
        limiters = [
            RedisRateLimiter(client, "test:", LocalRateLimiter(clock), clock)
            for client, clock in zip((one, other), clocks, strict=True)
        ]
        began = time.monotonic()
        allowed = sum(pool.map(take, range(400)))
        took = time.monotonic() - began
    assert 200 <= allowed <= min(400, 200 + 50 * took)


def test_a_script_that_was_forgotten_and_a_connection_that_broke_are_no_matter(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        limiter = RedisRateLimiter(client, "test:", LocalRateLimiter())
        assert limiter.take("a", SLOW).remaining == 19
        client.script_flush()
        assert limiter.take("a", SLOW).remaining == 18
        client.client_kill_filter(_type="normal", skipme=True)
        assert limiter.take("a", SLOW).remaining == 17
        assert limiter.take("a", SLOW).remaining == 16


def test_a_reply_that_comes_too_late_is_nobodys(own_redis: RedisServer) -> None:
    now = [1_000.0]
    with Redis.from_url(own_redis.url(), socket_timeout=0.2, socket_connect_timeout=0.2) as client:
        limiter = RedisRateLimiter(client, "test:", LocalRateLimiter(), lambda: now[0])
        assert limiter.take("a", SLOW, 5).remaining == 15
        own_redis.pause()
        limiter.take("a", SLOW)
        own_redis.process.resume()
        now[0] += 1.1
        assert [limiter.take("b", SLOW).remaining for _ in range(3)] == [19, 18, 17]


def test_a_master_that_became_a_replica_is_asked_for_no_longer(own_redis: RedisServer) -> None:
    now = [1_000.0]
    with Redis.from_url(own_redis.url(), socket_timeout=0.2) as client, Redis.from_url(own_redis.url()) as operator:
        limiter = RedisRateLimiter(client, "test:", LocalRateLimiter(), lambda: now[0])
        assert limiter.take("a", SLOW).remaining == 19
        operator.replicaof("127.0.0.1", "1")
        assert [limiter.take("a", SLOW).remaining for _ in range(2)] == [19, 18]
        operator.replicaof("NO", "ONE")
        now[0] += 1.1
        assert limiter.take("a", SLOW).remaining == 18


def test_what_else_the_server_sends_is_no_reply(redis_url: str) -> None:
    """As in the third version of its protocol, whenever it likes."""
    with Redis.from_url(redis_url, protocol=3) as client:
        limiter = RedisRateLimiter(client, "test:", LocalRateLimiter())
        assert limiter.take("a", SLOW).remaining == 19
        line = limiter._script._idle[0]
        line.ask("CLIENT", "TRACKING", "ON", "BCAST")
        with Redis.from_url(redis_url) as other:
            other.set("anything", "new")
        assert [limiter.take("a", SLOW).remaining for _ in range(2)] == [18, 17]


def test_full_buckets_are_not_kept(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        RedisRateLimiter(client, "test:", LocalRateLimiter()).take("a", BucketSize(10, 100))
        assert 0 < client.pttl("test:limit:a") <= 101


def test_without_redis_the_process_counts_itself(own_redis: RedisServer) -> None:
    now = [1_000.0]
    client = Redis.from_url(own_redis.url(), socket_timeout=0.2, socket_connect_timeout=0.2)
    limiter = RedisRateLimiter(client, "test:", LocalRateLimiter(), lambda: now[0])
    assert limiter.take("a", SLOW).remaining == 19
    own_redis.pause()
    assert [limiter.take("a", SLOW).remaining for _ in range(50)] == [*range(19, -1, -1)] + [0] * 30
    own_redis.process.resume()
    assert not limiter.take("a", SLOW).is_allowed
    now[0] += 1.1
    assert 15 <= limiter.take("a", SLOW).remaining <= 18  # the one that timed out may have arrived later
    own_redis.kill()
    assert not limiter.take("a", SLOW).is_allowed
    own_redis.start()
    now[0] += 1.1
    assert limiter.take("a", SLOW).is_allowed


def test_a_ticket_is_good_for_one_use(redis_url: str) -> None:
    caller = Caller("alice", 1_800_000_000)
    with Redis.from_url(redis_url) as client:
        tickets = RedisTicketStore(client, "test:")
        ticket = tickets.issue(caller, 30)
        assert ticket not in str(client.keys())
        assert 0 < client.ttl(client.keys("test:ticket:*")[0]) <= 30
        assert tickets.redeem(ticket) == caller
        for other in (ticket, "", "rubbish", "x" * 10_000, "\ud800"):
            assert tickets.redeem(other) is None


def test_tickets_need_redis(own_redis: RedisServer) -> None:
    tickets = RedisTicketStore(Redis.from_url(own_redis.url()), "test:")
    own_redis.stop()
    with pytest.raises(StoreUnavailable):
        tickets.issue(Caller("alice", 1), 30)
    with pytest.raises(StoreUnavailable):
        tickets.redeem("x")
