"""Log-in attempts, counted by django-ratelimit in Django's cache."""

import logging
from hashlib import sha256

from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

BY_ADDRESS = "20/m"
BY_NAME = "5/m"


class CachedLoginAttempts:
    def are_too_many(self, address: str, name: str) -> bool:
        try:
            by_address = _is_over("log-in by address", address, BY_ADDRESS)
            by_name = _is_over("log-in by name", name.casefold(), BY_NAME)
        except (RedisError, OSError) as error:
            log.warning("log-in attempts are not counted: %s", error or type(error).__name__)
            return False
        return by_address or by_name


def _is_over(group: str, value: str, rate: str) -> bool:
    digest = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    usage = get_usage(None, group=group, key=lambda *_: digest, rate=rate, increment=True)
    return bool(usage and usage["should_limit"])
