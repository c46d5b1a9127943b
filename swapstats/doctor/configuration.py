"""What is valid and yet unwise. What is not valid stops every command before it begins, this one included."""

import ipaddress
from collections.abc import Iterator

from settings.config import Config
from swapstats.doctor.finding import Finding, error, ok, warning

PART = "configuration"
HS256_BYTES = 32


def examine(config: Config, is_production: bool) -> Iterator[Finding]:
    found = [*_tokens(config, is_production), *_alerts(config), *_windows(config), *_listening(config, is_production)]
    yield from found or [ok(PART, "configuration.valid", "every value is valid, and none looks like a mistake")]


def _tokens(config: Config, is_production: bool) -> Iterator[Finding]:
    jwt = config.security.jwt
    if is_production and not jwt.enabled:
        yield warning(
            PART,
            "configuration.open",
            "security.jwt.enabled is false: whoever reaches the API reads everything",
            "set security.jwt.enabled: true, unless the network in front of it decides who may",
        )
    secret = jwt.secret.get_secret_value() if jwt.secret else ""
    if jwt.enabled and jwt.alg == "HS256" and secret and len(secret.encode()) < HS256_BYTES:
        yield error(
            PART,
            "configuration.weak_secret",
            f"security.jwt.secret has {len(secret.encode())} bytes; tokens can be forged by guessing it",
            f"make one of {HS256_BYTES} bytes or more (`openssl rand -base64 48`), or use RS256",
        )


def _alerts(config: Config) -> Iterator[Finding]:
    telegram = config.alerts.telegram
    if bool(telegram.bot_token) != bool(telegram.chat_id):
        there, missing = ("bot_token", "chat_id") if telegram.bot_token else ("chat_id", "bot_token")
        yield error(
            PART,
            "configuration.half_telegram",
            f"alerts.telegram.{there} is set and {missing} is not: no alert is sent",
            f"set alerts.telegram.{missing} too, and try it with `manage.py alert --test`",
        )


def _windows(config: Config) -> Iterator[Finding]:
    if config.app.max_skew_ms > config.app.longest_window_ms:
        yield warning(
            PART,
            "configuration.skew",
            "app.max_skew is longer than the longest window: swaps from far in the future are taken for good",
            "set app.max_skew to what producers' clocks may really be off by, such as 60s",
        )


def _listening(config: Config, is_production: bool) -> Iterator[Finding]:
    address = config.metrics.pprof
    if address and not _is_loopback(address.host):
        yield warning(
            PART,
            "configuration.open_profiler",
            f"metrics.pprof listens on {address}: whoever reaches it sees stacks and can slow the process down",
            "set metrics.pprof to a loopback address, such as 127.0.0.1:6060, and forward the port when it is needed",
        )
    if is_production and not config.rate_limit.trusted_proxies:
        yield warning(
            PART,
            "configuration.no_proxies",
            "rate_limit.trusted_proxies is empty: behind nginx, all clients share the address of nginx and its limit",
            "set rate_limit.trusted_proxies to the networks that nginx speaks from",
        )


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ipaddress.ip_address(host).is_loopback
