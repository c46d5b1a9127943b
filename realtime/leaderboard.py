"""The first tokens of one order, kept while values change: only those that changed are looked at again.

It holds every token that ranks at `_bound` or before it, some more than are asked for. A token that changed enters,
moves or leaves; as long as enough are left, nobody outside can be among the first. When too few are left, all are
ranked anew.
"""

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from realtime.token_view import TokenView

Value = float | None
Rank = tuple[float, str]
"""A value and a token's id, which breaks ties."""

RESERVE = 2
"""How many times as many as were asked for are held at first; twice that at most."""
LEAST_HELD = 50


class Field(NamedTuple):
    """What is sorted by: `value` of a token (None: it has none, or is not covered), the greatest first or last."""

    value: Callable[[TokenView], Value]
    is_descending: bool


class Leaderboard:
    """Not for several threads at once."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._changed: set[str] = set()
        self._held: dict[str, float] = {}
        self._bound: Rank | None = None
        self._is_begun = False

    def note(self, changed: Iterable[str]) -> None:
        """These are to be looked at again."""
        self._changed.update(changed)

    def first(self, limit: int, views: Mapping[str, TokenView]) -> list[str]:
        """The ids of the first tokens among `views` that have a value; fewer than `limit` where fewer have."""
        reserve = max(LEAST_HELD, RESERVE * limit)
        if self._is_begun:
            self._follow(views)
        if not self._is_begun or (len(self._held) < limit and self._bound is not None):
            self._begin(reserve, views)
        self._changed.clear()
        if len(self._held) > RESERVE * reserve:
            self._hold(self._best(reserve, self._ranks()))
        return [token_id for _, token_id in self._best(limit, self._ranks())]

    def _begin(self, count: int, views: Mapping[str, TokenView]) -> None:
        valued = ((value, view.token_id) for view in views.values() if (value := self._field.value(view)) is not None)
        ranks = list(valued)
        self._bound, self._is_begun = None, True
        self._held = {token_id: value for value, token_id in ranks}
        if len(ranks) > count:
            self._hold(self._best(count, ranks))

    def _hold(self, best: list[Rank]) -> None:
        self._bound = best[-1]
        self._held = {token_id: value for value, token_id in best}

    def _follow(self, views: Mapping[str, TokenView]) -> None:
        for token_id in self._changed:
            view = views.get(token_id)
            value = self._field.value(view) if view else None
            if value is not None and self._is_within((value, token_id)):
                self._held[token_id] = value
            else:
                self._held.pop(token_id, None)

    def _is_within(self, rank: Rank) -> bool:
        if self._bound is None:
            return True
        return rank >= self._bound if self._field.is_descending else rank <= self._bound

    def _ranks(self) -> Collection[Rank]:
        return [(value, token_id) for token_id, value in self._held.items()]

    def _best(self, count: int, ranks: Collection[Rank]) -> list[Rank]:
        return (heapq.nlargest if self._field.is_descending else heapq.nsmallest)(count, ranks)
