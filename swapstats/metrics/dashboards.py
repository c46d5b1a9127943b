"""Writes Grafana's dashboards into ``docker/grafana/dashboards``: ``python -m swapstats.metrics.dashboards``.

What they show stands in `boards.py`; this turns it into Grafana's JSON (schema 39, Grafana 10 and newer).
"""

import json
from collections.abc import Iterator
from typing import Any

from settings.config.values import PROJECT_DIR
from swapstats.metrics.boards import BOARDS, Board, Panel, Query

DIRECTORY = PROJECT_DIR / "docker" / "grafana" / "dashboards"
SOURCE = {"type": "prometheus", "uid": "swapstats-prometheus"}
COLUMNS, WIDTH, HEIGHT = 3, 8, 8


def files() -> dict[str, str]:
    """File name → content, as they should be now."""
    return {f"{board.uid}.json": f"{json.dumps(_board(board), indent=1)}\n" for board in BOARDS}


def _board(board: Board) -> dict[str, Any]:
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": ["swapstats"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": []},
        "annotations": {"list": []},
        "links": [{"type": "dashboards", "tags": ["swapstats"], "title": "swapstats", "asDropdown": True}],
        "panels": list(_panels(board)),
    }


def _panels(board: Board) -> Iterator[dict[str, Any]]:
    for number, panel in enumerate(board.panels):
        row, column = divmod(number, COLUMNS)
        place = {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT}
        yield {"id": number + 1, "gridPos": place, **_panel(panel)}


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": SOURCE,
        "targets": [_target(letter, query) for letter, query in zip("ABCDEFGH", panel.queries, strict=False)],
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": {}}, "overrides": []},
        "options": _options(panel.kind),
    }


def _options(kind: str) -> dict[str, Any]:
    if kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "graphMode": "area"}
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _target(letter: str, query: Query) -> dict[str, Any]:
    return {"refId": letter, "datasource": SOURCE, "expr": query.expr, "legendFormat": query.legend, "range": True}


if __name__ == "__main__":
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")
