"""Answers that need not be sent again: weak entity tags, and 304 (RFC 9110, 8.8 and 13)."""

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


def entity_tag(*parts: object) -> str:
    """Weak, because an answer whose values are the same differs in its times all the same."""
    digest = blake2b("\x00".join(map(str, parts)).encode(), digest_size=12).hexdigest()
    return f'W/"{digest}"'


def conditional(request: Request, tag: str, body: Callable[[], Any]) -> Response:
    """304 where the client holds what `tag` stands for; else `body`, which it may keep and has to ask about again."""
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if is_held(request.headers.get("If-None-Match", ""), tag):
        return Response(status=304, headers=headers)
    return Response(body(), headers=headers)


def is_held(condition: str, tag: str) -> bool:
    """Whether `If-None-Match` names what `tag` stands for."""
    if condition.strip() == "*":
        return True
    return any(held.removeprefix("W/") == tag.removeprefix("W/") for held in _TAG.findall(condition))
