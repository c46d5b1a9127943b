"""Pages of tokens that stay stable while values move.

In the order of ids a page begins behind the last id of the page before, so it needs no memory. The order of a value is
frozen when the first page is asked for and kept for some minutes, by this process and for the others; what is shown are
the values of now. Where it is not kept any more, the next page begins behind the value that the last token had when it
was frozen, in the order of now: what has not moved across that value is neither missed nor repeated.
"""

import base64
import logging
import secrets
from binascii import Error as Base64Error
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from api.errors import bad_parameter
from api.recent import Recent
from swapstats.domain.errors import StoreUnavailable
from swapstats.ports.order_store import OrderStore, Place

log = logging.getLogger(__name__)

MAX_CURSOR = 1024
FROZEN_SECONDS = 300
FROZEN_ORDERS = 64
SHARED_SECONDS = 1.0
"""Whoever asks the same within this time gets the same frozen order."""


class Cursor(NamedTuple):
    """Where the next page begins. `question` is what it continues; `frozen` names the order, `offset` counts what was
    given of it. `last_value` is what the last token had in it: see Place."""

    question: str
    last_id: str
    frozen: str = ""
    offset: int = 0
    last_value: str = ""


class Page(NamedTuple):
    """`next_cursor` is None at the end, `total` counts all pages' tokens."""

    ids: Sequence[str]
    total: int
    next_cursor: str | None


class _Frozen(NamedTuple):
    name: str
    places: Sequence[Place]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Cursor)


class FrozenOrders:
    """Those of this process, and by way of `store` those of the others. For any thread."""

    def __init__(self, store: Callable[[], OrderStore]) -> None:
        self._store = store
        self._orders: Recent[_Frozen] = Recent(FROZEN_SECONDS, FROZEN_ORDERS)
        self._begun: Recent[_Frozen] = Recent(SHARED_SECONDS, FROZEN_ORDERS)

    def page(
        self,
        question: str,
        cursor: Cursor | None,
        limit: int,
        rank: Callable[[], Sequence[Place]],
        *,
        descending: bool,
    ) -> Page:
        """The first page, or the one behind `cursor`; `rank` gives the order of now."""
        found = self._find(cursor.frozen) if cursor else None
        offset = cursor.offset if cursor else 0
        order = found or self._begun.get((question, limit), lambda: self._freeze(rank(), limit))
        if cursor and not found:
            offset = _behind(order.places, Place(cursor.last_id, cursor.last_value), descending=descending)
        places = order.places[offset : offset + limit]
        ids, offset = [place.token_id for place in places], offset + len(places)
        if offset >= len(order.places) or not places:
            return Page(ids, len(order.places), None)
        following = Cursor(question, ids[-1], order.name, offset, places[-1].value)
        return Page(ids, len(order.places), write_cursor(following))

    def _freeze(self, places: Sequence[Place], limit: int) -> _Frozen:
        """What fits on one page needs no name."""
        if len(places) <= limit:
            return _Frozen("", places)
        try:
            name = self._store().keep(places)
        except StoreUnavailable as error:
            log.warning("an order is frozen for this process alone: %s", error)
            name = None
        frozen = _Frozen(name or secrets.token_urlsafe(9), places)
        return self._orders.get(frozen.name, lambda: frozen)

    def _find(self, name: str) -> _Frozen | None:
        if found := self._orders.find(name):
            return found
        try:
            places = self._store().find(name)
        except StoreUnavailable as error:
            log.warning("an order that another process froze cannot be had: %s", error)
            return None
        return self._orders.get(name, lambda: _Frozen(name, places)) if places is not None else None


def _behind(places: Sequence[Place], last: Place, *, descending: bool) -> int:
    """How many of `places` come before `last`, or are it. Those without a value come last, by their ids."""
    last_value = _number(last.value)

    def is_behind(place: Place) -> bool:
        value = _number(place.value)
        if value is None:
            return last_value is not None or place.token_id > last.token_id
        if last_value is None:
            return False
        here, there = (value, place.token_id), (last_value, last.token_id)
        return here < there if descending else here > there

    return next((number for number, place in enumerate(places) if is_behind(place)), len(places))


def _number(text: str) -> float | None:
    """Raises ValueError."""
    if not text:
        return None
    return int(text) if text.removeprefix("-").isdigit() else float(text)


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
        _number(cursor.last_value)
    except (Base64Error, ValueError, msgspec.DecodeError):
        cursor = None
    if cursor is None or len(text) > MAX_CURSOR or cursor.question != question or cursor.offset < 0:
        raise bad_parameter("cursor", "the `next_cursor` of an answer to the same question", text)
    return cursor
