"""What the framework adds to every answer of a kind, learned from its own: security headers, `Vary`, and the like."""

from collections.abc import Iterable
from typing import NamedTuple

from api.direct.plain import Environ

Headers = tuple[tuple[str, str], ...]

PER_REQUEST = frozenset(
    {
        *("content-length", "content-encoding", "etag", "x-request-id", "date", "server"),
        *("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"),
    }
)
"""What `Desk` sets itself, or the web server does."""
MAX_KINDS = 1_024


class Kind(NamedTuple):
    """What those headers depend on: the address, how it was reached, and what the answer is like."""

    view: str
    status: int
    is_compressible: bool
    host: str
    scheme: str
    forwarded_proto: str | None


def kind_of(environ: Environ, view: str, status: int, is_compressible: bool) -> Kind:
    get = environ.get
    host, scheme = get("HTTP_HOST", ""), get("wsgi.url_scheme", "")
    return Kind(view, status, is_compressible, host, scheme, get("HTTP_X_FORWARDED_PROTO"))


class LearnedHeaders:
    """For any thread. A kind that was not learned, be it because the framework answers it otherwise (a redirect, a
    host that is not ours), stays the framework's."""

    def __init__(self) -> None:
        self._known: dict[Kind, Headers] = {}

    def get(self, kind: Kind) -> Headers | None:
        return self._known.get(kind)

    def learn(self, kind: Kind, status: int, headers: Iterable[tuple[str, str]]) -> None:
        constant = tuple((name, value) for name, value in headers if name.lower() not in PER_REQUEST)
        named = {name.lower(): value.lower() for name, value in constant}
        if status != kind.status or "set-cookie" in named or len(self._known) >= MAX_KINDS:
            return
        if ("accept-encoding" in named.get("vary", "")) == (kind.is_compressible and status == 200):
            self._known[kind] = constant
