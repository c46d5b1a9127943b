"""JSON Merge Patch (RFC 7386): the difference between two JSON objects, and its application.

A merge patch cannot say that a member *is* null, for null there means that the member is to be removed. So in what is
patched this way, a member that is null and one that is missing mean the same.
"""

from typing import Any

Json = dict[str, Any]

_EDGES = ("from", "to")
_VOLATILE = {"as_of", "epoch", "seq", "windows"}


def apply(target: Any, patch: Any) -> Any:
    """What `target` becomes by `patch`; `target` itself stays as it is."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply(result.get(name), value)
    return result


def diff(old: Json, new: Json) -> Json:
    """A patch that leads from `old` to `new`, empty where they mean the same."""
    patch: Json = {name: None for name in old if old[name] is not None and new.get(name) is None}
    for name, value in new.items():
        before = old.get(name)
        if value is None or value == before:
            continue
        if not isinstance(value, dict):
            patch[name] = value
        elif not isinstance(before, dict):
            patch[name] = apply(None, value)
        elif change := diff(before, value):
            patch[name] = change
    return patch


def diff_stats(old: Json, new: Json) -> Json:
    """A patch between two stats bodies of one token: only windows whose values changed, but those with both their
    edges, so that it fits whichever `from` and `to` the receiver has there. Empty where no value changed."""
    patch: Json = {name: None for name in old if name not in new}
    patch |= {name: value for name, value in new.items() if name not in _VOLATILE and old.get(name) != value}
    if windows := _diff_windows(old["windows"], new["windows"]):
        patch["windows"] = windows
    if patch:
        patch |= {"as_of": new["as_of"], "seq": new["seq"]}
    return patch


def _diff_windows(old: Json, new: Json) -> Json:
    changes = {name: _diff_window(old.get(name, {}), window) for name, window in new.items()}
    gone = {name: None for name in old if name not in new}
    return gone | {name: change for name, change in changes.items() if change}


def _diff_window(old: Json, new: Json) -> Json:
    change = {name: value for name, value in new.items() if name not in _EDGES and old.get(name) != value}
    return {name: new[name] for name in _EDGES} | change if change else change
