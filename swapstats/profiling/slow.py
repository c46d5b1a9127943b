"""The latest slow steps of this process's worker."""

import json
from collections import deque
from datetime import UTC, datetime
from typing import NamedTuple

KEPT = 50


class SlowStep(NamedTuple):
    """When it ended (epoch seconds), how many records it read, and its stages in milliseconds."""

    ended_at: float
    records: int
    stages_ms: dict[str, float]


SLOW_STEPS: deque[SlowStep] = deque(maxlen=KEPT)


def as_text() -> str:
    """One JSON object a line, oldest first."""
    return "".join(f"{json.dumps(_readable(step))}\n" for step in list(SLOW_STEPS)) or "no slow step yet\n"


def _readable(step: SlowStep) -> dict[str, object]:
    ended = datetime.fromtimestamp(step.ended_at, UTC).isoformat(timespec="milliseconds")
    total = round(sum(step.stages_ms.values()), 1)
    return {"ended": ended, "records": step.records, "total_ms": total, "stages_ms": step.stages_ms}
