"""What production does not start from, check by check, and that it does not."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import Tags, run_checks

from api.checks import refuse_unsafe_start
from settings.config import load_config
from settings.config.values import PROJECT_DIR
from swapstats.domain.errors import ConfigError

Change = Callable[[Any], Any]

PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "settings.prod",
    "SWAPSTATS_SECURITY__SECRET_KEY": secrets.token_urlsafe(48),
    "SWAPSTATS_SECURITY__JWT__SECRET": secrets.token_urlsafe(48),
    "SWAPSTATS_API__HTTP__PUBLIC_HOSTS": '["swaps.example.org"]',
    "SWAPSTATS_RATE_LIMIT__TRUSTED_PROXIES": '["10.0.0.0/8"]',
    "SWAPSTATS_API__HTTP__ADDR": "127.0.0.1:1",
}


@pytest.fixture
def safe(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Settings as production has them; `configure` changes the configuration."""
    settings.PRODUCTION, settings.DEBUG, settings.ALLOWED_HOSTS = True, False, ["swaps.example.org"]
    settings.SECRET_KEY = secrets.token_urlsafe(48)
    settings.SIMPLE_JWT = settings.SIMPLE_JWT | {"SIGNING_KEY": secrets.token_urlsafe(48)}
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True

    def configure(jwt: dict[str, Any], proxies: tuple[str, ...] = ("10.0.0.0/8",)) -> None:
        config = load_config()
        security = config.security.model_copy(update={"jwt": config.security.jwt.model_copy(update=jwt)})
        limits = config.rate_limit.model_copy(update={"trusted_proxies": proxies})
        changed = config.model_copy(update={"security": security, "rate_limit": limits})
        monkeypatch.setattr("api.checks.load_config", lambda: changed)

    configure({})
    settings.configure_swapstats = configure
    return settings


def ours() -> dict[str, str]:
    """Ids of our checks that have something to say, with what they say."""
    found = run_checks(tags=[Tags.security], include_deployment_checks=True)
    return {message.id: f"{message.msg} {message.hint}" for message in found if message.id.startswith("swapstats.")}


def test_production_as_it_should_be_has_nothing_to_be_said_of(safe: Any) -> None:
    assert ours() == {}
    refuse_unsafe_start()


def _signed_with(settings: Any, secret: str) -> None:
    settings.SIMPLE_JWT = settings.SIMPLE_JWT | {"SIGNING_KEY": secret}


ERRORS: list[tuple[str, Change, str]] = [
    ("swapstats.E001", lambda s: setattr(s, "SECRET_KEY", ""), "security.secret_key is missing"),
    ("swapstats.E001", lambda s: setattr(s, "SECRET_KEY", "django-insecure-" + 60 * "abcdefghijkl"), "everybody knows"),
    ("swapstats.E001", lambda s: setattr(s, "SECRET_KEY", secrets.token_urlsafe(20)), "is weak"),
    ("swapstats.E001", lambda s: setattr(s, "SECRET_KEY", 60 * "ab"), "is weak"),
    ("swapstats.E002", lambda s: _signed_with(s, ""), "security.jwt.secret is missing"),
    ("swapstats.E002", lambda s: _signed_with(s, "changeme-" + 40 * "x"), "everybody knows"),
    ("swapstats.E002", lambda s: _signed_with(s, 40 * "x"), "is weak"),
    ("swapstats.E002", lambda s: _signed_with(s, secrets.token_urlsafe(20)), "is weak"),
    ("swapstats.E002", lambda s: _signed_with(s, s.SECRET_KEY), "is security.secret_key as well"),
    ("swapstats.E003", lambda s: setattr(s, "DEBUG", True), "DEBUG = False"),
    ("swapstats.E004", lambda s: setattr(s, "ALLOWED_HOSTS", []), "SWAPSTATS_API__HTTP__PUBLIC_HOSTS"),
    ("swapstats.E004", lambda s: setattr(s, "ALLOWED_HOSTS", ["a.example.org", "*"]), "wildcard"),
    ("swapstats.E005", lambda s: setattr(s, "SECURE_SSL_REDIRECT", False), "without TLS"),
    ("swapstats.E006", lambda s: setattr(s, "SECURE_PROXY_SSL_HEADER", None), "X_FORWARDED_PROTO"),
    ("swapstats.E007", lambda s: setattr(s, "SECURE_HSTS_SECONDS", 0), "HSTS"),
    ("swapstats.E008", lambda s: setattr(s, "SESSION_COOKIE_SECURE", False), "SESSION_COOKIE_SECURE"),
    ("swapstats.E008", lambda s: setattr(s, "CSRF_COOKIE_SECURE", False), "CSRF_COOKIE_SECURE"),
    ("swapstats.E008", lambda s: setattr(s, "SESSION_COOKIE_HTTPONLY", False), "SESSION_COOKIE_HTTPONLY"),
    ("swapstats.E009", lambda s: setattr(s, "CORS_ALLOW_ALL_ORIGINS", True), "api.http.cors_origins"),
]


@pytest.mark.parametrize(("id", "spoil", "said"), ERRORS)
def test_what_is_refused(safe: Any, id: str, spoil: Change, said: str) -> None:
    spoil(safe)
    found = ours()
    assert list(found) == [id]
    assert said in found[id]
    with pytest.raises(ConfigError, match=id):
        refuse_unsafe_start()


@pytest.mark.parametrize(
    ("id", "jwt", "proxies"),
    [
        ("swapstats.W001", {"enabled": False}, ("10.0.0.0/8",)),
        ("swapstats.W002", {"alg": "RS256", "jwks_url": "http://id.example.org/keys"}, ("10.0.0.0/8",)),
        ("swapstats.W003", {}, ()),
    ],
)
def test_what_is_only_said(
    safe: Any, caplog: pytest.LogCaptureFixture, id: str, jwt: dict[str, Any], proxies: tuple[str, ...]
) -> None:
    safe.configure_swapstats(jwt, proxies)
    assert list(ours()) == [id]
    refuse_unsafe_start()
    assert id in caplog.text


def test_secrets_are_never_repeated(safe: Any) -> None:
    safe.SECRET_KEY = "changeme-4711"
    _signed_with(safe, "secret-0815")
    assert not any("4711" in text or "0815" in text for text in ours().values())


def test_development_starts_from_anything(settings: Any) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS, settings.SECRET_KEY = True, ["*"], "x"
    assert not settings.PRODUCTION
    refuse_unsafe_start()


def _run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """With nothing but these variables."""
    environment = {"PATH": os.environ["PATH"], **PRODUCTION, **variables}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=PROJECT_DIR, env=environment, capture_output=True, text=True, check=False)


def test_production_passes_djangos_own_deployment_check_too() -> None:
    done = _run("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("manage.py", "check", "--deploy"),
        ("manage.py", "serve"),
        ("-c", "import swapstats.wsgi"),
        ("-c", "import swapstats.asgi"),
    ],
)
def test_production_says_everything_that_is_missing_at_once(words: tuple[str, ...]) -> None:
    weak = {
        "SWAPSTATS_SECURITY__SECRET_KEY": "changeme",
        "SWAPSTATS_SECURITY__JWT__SECRET": "too short",
        "SWAPSTATS_API__HTTP__PUBLIC_HOSTS": "[]",
    }
    done = _run(*words, **weak)
    assert done.returncode == 1
    for said in ("swapstats.E001", "swapstats.E002", "swapstats.E004", "SWAPSTATS_SECURITY__SECRET_KEY"):
        assert said in done.stderr
    assert "too short" not in done.stderr
    if words[0] == "manage.py":
        assert "Traceback" not in done.stderr


def test_without_a_secret_key_nothing_begins() -> None:
    done = _run("manage.py", "check", SWAPSTATS_SECURITY__SECRET_KEY="")
    assert done.returncode == 1
    assert "security.secret_key: expected a secret" in done.stderr
    assert "Traceback" not in done.stderr
