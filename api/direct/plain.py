"""Which requests are plain, and what matters of them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from api.compression import accepts_gzip
from settings.config import load_config
from swapstats.bootstrap import token_verifier
from swapstats.ports.token_verifier import Caller

Environ = Mapping[str, Any]
"""A WSGI environment (PEP 3333), or as much of one as an ASGI scope gives."""

LONGEST = 512
"""Of what is plain in an address or a header that is remembered."""
LONGEST_QUERY = 8_192
"""A hundred tokens can be named in that; one that is longer than `LONGEST` is not remembered."""
ODD = ("HTTP_ORIGIN", "HTTP_X_REQUESTED_WITH", "HTTP_TRANSFER_ENCODING", "SCRIPT_NAME")
"""What the framework looks at and plain requests do not have."""
JSON_ACCEPTED = frozenset({"", "*/*", "application/json", "application/json, text/plain, */*"})

_accepts_gzip = lru_cache(maxsize=256)(accepts_gzip)


def is_plain(environ: Environ) -> bool:
    get = environ.get
    return (
        get("REQUEST_METHOD") == "GET"
        and get("HTTP_ACCEPT", "") in JSON_ACCEPTED
        and get("CONTENT_LENGTH", "") in ("", "0")
        and not any(map(get, ODD))
        and _is_short(get("PATH_INFO", ""))
        and _is_short(get("QUERY_STRING", ""), LONGEST_QUERY)
        and _is_short(get("HTTP_ACCEPT_ENCODING", ""))
    )


def is_admitted(environ: Environ) -> bool:
    """Whether the caller is told by a bearer token, or need not be told at all."""
    if load_config().security.jwt.enabled:
        return bool(environ.get("HTTP_AUTHORIZATION", "")[:7].lower() == "bearer ")
    return "HTTP_COOKIE" not in environ


def caller_of(environ: Environ) -> Caller | None:
    """Raises TokenRefused."""
    if not load_config().security.jwt.enabled:
        return None
    return token_verifier().verify(environ["HTTP_AUTHORIZATION"][7:].strip())


def takes_gzip(environ: Environ) -> bool:
    return _accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))


def _is_short(text: str, longest: int = LONGEST) -> bool:
    return len(text) <= longest and text.isascii()
