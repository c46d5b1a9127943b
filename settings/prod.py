"""Production: TLS in front, secrets from outside, nothing assumed."""

from settings.base import *  # noqa: F403 - Django's way to build one settings module on another
from settings.base import ALLOWED_HOSTS, CONFIG, SECRET_KEY
from settings.config.load import variable
from swapstats.domain.errors import ConfigError

HS256_KEY_BYTES = 32
"""As many as the hash has: RFC 7518, 3.2."""


def _require(key: str, satisfied: object, expected: str) -> None:
    if not satisfied:
        raise ConfigError(f"{key}: expected {expected} in production ({variable(key)})")


_jwt = CONFIG.security.jwt
_secret = _jwt.secret.get_secret_value() if _jwt.secret else ""
_require("security.secret_key", SECRET_KEY, "a secret, or security.secret_key_file,")
_require("api.http.public_hosts", ALLOWED_HOSTS, "at least one host name")
if _jwt.enabled and _jwt.alg == "HS256":
    _require("security.jwt.secret", len(_secret.encode()) >= HS256_KEY_BYTES, "32 bytes or more, or RS256,")

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # to be on the browsers' preload list is for the domain's owner to decide
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
