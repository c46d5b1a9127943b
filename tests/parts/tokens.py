"""Bearer tokens as this deployment's own issuer signs them."""

import time
import uuid
from typing import Any

import jwt
from django.conf import settings


def token(subject: str | None = None, **claims: Any) -> str:
    """For ten minutes; a subject of its own if none is given, so that tests do not share an allowance."""
    payload = {"sub": subject or uuid.uuid4().hex, "aud": "swapstats", "exp": int(time.time()) + 600, **claims}
    return jwt.encode(payload, settings.SIMPLE_JWT["SIGNING_KEY"], "HS256")


def bearer(subject: str | None = None, **claims: Any) -> dict[str, str]:
    """Headers for a client."""
    return {"Authorization": f"Bearer {token(subject, **claims)}"}
