"""What the doctor says of one thing that was looked at."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """Works, but not as it should in the long run."""
    ERROR = "error"
    """Does not work, or loses data sooner or later."""


class Finding(NamedTuple):
    """`code` is stable, for scripts; `remedy` says what to do, empty where nothing is."""

    level: Level
    part: str
    code: str
    what: str
    remedy: str = ""


def ok(part: str, code: str, what: str) -> Finding:
    return Finding(Level.OK, part, code, what)


def warning(part: str, code: str, what: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, part, code, what, remedy)


def error(part: str, code: str, what: str, remedy: str) -> Finding:
    return Finding(Level.ERROR, part, code, what, remedy)
