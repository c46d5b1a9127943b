"""Closed candles are read once in a while."""

from api.history.closed import ClosedCandles
from api.history.span import Span
from swapstats.ports.swap_archive import Interval, Token

TOKEN = Token(1, "0xa")
SPANS = [Span(Interval.HOUR, start, start + 3_600_000) for start in range(3)]


class Reader:
    def __init__(self) -> None:
        self.now = 0.0
        self.reads = 0
        self.cache = ClosedCandles(30, 2, lambda: self.now)

    def get(self, span: Span, *, late: bool = True) -> None:
        self.cache.get((TOKEN, span, late), self._read)

    def _read(self) -> list:
        self.reads += 1
        return []


def test_an_answer_is_kept_for_its_time():
    reader = Reader()
    for reader.now in (0, 10, 29.9):
        reader.get(SPANS[0])
    assert reader.reads == 1
    reader.now = 30
    reader.get(SPANS[0])
    assert reader.reads == 2


def test_other_questions_have_other_answers():
    reader = Reader()
    reader.get(SPANS[0])
    reader.get(SPANS[0], late=False)
    assert reader.reads == 2


def test_the_oldest_answer_makes_room():
    reader = Reader()
    for span in (*SPANS, SPANS[0], SPANS[2]):
        reader.get(span)
    assert reader.reads == 4
