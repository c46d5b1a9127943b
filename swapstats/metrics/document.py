"""Writes ``docs/metrics.md`` from the catalogue: ``python -m swapstats.metrics.document``."""

from collections.abc import Iterator

from settings.config.values import PROJECT_DIR
from swapstats.metrics.catalogue import Metric, catalogue

PAGE = PROJECT_DIR / "docs" / "metrics.md"

INTRODUCTION = """\
# Metrics

This page is made from the declarations in code by `make docs`; do not edit it. The dashboards and alert rules in
`docker/` may only ask for what stands here (and for `up` and `django_http_*`); a test holds them to that.

- `manage.py consume` and `manage.py archive` show theirs on `metrics.prometheus` (`:9091`); with `--workers N`, worker
  i on that port plus i.
- Web processes show theirs, with django-prometheus's `django_http_*`, under `/metrics` of their own address. Where
  several share one address (`granian --workers 4`), set `PROMETHEUS_MULTIPROC_DIR` to a directory that is empty when
  the first starts (a tmpfs): then any of them answers for all. Counters go on when one of them is replaced; what a dead
  one last said of itself is forgotten.
- `/metrics` is open to whoever reaches that address; `docker/nginx` does not let it out.

Every record read ends in one outcome, so that at any time
`events_ingested_total = events_applied_total + dedupe_hits_total + events_late_total + events_retracted_total
+ events_parked_total + events_cancelled_total + sum(events_dead_lettered_total)`.
A record that is read again after a restart or a rebalance counts again, on both sides.
"""

TITLES = {
    "consume": "Workers (`manage.py consume`)",
    "archive": "Archivers (`manage.py archive`)",
    "web": "Web processes",
    "all": "All processes",
}


def page() -> str:
    """The page as it should be now."""
    metrics = sorted(catalogue(), key=lambda metric: metric.name)
    return INTRODUCTION + "".join(_section(shown, title, metrics) for shown, title in TITLES.items())


def _section(shown: str, title: str, metrics: list[Metric]) -> str:
    rows = "\n".join(_rows(metric for metric in metrics if metric.shown_by == shown))
    return f"\n## {title}\n\n| name | type | labels | meaning |\n| --- | --- | --- | --- |\n{rows}\n"


def _rows(metrics: Iterator[Metric]) -> Iterator[str]:
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
