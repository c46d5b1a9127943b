"""An outsider's list of attacks on bearer tokens, over HTTP as they would come: 401, with the right code."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.wsgi import get_wsgi_application
from django.test import Client
from jwt.algorithms import RSAAlgorithm

from api.direct.wsgi import DirectWsgi
from swapstats.adapters.jwt.keys import PublicKeyFile
from swapstats.adapters.jwt.verifier import MAX_TOKEN, JwtVerifier
from tests.parts.api_site import USDC, Api, api_over, problem, trade
from tests.parts.live_feed import LiveFeed
from tests.unit.test_direct import ask_wsgi

PATHS = (f"/api/tokens/{USDC}/stats", "/api/overview", "/api/tokens", "/api/tokens/stats?ids=usdc")
OURS, THEIRS = (rsa.generate_private_key(65537, 2048) for _ in range(2))
PUBLIC = OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
THEIR_JWK = json.loads(RSAAlgorithm.to_jwk(THEIRS.public_key()))


@pytest.fixture(autouse=True)
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A site that takes RS256 tokens by a public key, which everybody knows."""
    (tmp_path / "public.pem").write_bytes(PUBLIC)
    verifier = JwtVerifier("RS256", PublicKeyFile(tmp_path / "public.pem"), "swapstats", None)
    for module in ("api.auth", "api.direct.plain"):
        monkeypatch.setattr(f"{module}.token_verifier", lambda: verifier)
    feed = LiveFeed()
    trade(feed)
    monkeypatch.setattr("api.direct.prepared.live_view", lambda: feed.view)
    return api_over(feed, monkeypatch)


def claims(**changes: Any) -> dict[str, Any]:
    return {"sub": "mallory", "aud": "swapstats", "exp": int(time.time()) + 600, **changes}


def signed(key: rsa.RSAPrivateKey = OURS, payload: dict[str, Any] | None = None, **header: Any) -> str:
    return jwt.encode(payload or claims(), key, "RS256", headers=header)


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def forged(header: dict[str, Any], sign: Callable[[bytes], bytes] = lambda _: b"") -> str:
    head = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims()).encode())}"
    return f"{head}.{encoded(sign(head.encode()))}"


def by_public_key(message: bytes) -> bytes:
    return hmac.new(PUBLIC, message, hashlib.sha256).digest()


ATTACKS = {
    "alg none": (forged({"alg": "none", "typ": "JWT"}), "bad_token"),
    "alg None, signed": (forged({"alg": "NoNe"}, by_public_key), "bad_token"),
    "no alg": (forged({"typ": "JWT"}), "bad_token"),
    "HS256 with the public key": (forged({"alg": "HS256", "typ": "JWT"}, by_public_key), "bad_token"),
    "said to be RS256, signed with the public key": (forged({"alg": "RS256"}, by_public_key), "bad_token"),
    "the signature cut off": (signed().rpartition(".")[0] + ".", "bad_token"),
    "another's key": (signed(THEIRS), "bad_token"),
    "its own key in the header": (signed(THEIRS, jwk=THEIR_JWK), "bad_token"),
    "its own key set by address": (signed(THEIRS, jku="https://evil.example/keys", kid="1"), "bad_token"),
    "its own certificate": (signed(THEIRS, x5c=["MIIB"], x5u="https://evil.example/cert"), "bad_token"),
    "kid is a path": (signed(THEIRS, kid="../../../../dev/null"), "bad_token"),
    "kid is a query": (signed(THEIRS, kid="x' UNION SELECT 'key' --"), "bad_token"),
    "kid is empty, signed with nothing": (forged({"alg": "HS256", "kid": "/dev/null"}, lambda _: b""), "bad_token"),
    "critical extension": (signed(crit=["exp"], exp=1), "bad_token"),
    "another audience": (signed(payload=claims(aud="other")), "bad_token"),
    "no audience": (signed(payload={"sub": "x", "exp": int(time.time()) + 60}), "bad_token"),
    "expired": (signed(payload=claims(exp=int(time.time()) - 31)), "token_expired"),
    "expired long ago": (signed(payload=claims(exp=1)), "token_expired"),
    "never expires": (signed(payload={"sub": "x", "aud": "swapstats"}), "bad_token"),
    "not valid yet": (signed(payload=claims(nbf=int(time.time()) + 3_600)), "bad_token"),
    "issued in the future": (signed(payload=claims(iat=int(time.time()) + 3_600)), "bad_token"),
    "refresh token": (signed(payload=claims(token_type="refresh")), "bad_token"),
    "huge": (signed(payload=claims(pad="x" * MAX_TOKEN)), "bad_token"),
    "deeply nested": (encoded(b'{"alg":' + b"[" * 3_000) + ".e30.x", "bad_token"),
    "rubbish": ("a.b.c", "bad_token"),
}


def test_a_right_token_passes_whatever_else_its_header_says() -> None:
    for token in (signed(), signed(kid="../../../../dev/null"), signed(jku="https://evil.example/keys", jwk=THEIR_JWK)):
        for path in PATHS:
            assert Client().get(path, headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_is_refused_with_the_right_code(attack: str) -> None:
    token, code = ATTACKS[attack]
    for path in PATHS:
        response = Client(raise_request_exception=False).get(path, headers={"Authorization": f"Bearer {token}"})
        body = problem(response, 401, code)
        assert response["WWW-Authenticate"] == 'Bearer realm="swapstats", error="invalid_token"'
        assert len(body["detail"]) < 100
        assert "evil" not in body["detail"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nor_is_it_let_in_where_django_is_gone_around(attack: str, db: None) -> None:
    site = DirectWsgi(get_wsgi_application())
    for path in PATHS[:2]:
        told = [ask_wsgi(site, path, {"Authorization": f"Bearer {token}"}) for token in (signed(), ATTACKS[attack][0])]
        assert [answer.status for answer in told] == [200, 401]
        assert json.loads(told[1].body)["code"] == ATTACKS[attack][1]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"Cookie": "sessionid=nobody"}])
def test_without_a_token_one_is_asked_for(headers: dict[str, str], db: None) -> None:
    for path in PATHS:
        problem(Client(headers=headers).get(path), 401, "not_authenticated")
