"""Answers kept as bytes say what those made anew say, whatever has changed since."""

from typing import Any

import pytest
from django.http import QueryDict

from api.direct import stats_text
from api.direct.stats_text import StatsTexts
from api.rendering import encode
from api.views.stats import Known, StatsAnswer
from swapstats.domain.window import Window
from tests.parts.live_feed import START_MS, LiveFeed, traded

TOKEN, OTHER = "1:0xa", "1:0xb"
QUERIES = ("", "windows=5m", "windows=24h,1h", "fields=from,trades", "fields=to", "windows=1h&fields=vwap_usd")


class Desk:
    """Asks for every form of a token's answer, and knows what each is to be."""

    def __init__(self, symbol: str = "USDC") -> None:
        self.feed, self.texts = LiveFeed(), StatsTexts()
        self.feed.begin({TOKEN: traded(3, 1, symbol=symbol), OTHER: traded(1)})

    def check(self) -> None:
        token = self.feed.view.opening(TOKEN)
        known = Known(token, self.feed.view.symbols.matches(token.symbol))
        for query in QUERIES:
            answer = StatsAnswer.read(QueryDict(query), token.windows)
            assert self.texts.fill(known, answer) == (known.tag, encode(answer.body(known)))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was written out, rather than filled in."""
    calls: list[Any] = []
    write = stats_text.write
    monkeypatch.setattr(stats_text, "write", lambda *asked: calls.append(asked) or write(*asked))
    return calls


@pytest.mark.parametrize("symbol", ["USDC", "\0", "%b\\u0000", '"},\u2028{"'])
def test_as_time_passes_and_numbers_change(symbol: str) -> None:
    desk = Desk(symbol)
    for change in (
        lambda: desk.feed.pass_time(0),
        lambda: desk.feed.pass_time(100),
        lambda: desk.feed.pass_time(59_900),
        lambda: desk.feed.step({TOKEN: traded(9, symbol=symbol, at_ms=START_MS + 60_000)}),
        lambda: desk.feed.step({OTHER: traded(2, symbol=symbol)}),
        lambda: desk.feed.step(gone=[TOKEN]),
        lambda: desk.feed.begin({TOKEN: traded(3, 1)}, epoch="e2"),
    ):
        change()
        desk.check()


def test_only_what_changed_is_written_out(written: list[Any]) -> None:
    desk = Desk()
    desk.check()
    assert len(written) == len(QUERIES)
    for ms in (100, 5_000, 60_000):
        desk.feed.pass_time(ms)
        desk.check()
    assert len(written) == len(QUERIES)
    desk.feed.step({TOKEN: traded(4)})
    desk.check()
    assert len(written) == 2 * len(QUERIES)


def test_windows_grow_complete_one_after_the_other() -> None:
    desk = Desk()
    token = desk.feed.view.opening(TOKEN)._replace(complete_since_ms=START_MS - 60_000)
    answer = StatsAnswer(None, None)
    for minutes in (0, 3, 5, 58, 60, 61, 24 * 60, 24 * 60 + 1):
        known = Known(token._replace(as_of_ms=START_MS + minutes * 60_000), 1)
        _, content = desk.texts.fill(known, answer)
        assert content == encode(answer.body(known))
    assert b"complete_since" not in content


def test_windows_that_a_token_does_not_have(written: list[Any]) -> None:
    token = Desk().feed.view.opening(TOKEN)
    short = token._replace(
        windows=(Window("5m", 300_000, 5_000),), part=token.part._replace(windows=token.part.windows[:1])
    )
    answer, texts = StatsAnswer(("24h",), None), StatsTexts()
    for known in (Known(token, 1), Known(short, 1), Known(short._replace(as_of_ms=START_MS + 9), 1)):
        assert texts.fill(known, answer)[1] == encode(answer.body(known))
    assert len(written) == 2


def test_no_more_are_kept_than_said(monkeypatch: pytest.MonkeyPatch, written: list[Any]) -> None:
    monkeypatch.setattr(stats_text, "MAX_KEPT", 2)
    token, texts, answer = Desk().feed.view.opening(TOKEN), StatsTexts(), StatsAnswer(None, None)
    for token_id in ("1:0xa", "1:0xb", "1:0xa", "1:0xc", "1:0xc", "1:0xa"):
        texts.fill(Known(token._replace(token_id=token_id), 1), answer)
    assert len(written) == 4
