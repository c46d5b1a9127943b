"""What the loads end with."""

import sys

import pytest

from tests.load import mission
from tests.load.trend import Figure


@pytest.mark.parametrize(
    ("figure", "code"),
    [
        (Figure("swaps lost", 0), 0),
        (Figure("swaps lost", 1), 1),
        (Figure("wrong totals or outcomes", 3), 1),
        (Figure("burst, 5,000 requests/s for 3 s: requests that failed", 2), 1),
        (Figure("1,000 clients × 5: gaps seen by clients", 1), 1),
        (Figure("records compared with the journals", 7), 0),
    ],
)
def test_anything_lost_or_wrong_is_an_error(monkeypatch, figure, code):
    monkeypatch.setattr(sys, "argv", ["mission", "--look"])
    monkeypatch.setattr(mission, "_sockets", lambda _: [])
    monkeypatch.setattr(mission, "_deployment", lambda _: {"a worker killed": [figure]})
    with pytest.raises(SystemExit) as ended:
        mission.main()
    assert ended.value.code == code
