"""What was made a moment ago is given again, and nobody waits for more than there is to wait for."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from api.recent import Recent

PATIENCE_S = 5


class Maker:
    """Makes 1, 2, 3 …, at once or when it is let go."""

    def __init__(self) -> None:
        self.now = 0.0
        self.made = 0
        self.begun, self.let_go = Event(), Event()
        self.recent: Recent[int] = Recent(10, 2, lambda: self.now)

    def get(self, key: str = "a") -> int:
        return self.recent.get(key, self._make)

    def get_slowly(self) -> int:
        return self.recent.get("a", self._make_slowly)

    def _make(self) -> int:
        self.made += 1
        return self.made

    def _make_slowly(self) -> int:
        self.begun.set()
        assert self.let_go.wait(PATIENCE_S)
        return self._make()


@pytest.fixture
def maker() -> Maker:
    return Maker()


def test_a_value_is_kept_for_its_time(maker: Maker) -> None:
    told = []
    for maker.now in (0, 9.9, 10, 19.9, 20):
        told.append(maker.get())
    assert told == [1, 1, 2, 2, 3]
    assert maker.recent.find("a") == 3
    maker.now = 30
    assert maker.recent.find("a") is None


def test_the_oldest_makes_room(maker: Maker) -> None:
    assert [maker.get(key) for key in "abacab"] == [1, 2, 1, 3, 4, 5]


def _while_one_makes(maker: Maker, look: Callable[[], None]) -> int:
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(maker.get_slowly)
        assert maker.begun.wait(PATIENCE_S)
        try:
            look()
        finally:
            maker.let_go.set()
        return slow.result(PATIENCE_S)


def test_while_one_makes_it_others_have_the_one_before(maker: Maker) -> None:
    maker.get()
    maker.now = 19

    def look() -> None:
        assert maker.get() == 1

    assert _while_one_makes(maker, look) == 2
    assert maker.get() == 2


@pytest.mark.parametrize("is_old", [True, False])
def test_where_there_is_none_or_an_old_one_all_wait_for_the_same(maker: Maker, is_old: bool) -> None:
    if is_old:
        maker.get()
        maker.now = 20
    with ThreadPoolExecutor(4) as pool:

        def look() -> None:
            waiting.extend(pool.submit(maker.get) for _ in range(4))

        waiting: list = []
        value = _while_one_makes(maker, look)
        assert {found.result(PATIENCE_S) for found in waiting} == {value}
