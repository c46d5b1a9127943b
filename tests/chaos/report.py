"""The table of scenarios, written into docs/reliability.md by `make chaos`."""

import os
import time
from pathlib import Path
from typing import NamedTuple

BEGIN, END = "<!-- scenarios: written by make chaos -->", "<!-- end of scenarios -->"
HEAD = (
    "| scenario | faults injected | records | wrong totals | lost | doubled | longest without fresh numbers |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: |\n"
)


class Row(NamedTuple):
    scenario: str
    faults: str
    records: int
    wrong: int
    lost: int
    doubled: int
    gap_s: float

    def __str__(self) -> str:
        numbers = f"{self.records:,} | {self.wrong} | {self.lost} | {self.doubled} | {self.gap_s:.1f} s"
        return f"| {self.scenario} | {self.faults or 'none'} | {numbers} |"


class Report:
    """Collects rows; `write` puts them where SWAPSTATS_CHAOS_REPORT says, if it says so."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._began = time.monotonic()

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(f"\n{row}", flush=True)

    def write(self) -> None:
        path = os.environ.get("SWAPSTATS_CHAOS_REPORT")
        if not path or not self.rows:
            return
        page = Path(path)
        before, _, rest = page.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        page.write_text(f"{before}{BEGIN}\n{self._table()}{END}{after}")

    def _table(self) -> str:
        return HEAD + "".join(f"{row}\n" for row in self.rows)
