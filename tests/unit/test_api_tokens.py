"""Which bearer tokens are accepted: an outsider's list of attacks is refused, whoever holds a right one is not."""

import base64
import http.server
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import RSAAlgorithm

from swapstats.adapters.jwt.keys import KeySet, PublicKeyFile, SharedSecret
from swapstats.adapters.jwt.verifier import MAX_REMEMBERED, MAX_TOKEN, JwtVerifier
from swapstats.domain.errors import BadToken, ConfigError, TokenExpired

SECRET = "a shared secret of more than thirty-two bytes"
NOW = 1_800_000_000


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {"sub": "alice", "aud": "swapstats", "exp": now + 600, **changes}
    return {name: value for name, value in made.items() if value is not ...}


def hs256(payload: dict[str, Any], key: str = SECRET, **header: Any) -> str:
    return jwt.encode(payload, key, "HS256", headers=header)


def forged(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"") -> str:
    pieces = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(piece).rstrip(b"=").decode() for piece in pieces)


def pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def pair() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def other_pair() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def verifier() -> JwtVerifier:
    return JwtVerifier("HS256", SharedSecret(SECRET), "swapstats", None)


def test_a_right_token_names_its_subject(verifier: JwtVerifier) -> None:
    payload = claims()
    for _ in range(2):
        caller = verifier.verify(hs256(payload))
        assert (caller.subject, caller.expires_at_s) == ("alice", payload["exp"] + 30)
    assert verifier.verify(hs256(claims(aud=["x", "swapstats"], token_type="access"))).subject == "alice"


def test_thirty_seconds_are_forgiven(verifier: JwtVerifier) -> None:
    now = int(time.time())
    assert verifier.verify(hs256(claims(exp=now - 20, nbf=now + 20))).subject == "alice"
    with pytest.raises(TokenExpired):
        verifier.verify(hs256(claims(exp=now - 40)))
    with pytest.raises(BadToken, match="not valid yet"):
        verifier.verify(hs256(claims(nbf=now + 60)))


def test_a_token_that_was_verified_expires_all_the_same() -> None:
    clock = Clock(time.time())
    verifier = JwtVerifier("HS256", SharedSecret(SECRET), "swapstats", None, clock)
    token = hs256(claims())
    verifier.verify(token)
    clock.now += 600 + 29
    verifier.verify(token)
    clock.now += 2
    with pytest.raises(TokenExpired):
        verifier.verify(token)


@pytest.mark.parametrize(
    "payload",
    [
        claims(sub=...), claims(sub=""), claims(sub=7), claims(sub="x" * 257), claims(sub=None),
        claims(exp=...), claims(exp="soon"), claims(exp=None), claims(exp=float("inf")),
        claims(aud=...), claims(aud="other"), claims(aud=["other"]), claims(aud=[]), claims(aud=None),
        claims(token_type="refresh"),
    ],
)  # fmt: skip
def test_a_claim_that_is_missing_or_wrong(verifier: JwtVerifier, payload: dict[str, Any]) -> None:
    with pytest.raises(BadToken):
        verifier.verify(hs256(payload))


def test_far_away_expiry_is_no_problem(verifier: JwtVerifier) -> None:
    assert verifier.verify(hs256(claims(exp=10**30))).subject == "alice"


@pytest.mark.parametrize("issuer", ["https://other.example", "", ...])
def test_the_issuer_is_checked_where_one_is_configured(issuer: Any) -> None:
    verifier = JwtVerifier("HS256", SharedSecret(SECRET), "swapstats", "https://id.example")
    assert verifier.verify(hs256(claims(iss="https://id.example"))).subject == "alice"
    with pytest.raises(BadToken):
        verifier.verify(hs256(claims(iss=issuer)))


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "a.b.c", "x" * 100, "ü.ü.ü", "\ud800", "a" * (MAX_TOKEN + 1),
        hs256(claims(), "another secret of more than thirty-two bytes"),
        hs256(claims())[:-4] + "AAAA",
        jwt.encode(claims(), 2 * SECRET, "HS512"),
        forged({"alg": "none", "typ": "JWT"}, claims()),
        forged({"alg": "None"}, claims()),
        forged({"alg": ["HS256"]}, claims()),
        forged({"typ": "JWT"}, claims()),
        forged({"alg": "HS256"}, claims()),
        forged({"alg": "HS256", "crit": ["exp"]}, claims()),
        forged({"alg": "HS256", "kid": {"a": 1}}, claims()),
    ],
    ids=itertools.count(),  # by their number: tokens differ from process to process, and pytest-xdist minds that
)  # fmt: skip
def test_forgeries(verifier: JwtVerifier, token: str) -> None:
    with pytest.raises(BadToken):
        verifier.verify(token)


def test_no_more_tokens_are_remembered_than_fit(verifier: JwtVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swapstats.adapters.jwt.verifier.MAX_REMEMBERED", 5)
    for number in range(20):
        verifier.verify(hs256(claims(sub=f"user {number}")))
    assert len(verifier._remembered) == 5
    assert MAX_REMEMBERED == 10_000


# Public keys


@pytest.fixture
def key_file(tmp_path: Path, pair: rsa.RSAPrivateKey) -> Path:
    path = tmp_path / "public.pem"
    path.write_bytes(pem(pair))
    return path


def rs256(key: rsa.RSAPrivateKey, payload: dict[str, Any] | None = None, **header: Any) -> str:
    return jwt.encode(payload or claims(), key, "RS256", headers=header)


def test_a_key_pair(key_file: Path, pair: rsa.RSAPrivateKey, other_pair: rsa.RSAPrivateKey) -> None:
    verifier = JwtVerifier("RS256", PublicKeyFile(key_file), "swapstats", None)
    assert verifier.verify(rs256(pair, kid="../../etc/passwd")).subject == "alice"
    with pytest.raises(BadToken, match="signature"):
        verifier.verify(rs256(other_pair))


def test_a_public_key_is_no_shared_secret(key_file: Path, pair: rsa.RSAPrivateKey) -> None:
    """Algorithm confusion: HS256 with the public key, which everybody knows, as the secret."""
    import hashlib
    import hmac

    verifier = JwtVerifier("RS256", PublicKeyFile(key_file), "swapstats", None)
    for header in ({"alg": "HS256", "typ": "JWT"}, {"alg": "RS256", "typ": "JWT"}):
        signed = forged(header, claims()).rsplit(".", 1)[0]
        for secret in (pem(pair), pem(pair).strip()):
            mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
            with pytest.raises(BadToken):
                verifier.verify(f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")


def test_keys_in_the_tokens_own_header_are_not_believed(key_file: Path, other_pair: rsa.RSAPrivateKey) -> None:
    verifier = JwtVerifier("RS256", PublicKeyFile(key_file), "swapstats", None)
    own = json.loads(RSAAlgorithm.to_jwk(other_pair.public_key()))
    for header in ({"jwk": own}, {"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example/cert"}):
        with pytest.raises(BadToken):
            verifier.verify(rs256(other_pair, **header))


def test_keys_in_a_file_are_rotated(key_file: Path, pair: rsa.RSAPrivateKey, other_pair: rsa.RSAPrivateKey) -> None:
    clock = Clock(0)
    verifier = JwtVerifier("RS256", PublicKeyFile(key_file, clock), "swapstats", None)
    old, new = rs256(pair), rs256(other_pair)
    verifier.verify(old)
    key_file.write_bytes(pem(pair) + pem(other_pair))
    clock.now += 2
    assert verifier.verify(new).subject == verifier.verify(old).subject == "alice"
    key_file.write_bytes(b"rubbish")
    clock.now += 2
    assert verifier.verify(new).subject == "alice"
    key_file.write_bytes(pem(other_pair))
    clock.now += 2
    with pytest.raises(BadToken):
        verifier.verify(old)


def test_a_file_without_a_usable_key_is_refused_at_the_start(tmp_path: Path) -> None:
    small, curve = rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256R1())  # noqa: S505
    secret = small.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = curve.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for content in (b"", b"rubbish", pem(small), public, secret):
        (tmp_path / "key.pem").write_bytes(content)
        with pytest.raises(ConfigError, match="public_key_file"):
            PublicKeyFile(tmp_path / "key.pem")


class Issuer:
    """Serves a key set over HTTP."""

    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self.extra: list[Any] = []
        self.body: bytes | None = None
        self.requests = 0
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests += 1
                content = issuer.document()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                return

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def document(self) -> bytes:
        if self.body is not None:
            return self.body
        keys = [{**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": kid} for kid, key in self.keys.items()]
        return json.dumps({"keys": [*keys, *self.extra]}).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture
def by_key_set(issuer: Issuer) -> Callable[[], tuple[JwtVerifier, Clock]]:
    def make() -> tuple[JwtVerifier, Clock]:
        clock = Clock(1_000)
        return JwtVerifier("RS256", KeySet(issuer.url, clock), "swapstats", None), clock

    return make


def test_keys_are_told_apart_and_rotated(
    issuer: Issuer, by_key_set: Any, pair: rsa.RSAPrivateKey, other_pair: rsa.RSAPrivateKey
) -> None:
    verifier, clock = by_key_set()
    issuer.keys = {"one": pair}
    assert verifier.verify(rs256(pair, kid="one")).subject == "alice"
    assert verifier.verify(rs256(pair)).subject == "alice"
    issuer.keys = {"one": pair, "two": other_pair}
    clock.now += 11
    assert verifier.verify(rs256(other_pair, kid="two")).subject == "alice"
    for token in (rs256(other_pair, kid="one"), rs256(other_pair)):
        with pytest.raises(BadToken):
            verifier.verify(token)
    issuer.keys = {"two": other_pair}
    clock.now += 301
    with pytest.raises(BadToken):
        verifier.verify(rs256(pair, kid="one"))


def test_unknown_kids_do_not_make_us_ask_again_and_again(
    issuer: Issuer, by_key_set: Any, pair: rsa.RSAPrivateKey
) -> None:
    verifier, clock = by_key_set()
    issuer.keys = {"one": pair}
    for number in range(50):
        clock.now += 0.1
        with pytest.raises(BadToken):
            verifier.verify(rs256(pair, kid=f"../{number}"))
    assert issuer.requests == 1


def test_an_issuer_that_is_away_leaves_the_keys(issuer: Issuer, by_key_set: Any, pair: rsa.RSAPrivateKey) -> None:
    verifier, clock = by_key_set()
    issuer.keys = {"one": pair}
    verifier.verify(rs256(pair, kid="one"))
    for body in (b"rubbish", b"[]", b'{"keys": 7}'):
        issuer.body = body
        clock.now += 400
        assert verifier.verify(rs256(pair, claims(sub=body.hex()), kid="one")).subject == body.hex()


def test_keys_for_other_purposes_are_passed_over(issuer: Issuer, by_key_set: Any, pair: rsa.RSAPrivateKey) -> None:
    verifier, _ = by_key_set()
    public = json.loads(RSAAlgorithm.to_jwk(pair.public_key()))
    small = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key()))  # noqa: S505
    secret = {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET.encode()).decode(), "kid": "oct"}
    issuer.extra = [
        secret, {**public, "kid": "enc", "use": "enc"}, {**public, "kid": "512", "alg": "RS512"},
        {**small, "kid": "small"}, {**public, "kid": "broken", "n": "!"}, {"kid": "empty", "kty": "RSA"}, "x", None,
    ]  # fmt: skip
    for kid in ("oct", "enc", "512", "small", "broken", "empty"):
        with pytest.raises(BadToken, match="not known"):
            verifier.verify(rs256(pair, kid=kid))
