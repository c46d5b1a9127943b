"""A few broken records pass, a broken stream does not."""

import pytest

from aggregator.pipeline.invalid_share import InvalidShare
from swapstats.domain.errors import TooManyInvalid


def test_no_verdict_before_the_sample_is_full() -> None:
    share = InvalidShare(0.5, 10)
    share.add(9, 9)


def test_up_to_the_share_is_fine() -> None:
    share = InvalidShare(0.5, 10)
    for _ in range(100):
        share.add(10, 5)


def test_more_than_the_share_stops_and_says_why() -> None:
    share = InvalidShare(0.5, 10)
    share.add(5, 0)
    with pytest.raises(TooManyInvalid, match="6 of the latest 11 records are no valid swap events"):
        share.add(6, 6)


def test_what_was_good_long_ago_excuses_nothing() -> None:
    share = InvalidShare(0.5, 10)
    for _ in range(1_000):
        share.add(10, 0)
    share.add(5, 5)
    with pytest.raises(TooManyInvalid):
        share.add(10, 10)


def test_what_was_bad_long_ago_is_forgiven() -> None:
    share = InvalidShare(0.5, 10)
    share.add(5, 5)
    for _ in range(3):
        share.add(10, 5)


def test_one_huge_batch_is_judged_by_itself() -> None:
    with pytest.raises(TooManyInvalid):
        InvalidShare(0.5, 10).add(1_000, 501)
    InvalidShare(0.5, 10).add(1_000, 500)


def test_a_share_of_one_never_stops() -> None:
    share = InvalidShare(1.0, 10)
    for _ in range(100):
        share.add(10, 10)
