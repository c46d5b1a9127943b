"""Answers of some size go compressed. They hold no secrets, so their length gives none away (BREACH)."""

import re
import zlib

from django.utils.cache import patch_vary_headers
from rest_framework.request import Request
from rest_framework.response import Response

LEAST_BYTES = 2_000
"""A single token's statistics are smaller: compressing them would cost more time than it saves."""
LEVEL = 5
_GZIP = 16 + zlib.MAX_WBITS
_ACCEPTS = re.compile(
    r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0{0,3})?\s*(?:,|$))[0-9.]+\s*)?(?:,|$)", re.IGNORECASE
)


def compress(request: Request, response: Response) -> None:
    """To be called when the answer is rendered."""
    if "json" not in response.get("Content-Type", "") or len(response.content) < LEAST_BYTES:
        return
    patch_vary_headers(response, ("Accept-Encoding",))
    if accepts_gzip(request.headers.get("Accept-Encoding", "")):
        response.content = gzip(response.content)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.content))


def accepts_gzip(accept_encoding: str) -> bool:
    return bool(_ACCEPTS.search(accept_encoding))


def gzip(content: bytes) -> bytes:
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
    return deflate.compress(content) + deflate.flush()
