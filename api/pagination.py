"""Pages of tokens that stay stable while values move.

In the order of ids a page begins behind the last id of the page before, so it needs no memory. The order of a value is
frozen when the first page is asked for, and kept for some minutes; what is shown are the values of now. Where it is not
kept any more, or by another process, the next page begins behind where the last token stands now.
"""

import base64
import secrets
from binascii import Error as Base64Error
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from api.errors import bad_parameter
from api.recent import Recent

MAX_CURSOR = 1024
FROZEN_SECONDS = 300
FROZEN_ORDERS = 64


class Cursor(NamedTuple):
    """Where the next page begins. `question` is what it continues; `frozen` names the order, `offset` counts what was
    given of it."""

    question: str
    last_id: str
    frozen: str = ""
    offset: int = 0


class Page(NamedTuple):
    """`next_cursor` is None at the end, `total` counts all pages' tokens."""

    ids: Sequence[str]
    total: int
    next_cursor: str | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Cursor)


class FrozenOrders:
    """The orders that this process has frozen."""

    def __init__(self) -> None:
        self._orders: Recent[Sequence[str]] = Recent(FROZEN_SECONDS, FROZEN_ORDERS)

    def page(self, question: str, cursor: Cursor | None, limit: int, rank: Callable[[], Sequence[str]]) -> Page:
        """The first page, or the one behind `cursor`; `rank` gives the order of now."""
        name, offset = (cursor.frozen, cursor.offset) if cursor else (secrets.token_urlsafe(9), 0)
        kept = self._orders.find(name)
        if kept is None:
            kept, name = rank(), secrets.token_urlsafe(9)
            if cursor and cursor.last_id in kept:
                offset = kept.index(cursor.last_id) + 1
        ids = kept[offset : offset + limit]
        offset += len(ids)
        if offset >= len(kept) or not ids:
            return Page(ids, len(kept), None)
        self._orders.get(name, lambda: kept)
        return Page(ids, len(kept), write_cursor(Cursor(question, ids[-1], name, offset)))


def page_of_ids(question: str, cursor: Cursor | None, limit: int, ids: Sequence[str], *, descending: bool) -> Page:
    """`ids` in ascending order."""
    if descending:
        stop = bisect_left(ids, cursor.last_id) if cursor else len(ids)
        found = ids[max(0, stop - limit) : stop][::-1]
        is_last = stop - limit <= 0
    else:
        start = bisect_right(ids, cursor.last_id) if cursor else 0
        found = ids[start : start + limit]
        is_last = start + limit >= len(ids)
    return Page(found, len(ids), None if is_last else write_cursor(Cursor(question, found[-1])))


def write_cursor(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(_encoder.encode(cursor)).rstrip(b"=").decode()


def read_cursor(text: str, question: str) -> Cursor:
    """Raises ApiError for one that we did not write, or wrote for another question."""
    try:
        cursor = _decoder.decode(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
    except (Base64Error, ValueError, msgspec.DecodeError):
        cursor = None
    if cursor is None or len(text) > MAX_CURSOR or cursor.question != question or cursor.offset < 0:
        raise bad_parameter("cursor", "the `next_cursor` of an answer to the same question", text)
    return cursor
