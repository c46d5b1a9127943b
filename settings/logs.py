"""One line per event on standard error, as ``key=value``."""

import logging
import time
from typing import Any

LINE = 'time=%(asctime)s.%(msecs)03dZ level=%(levelname)s logger=%(name)s pid=%(process)d msg="%(message)s"'


class UtcFormatter(logging.Formatter):
    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = ""


def logging_config(level: str) -> dict[str, Any]:
    """Django's ``LOGGING``."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": UtcFormatter, "fmt": LINE}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {"django": {"handlers": [], "level": level, "propagate": True}},
    }
