"""The keys that tokens are verified with, taking in new ones while we run."""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Protocol
from urllib.request import urlopen

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK, PyJWTError

from swapstats.domain.errors import ConfigError

log = logging.getLogger(__name__)

FILE_CHECK_SECONDS = 1.0
FETCH_SECONDS = 300.0
"""A set of keys is fetched again when it is this old …"""
FETCH_PAUSE_SECONDS = 10.0
"""… or when a token names a key that is not in it; but never more often than this, whatever tokens are sent."""
FETCH_TIMEOUT_SECONDS = 5.0
MAX_SET_BYTES = 1_000_000
MIN_RSA_BITS = 2048
_END = b"-----END PUBLIC KEY-----"

Key = RSAPublicKey | str
Clock = Callable[[], float]


class KeySource(Protocol):
    def version(self) -> int:
        """Another one means that keys have come or gone. Looks for new ones when that is due."""

    def candidates(self, kid: str | None) -> Sequence[Key]:
        """The keys that a token may be signed with that names this key, or none."""


class SharedSecret:
    """HS256: one secret."""

    def __init__(self, secret: str) -> None:
        self._keys = (secret,)

    def version(self) -> int:
        return 0

    def candidates(self, kid: str | None) -> Sequence[Key]:
        return self._keys


class PublicKeyFile:
    """RS256: one or several public keys in a PEM file, which is read again when it changes. Tokens' `kid` is not looked
    at. Raises ConfigError if the file holds no such key at first; later that leaves the keys as they were."""

    def __init__(self, path: Path, clock: Clock = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._checked_at = clock()
        self._stamp = _stamp(path)
        self._keys: Sequence[Key] = _read_pem(path)
        self._version = 0

    def version(self) -> int:
        now = self._clock()
        if now - self._checked_at >= FILE_CHECK_SECONDS:
            self._checked_at = now
            self._refresh()
        return self._version

    def candidates(self, kid: str | None) -> Sequence[Key]:
        self.version()
        return self._keys

    def _refresh(self) -> None:
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._keys, self._stamp = _read_pem(self._path), stamp
                self._version += 1
                log.info("took in the public keys of %s anew: %d", self._path.name, len(self._keys))
        except (OSError, ConfigError) as error:
            log.warning("the public keys stay as they were: %s", error)


class KeySet:
    """RS256: the keys at a JWKS address, told apart by `kid` (RFC 7517)."""

    def __init__(self, url: str, clock: Clock = time.monotonic, fetch: Callable[[str], bytes] | None = None) -> None:
        self._url = url
        self._clock = clock
        self._fetch = fetch or _fetch
        self._lock = Lock()
        self._fetched = _Fetched(clock() - FETCH_SECONDS, {})
        self._tried_at = clock() - FETCH_SECONDS
        self._version = 0

    def version(self) -> int:
        now = self._clock()
        if now - self._fetched.at >= FETCH_SECONDS:
            self._refresh(now)
        return self._version

    def candidates(self, kid: str | None) -> Sequence[Key]:
        self.version()
        if kid is not None and kid not in self._fetched.keys:
            self._refresh(self._clock())
        keys = self._fetched.keys
        if kid is None:
            return list(keys.values()) if len(keys) == 1 else []
        return [keys[kid]] if kid in keys else []

    def kids(self) -> Sequence[str]:
        """What the keys are named by; empty where none could be fetched."""
        self.version()
        return list(self._fetched.keys)

    def _refresh(self, now: float) -> None:
        """Whoever has keys does not wait while another one fetches."""
        if now - self._tried_at < FETCH_PAUSE_SECONDS or not self._lock.acquire(blocking=not self._fetched.keys):
            return
        try:
            if now - self._tried_at >= FETCH_PAUSE_SECONDS:
                self._tried_at = now
                self._take(_Fetched(now, _read_set(self._fetch(self._url))))
        except (OSError, ValueError) as error:
            log.warning("the key set cannot be fetched, %d keys stay: %s", len(self._fetched.keys), error)
        finally:
            self._lock.release()

    def _take(self, fetched: "_Fetched") -> None:
        if fetched.keys.keys() != self._fetched.keys.keys():
            self._version += 1
            log.info("took in a new key set: %s", ", ".join(sorted(fetched.keys)) or "no keys")
        self._fetched = fetched


class _Fetched(NamedTuple):
    at: float
    keys: Mapping[str, RSAPublicKey]


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _read_pem(path: Path) -> Sequence[RSAPublicKey]:
    pieces = path.read_bytes().split(_END)[:-1]
    try:
        keys = [load_pem_public_key(piece.lstrip() + _END + b"\n") for piece in pieces]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"security.jwt.public_key_file: expected RSA public keys (PEM): {error}") from error
    usable = [key for key in keys if isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS]
    if not usable or len(usable) < len(keys):
        raise ConfigError(
            f"security.jwt.public_key_file: expected RSA public keys of {MIN_RSA_BITS} bits or more (PEM)"
        )
    return usable


def _fetch(url: str) -> bytes:
    with urlopen(url, timeout=FETCH_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the configuration allows http(s) only
        content: bytes = answer.read(MAX_SET_BYTES + 1)
    if len(content) > MAX_SET_BYTES:
        raise ValueError(f"expected a key set of at most {MAX_SET_BYTES} bytes")
    return content


def _read_set(content: bytes) -> Mapping[str, RSAPublicKey]:
    """Keys that cannot verify RS256 signatures are passed over. Raises ValueError if it is no key set."""
    document = json.loads(content)
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("expected a JSON object with `keys`")
    found = ((entry["kid"], _rsa_key(entry)) for entry in document["keys"] if _is_usable(entry))
    return {kid: key for kid, key in found if key}


def _is_usable(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("kid"), str)
        and entry.get("kty") == "RSA"
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
    )


def _rsa_key(entry: dict[str, Any]) -> RSAPublicKey | None:
    try:
        key = PyJWK(entry, "RS256").key
    except (PyJWTError, ValueError, TypeError, KeyError) as error:
        log.warning("passed over a key of the key set: %s", error)
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS else None
