"""Reads the names of metrics out of PromQL, well enough for the queries that we write."""

import re
from collections.abc import Iterable

from swapstats.metrics.catalogue import catalogue

_LABELS_AND_TEXT = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"")
_GROUPING = re.compile(r"\b(by|on|ignoring|without|group_left|group_right)\s*\([^)]*\)")
_NAME = re.compile(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()")
_WORDS = {"or", "and", "unless", "bool"}
OTHERS = re.compile(r"up|django_http_\w+")
"""What Prometheus itself and django-prometheus show."""


def metrics_in(expr: str) -> set[str]:
    """The metrics that a query asks for."""
    bare = _GROUPING.sub("", _LABELS_AND_TEXT.sub("", expr))
    return set(_NAME.findall(bare)) - _WORDS


def unknown_metrics(exprs: Iterable[str]) -> set[str]:
    """Those among them that nothing of ours shows."""
    known = {name for metric in catalogue() for name in metric.series}
    asked = {name for expr in exprs for name in metrics_in(expr)}
    return {name for name in asked - known if not OTHERS.fullmatch(name)}
