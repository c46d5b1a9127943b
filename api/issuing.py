"""Access tokens for machines, signed with `security.jwt`'s secret or private key."""

import time
import uuid

import jwt
from django.conf import settings


def can_issue() -> bool:
    """Whether this system holds a key to sign with."""
    return bool(settings.SIMPLE_JWT["SIGNING_KEY"])


def issue(subject: str, seconds: int, *, audience: str | None = None, kid: str | None = None) -> str:
    """Valid from now on, for the configured audience if none is given. `kid` names the key in the verifier's set."""
    issuing, now = settings.SIMPLE_JWT, int(time.time())
    claims = {"sub": subject, "aud": audience or issuing["AUDIENCE"], "iat": now, "exp": now + seconds}
    claims |= {"jti": uuid.uuid4().hex, "token_type": "access"}
    if issuing["ISSUER"]:
        claims["iss"] = issuing["ISSUER"]
    headers = {"kid": kid} if kid else None
    return jwt.encode(claims, issuing["SIGNING_KEY"], issuing["ALGORITHM"], headers=headers)
