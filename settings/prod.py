"""Production: TLS in front, secrets from outside, nothing assumed. Web processes do not start where something of it is
missing: `api/checks.py`."""

from settings.base import *  # noqa: F403 - Django's way to build one settings module on another
from settings.base import ALLOWED_HOSTS, SECRET_KEY
from settings.config.load import variable
from swapstats.domain.errors import ConfigError

PRODUCTION = True
if not SECRET_KEY:  # Django itself comes no further without
    raise ConfigError(
        f"security.secret_key: expected a secret in production ({variable('security.secret_key')}), "
        "or security.secret_key_file"
    )

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # to be on the browsers' preload list is for the domain's owner to decide
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken"
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
