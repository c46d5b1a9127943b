"""Mail takes effect once, in order, and only where its swap is in the windows."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from aggregator.pipeline import mail as module
from aggregator.pipeline.mail import deliver_mail
from aggregator.pipeline.partition import Partition, fresh_live_meta
from aggregator.pipeline.publish import make_steps
from aggregator.windows.engine import WindowEngine
from swapstats.domain.swap import Retraction, Swap
from swapstats.domain.window import Window
from swapstats.ports.checkpoint_store import Lease
from swapstats.ports.ledger import Mail
from tests.unit.test_batch import batch_of
from tests.unit.test_decode import NOON

WINDOWS = (Window("5m", 300_000, 5_000),)
[SWAP] = batch_of(False).swaps


class Post:
    """A mailbox; `asked` keeps what was asked for."""

    def __init__(self, mail: Mapping[int, Sequence[Mail]], at_once: int = 1_000) -> None:
        self.kept = mail
        self.at_once = at_once
        self.asked: list[dict[int, str]] = []

    def mail(self, after: Mapping[int, str]) -> Mapping[int, Sequence[Mail]]:
        self.asked.append(dict(after))
        found = {n: [m for m in self.kept.get(n, ()) if m.id > last] for n, last in after.items()}
        return {n: mail[: self.at_once] for n, mail in found.items() if mail}


def partition(number: int, next_offset: int = 10, *, holding: int = 0) -> Partition:
    engine = WindowEngine(WINDOWS, 180_000, NOON)
    for _ in range(holding):
        engine.apply(SWAP)
    lease = Lease(number, 1, "me", None, 0)
    return Partition(lease, engine, next_offset, 0, fresh_live_meta(""), 0, Counter(), 0)


def letter(id: str, offset: int = 0, *, is_late: bool = False, swap: Swap = SWAP) -> Mail:
    return Mail(id, offset, is_late, Retraction.of(swap))


def trades(partition: Partition) -> int:
    part = partition.engine.part(SWAP.token_id)
    return part.windows[0].trades if part else 0


def test_each_takes_effect_once() -> None:
    mine, yours, post = partition(0, holding=3), partition(1, holding=3), Post({0: [letter("1"), letter("2")]})
    for _ in range(3):
        deliver_mail({0: mine, 1: yours}, post, counts_late=False)
    assert (trades(mine), mine.mail_id, trades(yours), yours.mail_id) == (1, "2", 3, "")
    assert post.asked == [{0: "", 1: ""}, {0: "2", 1: ""}, {0: "2", 1: ""}]


def test_one_whose_swap_is_still_to_be_read_waits_and_those_behind_it_too() -> None:
    """As after a restart, when the swap was decided before and is read again."""
    mine, post = partition(0, next_offset=5, holding=2), Post({0: [letter("1", 4), letter("2", 5), letter("3", 1)]})
    deliver_mail({0: mine}, post, counts_late=False)
    assert (trades(mine), mine.mail_id) == (1, "1")
    assert mine.is_caught_up, "whoever published it had not published what waits"
    mine.engine.apply(SWAP)
    mine.next_offset = 6
    deliver_mail({0: mine}, post, counts_late=False)
    assert (trades(mine), mine.mail_id) == (0, "3")
    assert post.asked == [{0: ""}, {}], "what waits is not read again"


def test_one_whose_swap_lies_before_the_windows_begin_has_no_effect() -> None:
    mine = partition(0, holding=2)
    mine.begins_at = 7
    deliver_mail({0: mine}, Post({0: [letter("1", 6), letter("2", 7)]}), counts_late=False)
    assert (trades(mine), mine.mail_id) == (1, "2")


@pytest.mark.parametrize(("counts_late", "left"), [(False, 2), (True, 1)])
def test_late_swaps_are_taken_out_where_they_were_counted(counts_late: bool, left: int) -> None:
    mine = partition(0, holding=2)
    deliver_mail({0: mine}, Post({0: [letter("1", is_late=True)]}), counts_late=counts_late)
    assert (trades(mine), mine.mail_id) == (left, "1")


def test_nothing_is_published_while_there_is_more_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAIL_AT_ONCE", 2)
    mine, post = partition(0, holding=5), Post({0: [letter(str(n)) for n in range(1, 6)]}, at_once=2)
    published = []
    for _ in range(4):
        deliver_mail({0: mine}, post, counts_late=False)
        published.append(len(make_steps([mine], NOON)))
    assert published == [0, 0, 1, 1]
    assert trades(mine) == 0


def test_it_is_published_as_a_correction() -> None:
    mine = partition(0, holding=2)
    make_steps([mine], NOON)
    deliver_mail({0: mine}, Post({0: [letter("1")]}), counts_late=False)
    [(_, step)] = make_steps([mine], NOON)
    assert (set(step.parts), list(step.reorged)) == ({SWAP.token_id}, [SWAP.token_id])


def test_it_is_saved_with_the_windows() -> None:
    mine = partition(0, holding=2)
    mine.saved = mine.progress
    deliver_mail({0: mine}, Post({0: [letter("1")]}), counts_late=False)
    assert mine.progress != mine.saved
    assert mine.checkpoint_meta(NOON).mail_id == "1"
