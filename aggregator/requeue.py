"""Sending dead letters again, once their cause is mended."""

from collections.abc import Iterable
from typing import NamedTuple

from swapstats.ports.dead_letters import StoredLetter
from swapstats.ports.swap_sink import SwapSink

NOW = 0
"""As a record's timestamp: the broker's client takes the time of sending."""


class Requeued(NamedTuple):
    """How many were handed to the broker, and which were left out because they are not whole."""

    tried: int
    left_out: list[StoredLetter]


def requeue(letters: Iterable[StoredLetter], sink: SwapSink, *, as_of_now: bool = False) -> Requeued:
    """Write them to the topic of swaps, key and value untouched, with the timestamps that they had at first unless
    `as_of_now`. Whether they were accepted is told to the sink's `on_sent`."""
    tried, left_out = 0, []
    for letter in letters:
        if letter.value is None or not is_whole(letter):
            left_out.append(letter)
            continue
        tried += 1
        sink.send(letter.key, letter.value, NOW if as_of_now else _source_ms(letter))
    sink.flush()
    return Requeued(tried, left_out)


def is_whole(letter: StoredLetter) -> bool:
    return letter.value is not None and not {"truncated_from", "key_truncated_from"} & letter.headers.keys()


def _source_ms(letter: StoredLetter) -> int:
    """Records without a timestamp have a negative one; then the present is as good as any."""
    text = letter.headers.get("source_timestamp", "")
    return int(text) if text.isdecimal() else NOW
