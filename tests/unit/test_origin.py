"""Which web pages may connect."""

import pytest

from realtime.origin import OriginRule

RULE = OriginRule(["swaps.example", ".inner.example"], ["https://partner.example", "http://localhost:3000"])


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "swaps.example", True),
        ("https://swaps.example", "swaps.example", True),
        ("https://swaps.example", "swaps.example:443", True),
        ("http://swaps.example:8080", "swaps.example:8080", True),
        ("https://a.inner.example", "a.inner.example", True),
        ("https://SWAPS.example", "swaps.example", True),
        ("https://swaps.example:8443", "swaps.example", False),
        ("https://evil.example", "swaps.example", False),
        ("https://swaps.example.evil.example", "swaps.example", False),
        ("https://evil.example", "evil.example", False),
        ("https://partner.example", "swaps.example", True),
        ("https://partner.example:444", "swaps.example", False),
        ("http://partner.example", "swaps.example", False),
        ("http://localhost:3000", "swaps.example", True),
        ("null", "swaps.example", False),
        ("file://", "swaps.example", False),
        ("https://[swaps.example", "swaps.example", False),
        ("https://swaps.example:port", "swaps.example", False),
        ("", "swaps.example", False),
    ],
)
def test_pages_of_our_hosts_and_named_origins_may_connect(origin: str | None, host: str, allowed: bool) -> None:
    assert RULE.allows(origin, host) == allowed


def test_a_development_server_knows_no_host_of_its_own() -> None:
    rule = OriginRule(["*"], [])
    assert rule.allows("http://127.0.0.1:8080", "127.0.0.1:8080")
    assert not rule.allows("http://127.0.0.1:8081", "127.0.0.1:8080")
