"""How JSON Web Tokens are signed and verified."""

from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from settings.config import Jwt


def simple_jwt(jwt: Jwt) -> dict[str, Any]:
    """``SIMPLE_JWT``; an empty ``SIGNING_KEY`` means that this system cannot issue tokens."""
    return {
        "ALGORITHM": jwt.alg,
        "SIGNING_KEY": _text(jwt.secret if jwt.alg == "HS256" else jwt.private_key),
        "VERIFYING_KEY": jwt.public_key_file.read_text() if jwt.public_key_file else "",
        "JWK_URL": jwt.jwks_url,
        "AUDIENCE": jwt.audience,
        "ISSUER": jwt.issuer,
        "LEEWAY": 30,
        "USER_ID_CLAIM": "sub",
        "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
        "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
        "ROTATE_REFRESH_TOKENS": True,
        "BLACKLIST_AFTER_ROTATION": True,
    }


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
