"""The ledger's contract, as ports/ledger.py says it, on a real Redis."""

import random
from collections.abc import Sequence
from uuid import uuid4

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.domain.errors import ConfigError, Fenced, StoreUnavailable
from swapstats.domain.outcome import ELSEWHERE
from swapstats.domain.swap import Retraction
from swapstats.ports.ledger import Claim
from swapstats.ports.swap_source import SourceIdentity
from tests.contracts.ledgers import (
    APPLIED,
    CANCELLED,
    DAY_MS,
    DUPLICATE,
    LATE,
    PARKED,
    PREFIX,
    RETRACTED,
    RETRACTED_LATE,
    Worker,
    add,
    occurrence,
    remove,
    taken_out,
)

pytestmark = pytest.mark.redis

BYTES_AN_ENTRY = 48

TABLE = [
    ([add(1)], [APPLIED]),
    ([add(1, late=True)], [LATE]),
    ([add(1), add(2)], [APPLIED, DUPLICATE]),
    ([add(1), add(2, late=True)], [APPLIED, DUPLICATE]),
    ([add(1, late=True), add(2)], [LATE, DUPLICATE]),
    ([add(1, late=True, partition=1), add(2)], [LATE, APPLIED]),
    ([add(1, late=True, partition=1), add(2, late=True)], [LATE, DUPLICATE]),
    ([add(1, late=True, partition=1), add(2), add(3), add(4, partition=1)], [LATE, APPLIED, DUPLICATE, DUPLICATE]),
    ([add(1, late=True, partition=1), add(2), remove(3), add(4)], [LATE, APPLIED, RETRACTED, DUPLICATE]),
    ([add(1, late=True), add(2, partition=1), remove(3, partition=1)], [LATE, APPLIED, RETRACTED]),
    ([add(1, late=True), remove(2), add(3, partition=1)], [LATE, RETRACTED_LATE, DUPLICATE]),
    ([remove(1), add(2, late=True), add(3, partition=1)], [PARKED, CANCELLED, DUPLICATE]),
    ([add(1), add(1, partition=1)], [APPLIED, DUPLICATE]),
    ([add(1), add(2**48 - 1)], [APPLIED, DUPLICATE]),
    ([add(1), remove(2)], [APPLIED, RETRACTED]),
    ([add(1), remove(2, late=True)], [APPLIED, RETRACTED]),
    ([add(1, late=True), remove(2)], [LATE, RETRACTED_LATE]),
    ([remove(1)], [PARKED]),
    ([remove(1, late=True)], [PARKED]),
    ([remove(1), add(2)], [PARKED, CANCELLED]),
    ([remove(1), add(2, late=True)], [PARKED, CANCELLED]),
    ([remove(1), remove(2)], [PARKED, DUPLICATE]),
    ([remove(1), add(2), add(3)], [PARKED, CANCELLED, DUPLICATE]),
    ([remove(1), add(2), remove(3)], [PARKED, CANCELLED, DUPLICATE]),
    ([add(1), remove(2), remove(3)], [APPLIED, RETRACTED, DUPLICATE]),
    ([add(1), remove(2), add(3)], [APPLIED, RETRACTED, DUPLICATE]),
    ([add(1, late=True), remove(2), remove(3), add(4)], [LATE, RETRACTED_LATE, DUPLICATE, DUPLICATE]),
    ([add(1), add(2), remove(3), add(4), remove(5)], [APPLIED, DUPLICATE, RETRACTED, DUPLICATE, DUPLICATE]),
    ([add(1, "a"), add(2, "b"), remove(3, "a")], [APPLIED, APPLIED, RETRACTED]),
]


@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "batch by batch"])
@pytest.mark.parametrize(("claims", "expected"), TABLE)
def test_the_decision_table(worker: Worker, claims: Sequence[Claim], expected: Sequence[int], at_once: bool) -> None:
    decided = worker.decide(*claims) if at_once else [outcome for claim in claims for outcome in worker.decide(claim)]
    assert decided == expected
    for number in random.Random(1).sample(range(len(claims)), len(claims)):
        assert worker.decide(claims[number]) == [expected[number]], "a replay repeats the decision, in any order"
    assert worker.decide(*claims) == expected


def test_where_late_ones_count_one_in_time_is_a_duplicate(redis_url: str) -> None:
    worker = Worker(redis_url, counts_late=True).take(0, 1)
    claims = [add(1, late=True), add(2, partition=1), remove(3)]
    for _ in range(2):
        assert worker.decide(*claims) == [LATE, DUPLICATE, RETRACTED_LATE]
    worker.session.close()


def test_nothing_to_decide(worker: Worker) -> None:
    assert list(worker.ledger.decide([], {0: worker.stands[0]})()) == []


def test_positions_of_any_size(worker: Worker) -> None:
    """Partitions up to 2^16, offsets up to 2^48; none is taken for another that shares its low or high bits."""
    worker.take(65_535, 255)
    claims = [
        Claim(occurrence(f"{partition} {offset}"), partition, offset, False, False)
        for partition in (0, 1, 255, 65_535)
        for offset in (0, 1, 255, 2**32 - 1, 2**32, 2**40, 2**48 - 1)
    ]
    assert worker.decide(*claims) == [APPLIED] * len(claims)
    assert worker.decide(*claims) == [APPLIED] * len(claims)
    moved = [claim._replace(offset=claim.offset ^ 2**32) for claim in claims]
    assert worker.decide(*moved) == [DUPLICATE] * len(claims)
    moved = [claim._replace(partition=claim.partition ^ 1) for claim in claims if claim.partition < 2]
    assert worker.decide(*moved) == [DUPLICATE] * len(moved)


@given(
    kinds=st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.booleans()), max_size=20),
    steps=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 8)), max_size=10),
)
def test_any_batches_in_any_order_with_replays(
    kinds: list[tuple[str, bool, bool]], steps: list[tuple[int, int]], redis_server: RedisServer
) -> None:
    """Against the table in plain Python; each example has a log of its own."""
    worker = Worker(redis_server.url(), SourceIdentity("cluster", "raw-swaps", uuid4().hex)).take(0, 1)
    claims = [
        Claim(occurrence(name), n % 2, n, removed, late, taken_out(n) if removed else None)
        for n, (name, removed, late) in enumerate(kinds)
    ]
    model, at = Model(), 0
    for size, back in steps:
        batch = claims[at : at + size]
        if batch:
            assert worker.decide(*batch) == [model.decide(claim) for claim in batch]
        at = max(0, at + size - back)  # a restart replays what came before
    for partition in (0, 1):
        assert [mail[1:] for mail in worker.mail(partition)] == model.mail[partition]
    worker.session.close()


class Model:
    """The table of ports/ledger.py, by the letter."""

    def __init__(self) -> None:
        self.entries: dict[tuple[bytes, bool], tuple[tuple[int, int], int]] = {}
        self.decided: dict[tuple[bytes, bool, tuple[int, int]], int] = {}
        self.mail: dict[int, list[tuple[int, bool, Retraction | None]]] = {0: [], 1: []}

    def decide(self, claim: Claim) -> int:
        mine, position = (claim.occurrence, claim.removed), (claim.partition, claim.offset)
        if (*mine, position) in self.decided:
            return self.decided[(*mine, position)]
        other_position, other = self.entries.get((claim.occurrence, not claim.removed), (None, None))
        if mine in self.entries:
            decided_at, outcome = self.entries[mine]
            is_instead = not claim.removed and outcome == LATE and not claim.late and not other
            if not is_instead or decided_at[0] == claim.partition:
                return DUPLICATE
        if claim.removed:
            outcome = {None: PARKED, APPLIED: RETRACTED, LATE: RETRACTED_LATE}[other]
            if other_position and other_position[0] != claim.partition:
                self.mail[other_position[0]].append((other_position[1], other == LATE, claim.retraction))
                outcome += ELSEWHERE
        else:
            outcome = CANCELLED if other else LATE if claim.late else APPLIED
        self.entries[mine] = position, outcome
        self.decided[(*mine, position)] = outcome
        return outcome


def test_grows_without_losing_an_entry_and_stays_small(redis_url: str) -> None:
    """100,000 entries: eleven doublings, and each is found again by one look-up."""
    worker, size, rng = Worker(redis_url).take(0), 5_000, random.Random(2)
    client = redis.Redis.from_url(redis_url)
    before = client.info("memory")["used_memory"]
    batches = [
        [Claim(rng.randbytes(16), 0, n, False, False) for n in range(at, at + size)] for at in range(0, 100_000, size)
    ]
    for batch in batches:
        assert worker.decide(*batch) == [APPLIED] * size
    sizes = bucket_sizes(client)
    assert entries(redis_url) == sum(sizes.values()) == 100_000
    assert max(sizes.values()) < 256, "beyond that many, Redis would not pack a hash"
    assert {client.object("encoding", key) for key in list(sizes)[:50]} == {b"listpack"}
    assert (client.info("memory")["used_memory"] - before) / 100_000 <= BYTES_AN_ENTRY
    for batch in batches:
        assert worker.decide(*batch) == [APPLIED] * size, "found again, at its position"
    for batch in rng.sample(batches, 4):
        removals = [claim._replace(offset=claim.offset + 10**6, removed=True) for claim in batch]
        assert worker.decide(*removals) == [RETRACTED] * size
    worker.session.close()


def bucket_sizes(client: "redis.Redis") -> dict[bytes, int]:
    keys = sorted(client.scan_iter(f"{PREFIX}ledger:*", count=10_000), key=len)[1:]
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hlen(key)
        return dict(zip(keys, pipeline.execute(), strict=True))


def test_a_first_batch_of_any_size_is_spread_at_once(redis_url: str) -> None:
    worker = Worker(redis_url).take(0)
    claims = [add(n, n) for n in range(30_000)]
    assert worker.decide(*claims) == [APPLIED] * len(claims)
    assert max(bucket_sizes(redis.Redis.from_url(redis_url)).values()) < 256
    worker.session.close()


class TestForgetting:
    """Age goes by Redis's clock, which no test can move; so the stamps of entries are moved instead."""

    def test_entries_are_kept_as_long_as_was_said_and_then_forgotten(self, redis_url: str) -> None:
        worker = Worker(redis_url, retention_ms=DAY_MS).take(0)
        claims = [add(n, n) for n in range(2_000)]
        worker.decide(*claims)
        age(redis_url, DAY_MS - 1_200_000)
        sweep(worker, redis_url)
        again = [claim._replace(offset=claim.offset + 10_000) for claim in claims]
        assert worker.decide(*again) == [DUPLICATE] * len(claims)
        age(redis_url, 2_400_000)
        sweep(worker, redis_url)
        assert entries(redis_url) <= 2 * SWEEPS
        assert worker.decide(*again) == [APPLIED] * len(claims)
        worker.session.close()

    def test_what_was_forgotten_is_counted(self, redis_url: str) -> None:
        worker = Worker(redis_url).take(0)
        worker.decide(*(add(n, n) for n in range(4_000)))
        age(redis_url, 2 * DAY_MS)
        sweep(worker, redis_url)
        assert entries(redis_url) == sum(bucket_sizes(redis.Redis.from_url(redis_url)).values()) <= 2 * SWEEPS
        worker.session.close()

    def test_another_retention_does_not_unsettle_what_is_there(self, redis_url: str) -> None:
        """A configuration was changed, and workers with the old one and the new one run side by side."""
        workers = [Worker(redis_url, retention_ms=days * DAY_MS).take(number) for number, days in enumerate((1, 2, 30))]
        claims = [add(n, n, partition=n % 3) for n in range(3_000)]
        for number, worker in enumerate(workers):
            mine = [claim for claim in claims if claim.partition == number]
            assert worker.decide(*mine) == [APPLIED] * len(mine)
        for worker in workers:
            sweep(worker, redis_url)
        for number, worker in enumerate(workers):
            others = [claim._replace(partition=number, offset=claim.offset + 10_000) for claim in claims]
            assert worker.decide(*others) == [DUPLICATE] * len(claims)
            worker.session.close()

    def test_a_clock_that_was_set_back_forgets_nothing(self, redis_url: str) -> None:
        """After a failover to a machine whose clock is behind, entries come from the future."""
        worker = Worker(redis_url).take(0)
        claims = [add(n, n) for n in range(2_000)]
        worker.decide(*claims)
        age(redis_url, -3_600_000)
        sweep(worker, redis_url)
        again = [claim._replace(offset=claim.offset + 10_000) for claim in claims]
        assert worker.decide(*again) == [DUPLICATE] * len(claims)
        worker.session.close()

    def test_a_silent_ledger_goes_by_itself(self, redis_url: str) -> None:
        worker = Worker(redis_url).take(0)
        worker.decide(*(add(n, n) for n in range(1_000)))
        client = redis.Redis.from_url(redis_url)
        left = [client.pttl(key) for key in client.scan_iter(f"{PREFIX}ledger:*")]
        assert all(DAY_MS < ttl <= 1.5 * DAY_MS for ttl in left)
        worker.session.close()

    def test_a_sweep_that_fell_behind_lets_no_entry_expire_early(self, redis_url: str) -> None:
        """After heavy traffic came hardly any: calls are too few to tidy all buckets in time. A bucket that is about to
        expire lives on when an entry comes into it."""
        worker = Worker(redis_url).take(0)
        worker.decide(*(add(n, n) for n in range(10_000)))
        client = redis.Redis.from_url(redis_url)
        buckets = [key for key in client.scan_iter(f"{PREFIX}ledger:*") if key != index_of(client)]
        client.hset(index_of(client), mapping={"young_at": 0, "swept_at": 0})
        for key in buckets:
            client.pexpire(key, 3_600_000)
        worker.decide(*(add(n, n) for n in range(20_000, 30_000)))
        assert min(client.pttl(key) for key in buckets if client.exists(key)) > DAY_MS
        worker.session.close()

    def test_a_retention_that_stamps_cannot_tell_is_refused(self, redis_url: str) -> None:
        with pytest.raises(ConfigError, match="at most 200 days"):
            Worker(redis_url, retention_ms=201 * DAY_MS)


SWEEPS = 32


def index_of(client: "redis.Redis") -> bytes:
    return min(client.scan_iter(f"{PREFIX}ledger:*", count=10_000), key=len)


def entries(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.hget(index_of(client), "entries"))


def age(url: str, by_ms: int) -> None:
    """As if all entries had been made that much earlier."""
    with redis.Redis.from_url(url) as client:
        index = index_of(client)
        for key in client.scan_iter(f"{PREFIX}ledger:*", count=10_000):
            for field, value in client.hgetall(key).items() if key != index else ():
                stamp = (int.from_bytes(value[:2]) - by_ms // 600_000) % 65_536
                client.hset(key, field, stamp.to_bytes(2) + value[2:])


def sweep(worker: Worker, url: str) -> None:
    """Call often enough for two whole rounds of tidying, as the calls of some hours would."""
    [partition, *_] = worker.stands
    with redis.Redis.from_url(url) as client:
        index = index_of(client)
        buckets = sum(1 for _ in client.scan_iter(f"{PREFIX}ledger:*", count=10_000)) + 64
        for number in range(2 * buckets // SWEEPS + 1):
            client.hset(index, "swept_at", 0)
            worker.decide(add(10**9 + number, f"sweep {number} {id(worker)}", partition=partition))


class TestFencing:
    def test_a_batch_of_an_older_epoch_is_refused_whole(self, worker: Worker, redis_url: str) -> None:
        successor = Worker(redis_url).take(1)
        with pytest.raises(Fenced) as caught:
            worker.decide(add(1, "x"), add(1, "y", partition=1), add(2, "z"))
        assert caught.value.partition == 1
        assert worker.decide(add(7, "x")) == [APPLIED], "nothing of it was recorded"
        assert successor.decide(add(9, "y", partition=1)) == [APPLIED]
        successor.session.close()

    def test_replays_of_a_successor_repeat_what_was_decided(self, worker: Worker, redis_url: str) -> None:
        claims = [add(1, "x"), remove(2, "x"), add(3, "x"), remove(4, "y"), add(5, "z", late=True)]
        first = worker.decide(*claims)
        successor = Worker(redis_url).take(0)
        assert successor.decide(*claims) == first
        successor.session.close()

    def test_an_epoch_that_was_never_given_is_refused(self, worker: Worker) -> None:
        worker.stands[1] = worker.stands[1]._replace(epoch=worker.stands[1].epoch + 1)
        with pytest.raises(Fenced):
            worker.decide(add(1, partition=1))

    def test_a_forgotten_lease_is_refused(self, worker: Worker, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        with pytest.raises(Fenced):
            worker.decide(add(1))


def test_logs_do_not_know_each_other(worker: Worker, redis_url: str) -> None:
    other = Worker(redis_url, SourceIdentity("cluster", "raw-swaps", "b2")).take(0)
    assert worker.decide(add(1)) == [APPLIED]
    assert other.decide(add(2)) == [APPLIED]
    other.session.close()


def test_a_script_flush_goes_unnoticed(worker: Worker, redis_url: str) -> None:
    assert worker.decide(add(1)) == [APPLIED]
    with redis.Redis.from_url(redis_url) as client:
        client.script_flush()
    assert worker.decide(add(2), add(1)) == [DUPLICATE, APPLIED]
    assert worker.decide(add(3)) == [DUPLICATE]


def test_other_work_may_be_done_before_the_answer_is_waited_for(worker: Worker) -> None:
    first = worker.ledger.decide([add(1)], {0: worker.stands[0]})
    assert list(first()) == [APPLIED]
    second = worker.ledger.decide([add(2)], {0: worker.stands[0]})
    assert list(second()) == [DUPLICATE]


@pytest.mark.parametrize("when", ["before asking", "before the answer"])
def test_a_broken_connection_stays_broken(own_redis: RedisServer, when: str) -> None:
    worker = Worker(own_redis.url()).take(0)
    assert worker.decide(add(1)) == [APPLIED]
    if when == "before asking":
        own_redis.kill()
        with pytest.raises(StoreUnavailable):
            worker.decide(add(2))
    else:
        own_redis.pause()
        decision = worker.ledger.decide([add(2)], {0: worker.stands[0]})
        own_redis.kill()
        with pytest.raises(StoreUnavailable):
            decision()
    own_redis.start()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            worker.decide(add(3))
    successor = Worker(own_redis.url()).take(0)
    assert successor.decide(add(1)) == [APPLIED], "an acknowledged decision is kept"
    successor.session.close()
