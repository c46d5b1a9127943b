"""JSON Web Tokens (RFC 7519), as CONTRACT §3 wants them: one algorithm, `exp`, `sub` and `aud` required."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from threading import Lock
from typing import Any, Literal

import jwt

from swapstats.adapters.jwt.keys import Key, KeySource
from swapstats.domain.errors import BadToken, TokenExpired
from swapstats.ports.token_verifier import Caller

LEEWAY_SECONDS = 30
MAX_TOKEN = 8_192
MAX_SUBJECT = 256
FOR_EVER_S = 2**53
MAX_REMEMBERED = 10_000

Algorithm = Literal["HS256", "RS256"]


class JwtVerifier:
    """Verified tokens are remembered until they expire or keys change, by their digest; at most ten thousand. Whether
    their callers are still accepted is asked each time."""

    def __init__(
        self,
        algorithm: Algorithm,
        keys: KeySource,
        audience: str,
        issuer: str | None,
        clock: Callable[[], float] = time.time,
        accepts: Callable[[Caller], bool] = lambda _: True,
    ) -> None:
        self._algorithm = algorithm
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._clock = clock
        self._accepts = accepts
        self._lock = Lock()
        self._remembered: OrderedDict[bytes, tuple[int, Caller]] = OrderedDict()

    def verify(self, token: str) -> Caller:
        if len(token) > MAX_TOKEN or not token.isascii():
            raise BadToken(f"a token has at most {MAX_TOKEN} characters, all of them ASCII")
        digest, version = blake2b(token.encode(), digest_size=16).digest(), self._keys.version()
        known = self._remembered.get(digest)
        if known and known[0] == version:
            return self._still_accepted(_still_valid(known[1], self._clock()))
        caller = self._read(token)
        self._remember(digest, version, caller)
        return self._still_accepted(caller)

    def _still_accepted(self, caller: Caller) -> Caller:
        if not self._accepts(caller):
            raise BadToken("the token was revoked")
        return caller

    def _read(self, token: str) -> Caller:
        candidates = self._keys.candidates(self._kid(token))
        if not candidates:
            raise BadToken("the token names a key that is not known")
        claims = self._claims(token, candidates)
        if claims.get("token_type", "access") != "access":
            raise BadToken("the token is not for access")
        if not 0 < len(claims["sub"]) <= MAX_SUBJECT:
            raise BadToken(f"`sub` is to have 1 to {MAX_SUBJECT} characters")
        expires_at_s = min(int(claims["exp"]), FOR_EVER_S) + LEEWAY_SECONDS
        issued_at_s = max(0, int(claims.get("iat", 0)))
        return _still_valid(Caller(claims["sub"], expires_at_s, issued_at_s), self._clock())

    def _kid(self, token: str) -> str | None:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise BadToken("not a JSON Web Token") from error
        if header.get("alg") != self._algorithm:
            raise BadToken(f"the token's `alg` is not {self._algorithm}")
        kid: str | None = header.get("kid")
        return kid

    def _claims(self, token: str, candidates: Sequence[Key]) -> dict[str, Any]:
        for key in candidates[:-1]:
            try:
                return self._decode(token, key)
            except jwt.InvalidSignatureError:
                continue
        try:
            return self._decode(token, candidates[-1])
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired("the token has expired") from error
        except (jwt.PyJWTError, ValueError, OverflowError, TypeError) as error:
            raise BadToken(_explain(error)) from error

    def _decode(self, token: str, key: Key) -> dict[str, Any]:
        required = ["exp", "sub", "aud"] + (["iss"] if self._issuer else [])
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[self._algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": required},
        )
        return claims

    def _remember(self, digest: bytes, version: int, caller: Caller) -> None:
        with self._lock:
            self._remembered[digest] = (version, caller)
            while len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)


def _still_valid(caller: Caller, now: float) -> Caller:
    if now >= caller.expires_at_s:
        raise TokenExpired("the token has expired")
    return caller


def _explain(error: Exception) -> str:
    """What the holder of a token may learn."""
    match error:
        case jwt.MissingRequiredClaimError():
            return f"the token lacks `{error.claim}`"
        case jwt.InvalidAudienceError():
            return "the token is for another audience"
        case jwt.InvalidIssuerError():
            return "the token is from another issuer"
        case jwt.ImmatureSignatureError():
            return "the token is not valid yet"
        case jwt.InvalidSignatureError():
            return "the token's signature is not right"
    return "the token cannot be read"
