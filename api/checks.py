"""What must not be served from: Django checks for `manage.py check --deploy`, and before production starts.

An error (E) keeps web processes from starting where `settings.PRODUCTION` says so; a warning (W) is only said. Each has
an id, and a hint that tells what to do.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register, run_checks
from django.core.exceptions import ImproperlyConfigured

from settings.config import load_config
from settings.config.load import variable
from swapstats.domain.errors import ConfigError

log = logging.getLogger(__name__)

LEAST_KEY_CHARS = 50
"""As Django's own check has it, whose keys have so many of 50 characters."""
LEAST_HS256_BYTES = 32
"""As many as the hash has: RFC 7518, 3.2."""
LEAST_DISTINCT = 10
WELL_KNOWN = (
    "django-insecure-",
    "changeme",
    "change-me",
    "secret",
    "password",
    "only-for-tests",
    "example",
    "insecure",
)
"""What secrets begin with that were copied from somewhere."""

Check = Callable[[], Iterator[CheckMessage]]


def refuse_unsafe_start() -> None:
    """For web processes, before they serve. Raises ConfigError with everything that is wrong."""
    if not settings.PRODUCTION:
        return
    found = run_checks(tags=[Tags.security], include_deployment_checks=True)
    for message in found:
        if not message.is_serious() and not message.is_silenced():
            log.warning("%s: %s %s", message.id, message.msg, message.hint)
    wrong = [f"{message.id}: {message.msg} {message.hint}" for message in found if message.is_serious()]
    if wrong:
        raise ConfigError("production does not start like this:\n  " + "\n  ".join(wrong))


def register_all() -> None:
    for check in (_secret_key, _jwt, _debug, _hosts, _tls, _cookies, _neighbours):
        register(_as_django_has_it(check), Tags.security, deploy=True)


def _as_django_has_it(check: Check) -> Callable[..., list[CheckMessage]]:
    def run(**_: Any) -> list[CheckMessage]:
        return list(check())

    return run


def _secret_key() -> Iterator[CheckMessage]:
    if weakness := _weakness(_own_key(), LEAST_KEY_CHARS):
        yield _error(1, "security.secret_key", weakness, "security.secret_key_file", _MAKE)


def _jwt() -> Iterator[CheckMessage]:
    jwt = load_config().security.jwt
    if not jwt.enabled:
        yield _warning(1, "security.jwt.enabled is false: whoever reaches this site may read.", "Set it to true.")
    elif jwt.alg == "HS256":
        yield from _shared_secret(settings.SIMPLE_JWT["SIGNING_KEY"])
    elif jwt.jwks_url and not jwt.jwks_url.startswith("https://"):
        yield _warning(2, "security.jwt.jwks_url is not https: keys could be replaced on their way.", "Use https.")


def _shared_secret(secret: str) -> Iterator[CheckMessage]:
    weakness = _weakness(secret, LEAST_HS256_BYTES)
    if not weakness and secret == _own_key():
        weakness = "is security.secret_key as well"
    if weakness:
        yield _error(2, "security.jwt.secret", weakness, "security.jwt.secret_file", f"{_MAKE} Or use RS256.")


def _debug() -> Iterator[CheckMessage]:
    if settings.DEBUG:
        yield Error("DEBUG is on: error pages show code and settings.", hint="Set DEBUG = False.", id="swapstats.E003")


def _hosts() -> Iterator[CheckMessage]:
    known = f"Name the host names that people use in api.http.public_hosts ({variable('api.http.public_hosts')})."
    if not settings.ALLOWED_HOSTS:
        yield Error("No host name is answered for: api.http.public_hosts is empty.", hint=known, id="swapstats.E004")
    elif any(host in ("*", ".") for host in settings.ALLOWED_HOSTS):
        yield Error("Any host name is answered for: ALLOWED_HOSTS has a wildcard.", hint=known, id="swapstats.E004")


def _tls() -> Iterator[CheckMessage]:
    if not settings.SECURE_SSL_REDIRECT:
        hint = "Set SECURE_SSL_REDIRECT = True, as settings.prod does."
        yield Error("Requests without TLS are answered.", hint=hint, id="swapstats.E005")
    elif not settings.SECURE_PROXY_SSL_HEADER:
        hint = 'Set SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https"), as settings.prod does.'
        text = "Every request would be taken for one without TLS, for TLS ends at the proxy."
        yield Error(text, hint=hint, id="swapstats.E006")
    if not settings.SECURE_HSTS_SECONDS:
        hint = "Set SECURE_HSTS_SECONDS, as settings.prod does."
        yield Error("Browsers are not told to insist on TLS (HSTS).", hint=hint, id="swapstats.E007")


def _cookies() -> Iterator[CheckMessage]:
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY")
    for name in names:
        if not getattr(settings, name):
            hint = f"Set {name} = True, as settings.prod does."
            yield Error(f"{name} is off: cookies can be stolen.", hint=hint, id="swapstats.E008")


def _neighbours() -> Iterator[CheckMessage]:
    if getattr(settings, "CORS_ALLOW_ALL_ORIGINS", False):
        hint = "Name the sites in api.http.cors_origins."
        yield Error("Pages of any site may call the API.", hint=hint, id="swapstats.E009")
    if not load_config().rate_limit.trusted_proxies:
        yield _warning(
            3,
            "rate_limit.trusted_proxies is empty: behind a proxy, all clients without a token share one allowance.",
            "Name the proxy's address or network.",
        )


def _own_key() -> str:
    try:
        return str(settings.SECRET_KEY)
    except ImproperlyConfigured:
        return ""


_MAKE = "For instance: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'."


def _weakness(secret: str, least: int) -> str | None:
    """What is wrong with it; never repeats any of it."""
    if not secret:
        return "is missing"
    if secret.lower().startswith(WELL_KNOWN):
        return "is one that everybody knows"
    if len(secret.encode()) < least or len(set(secret)) < LEAST_DISTINCT:
        return f"is weak: expected {least} bytes or more, and {LEAST_DISTINCT} different characters"
    return None


def _error(number: int, key: str, weakness: str, file_key: str, hint: str) -> Error:
    where = f"Set it in {variable(key)} or name a file in {file_key}."
    return Error(f"{key} {weakness}.", hint=f"{where} {hint}", id=f"swapstats.E{number:03d}")


def _warning(number: int, text: str, hint: str) -> Warning:
    return Warning(text, hint=hint, id=f"swapstats.W{number:03d}")
