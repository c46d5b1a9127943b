"""The ledger's mail, as ports/ledger.py says it, on a real Redis: retractions go to where their swaps were counted."""

import random

import pytest
import redis

from swapstats.adapters.redis.checkpoint_admin import RedisCheckpointAdmin
from swapstats.adapters.redis.ledger import mail_key
from swapstats.domain.errors import Fenced
from swapstats.domain.outcome import ELSEWHERE, Outcome
from swapstats.domain.swap import Retraction
from swapstats.ports.ledger import MAIL_AT_ONCE
from swapstats.ports.swap_source import SourceIdentity
from tests.contracts.ledgers import (
    APPLIED,
    CANCELLED,
    DAY_MS,
    DUPLICATE,
    LATE,
    LOG,
    PARKED,
    PREFIX,
    RETRACTED,
    RETRACTED_LATE,
    Worker,
    add,
    remove,
    taken_out,
)

BYTES_A_MAIL = 140

pytestmark = pytest.mark.redis


@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "batch by batch"])
@pytest.mark.parametrize(("late", "outcome"), [(False, RETRACTED), (True, RETRACTED_LATE)], ids=["on time", "late"])
def test_it_is_told_of_once(worker: Worker, late: bool, outcome: Outcome, at_once: bool) -> None:
    claims = [add(2**48 - 1, late=late), remove(9, partition=1), remove(10, partition=1), remove(11)]
    expected = [LATE if late else APPLIED, outcome + ELSEWHERE, DUPLICATE, DUPLICATE]
    for _ in range(3):
        decided = worker.decide(*claims) if at_once else [worker.decide(claim)[0] for claim in claims]
        assert decided == expected
    [mail] = worker.mail(0)
    assert mail[1:] == (2**48 - 1, late, taken_out("a"))
    assert worker.mail(1) == []


def test_none_is_needed_in_one_partition(worker: Worker) -> None:
    assert worker.decide(add(1), remove(2), remove(3, "b"), add(4, "b", partition=1)) == [
        *(APPLIED, RETRACTED, PARKED, CANCELLED)
    ]
    assert worker.mail(0) == worker.mail(1) == []


def test_it_comes_in_order_and_from_where_it_was_read(worker: Worker) -> None:
    count = 2 * MAIL_AT_ONCE + 1
    worker.decide(*(add(n, n) for n in range(count)))
    worker.decide(*(remove(n, n, partition=1) for n in range(count)))
    mail = worker.mail(0)
    assert [m.offset for m in mail] == list(range(count))
    assert [m.retraction for m in mail] == [taken_out(n) for n in range(count)]
    assert len({m.id for m in mail}) == count
    assert worker.mail(0, mail[-3].id) == mail[-2:]
    assert worker.mail(0) == mail, "reading takes nothing away"


def test_partitions_are_read_at_once(worker: Worker) -> None:
    worker.take(65_535)
    worker.decide(add(1, "a"), add(2, "b", partition=65_535), remove(3, "a", partition=1))
    worker.decide(remove(4, "b", partition=1))
    found = worker.ledger.mail({0: "", 1: "", 65_535: ""})
    assert {number: [m.offset for m in mail] for number, mail in found.items() if mail} == {0: [1], 65_535: [2]}
    assert worker.ledger.mail({}) == {}


@pytest.mark.parametrize("symbol", [None, "", "T", '\u20ac"\\'])
def test_any_retraction_comes_as_it_was_sent(worker: Worker, symbol: str | None) -> None:
    retraction = Retraction("2:So1\u20ac", symbol, False, 0, 10**80, 0)
    worker.decide(add(1), remove(2, partition=1)._replace(retraction=retraction))
    assert [m.retraction for m in worker.mail(0)] == [retraction]


def test_it_is_kept_as_long_as_entries(worker: Worker, redis_url: str) -> None:
    worker.decide(add(1), remove(2, partition=1))
    with redis.Redis.from_url(redis_url) as client:
        stream = mail_key(PREFIX, LOG, 0)
        assert DAY_MS < client.pttl(stream) <= 1.5 * DAY_MS
        [(newest, fields)] = client.xrange(stream)
        at_ms = int(newest.partition(b"-")[0])
        client.delete(stream)
        for age_ms in [2 * DAY_MS] * 500 + [DAY_MS - 60_000] * 500:
            client.xadd(stream, fields, id=f"{at_ms - age_ms}-*")
        worker.decide(add(3, "b"), remove(4, "b", partition=1))
        ages = [at_ms - int(id.partition(b"-")[0]) for id, _ in client.xrange(stream)]
    assert ages.count(DAY_MS - 60_000) == 500
    assert ages.count(2 * DAY_MS) < 100, "what is older goes in pieces"


def test_it_is_small(worker: Worker, redis_url: str) -> None:
    chance, count = random.Random(1), 5_000
    for n in range(count):
        address, amounts = f"1:0x{chance.getrandbits(160):040x}", (chance.getrandbits(36), chance.getrandbits(70))
        retraction = Retraction(address, "USDC", True, *amounts, 1_704_456_000_123)
        worker.decide(add(n, n), remove(n, n, partition=1)._replace(retraction=retraction))
    with redis.Redis.from_url(redis_url) as client:
        assert client.memory_usage(mail_key(PREFIX, LOG, 0), samples=0) / count <= BYTES_A_MAIL


def test_a_batch_that_is_refused_posts_nothing(worker: Worker, redis_url: str) -> None:
    worker.decide(add(1))
    successor = Worker(redis_url).take(1)
    with pytest.raises(Fenced):
        worker.decide(remove(2, partition=1))
    assert successor.mail(0) == []
    assert successor.decide(remove(2, partition=1)) == [RETRACTED + ELSEWHERE]
    assert [m.offset for m in successor.mail(0)] == [1]
    successor.session.close()


def test_windows_that_begin_behind_a_swap_have_nothing_to_take_out(worker: Worker, redis_url: str) -> None:
    claims = [add(1), add(2, "b"), remove(3), remove(4, "b"), add(5, "c", late=True), remove(6, "c")]
    worker.decide(*claims[:3])
    admin = RedisCheckpointAdmin(worker.session, PREFIX)
    for begins_at, expected in (
        (0, [RETRACTED, RETRACTED, RETRACTED_LATE]),
        (2, [RETRACTED + ELSEWHERE, RETRACTED, RETRACTED_LATE]),
        (6, [RETRACTED + ELSEWHERE, RETRACTED + ELSEWHERE, RETRACTED_LATE + ELSEWHERE]),
        (0, [RETRACTED, RETRACTED, RETRACTED_LATE]),
    ):
        admin.reset(LOG, 0, begins_at)
        decided = worker.take(0).decide(*claims)
        assert [decided[n] for n in (2, 3, 5)] == expected
    assert worker.mail(0) == []


def test_logs_have_their_own(worker: Worker, redis_url: str) -> None:
    other = Worker(redis_url, SourceIdentity("cluster", "raw-swaps", "b2")).take(0, 1)
    worker.decide(add(1), remove(2, partition=1))
    assert other.mail(0) == []
    other.session.close()
