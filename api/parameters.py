"""Query parameters, each refused with what was expected of it."""

import re
from collections.abc import Collection, Sequence

from django.http import QueryDict

from api.errors import bad_parameter, bad_window
from swapstats.domain.window import Window

_WHOLE = re.compile(r"[0-9]{1,19}")
MAX_CHAIN_ID = 2**63 - 1


def windows_in(query: QueryDict, windows: Sequence[Window], name: str = "windows") -> tuple[str, ...] | None:
    """Names of windows in their configured order; None where the parameter is absent: all of them."""
    given = query.get(name)
    if given is None:
        return None
    wanted = given.split(",")
    known = [window.name for window in windows]
    for candidate in wanted:
        if candidate not in known:
            raise bad_window(known, candidate)
    return tuple(window for window in known if window in wanted)


def window_in(query: QueryDict, windows: Sequence[Window], default: str) -> str:
    """One window's name."""
    given, known = query.get("window", default), [window.name for window in windows]
    if given not in known:
        raise bad_window(known, given)
    return given


def choice_in(query: QueryDict, name: str, choices: Collection[str], default: str) -> str:
    given = query.get(name, default)
    if given not in choices:
        raise bad_parameter(name, f"one of {', '.join(choices)}", given)
    return given


def whole_in(query: QueryDict, name: str, least: int, most: int, default: int | None) -> int | None:
    given = query.get(name)
    if given is None:
        return default
    if not _WHOLE.fullmatch(given) or not least <= int(given) <= most:
        raise bad_parameter(name, f"a whole number from {least} to {most}", given)
    return int(given)


def limit_in(query: QueryDict, default: int, most: int) -> int:
    limit = whole_in(query, "limit", 1, most, default)
    return default if limit is None else limit


def chain_id_in(query: QueryDict) -> int | None:
    return whole_in(query, "chain_id", 1, MAX_CHAIN_ID, None)


def text_in(query: QueryDict, name: str, longest: int) -> str | None:
    given = query.get(name)
    if given is not None and len(given) > longest:
        raise bad_parameter(name, f"at most {longest} characters", given)
    return given or None


def names_in(query: QueryDict, name: str, choices: Sequence[str]) -> tuple[str, ...] | None:
    """A selection among `choices`, in their order; None where the parameter is absent: all of them."""
    given = query.get(name)
    if given is None:
        return None
    wanted = given.split(",")
    for candidate in wanted:
        if candidate not in choices:
            raise bad_parameter(name, f"names among {', '.join(choices)}", candidate)
    return tuple(choice for choice in choices if choice in wanted)
