"""Measured figures, written into the page that publishes them."""

from collections.abc import Sequence
from os import cpu_count
from pathlib import Path
from platform import machine, python_version

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "performance.md"
SCALING = DOCS / "scaling.md"

Row = tuple[str, str]


def publish(section: str, rows: Sequence[Row], page_path: Path = PAGE) -> None:
    """Print a section's rows, and put them between its markers in a page of docs/."""
    table = ["| figure | measured |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)]
    body = f"Python {python_version()} on {machine()}, {cpu_count()} cores shared by everything.\n\n" + "\n".join(table)
    print(f"\n{section}\n{body}\n")
    begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    page = page_path.read_text()
    head, _, rest = page.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise ValueError(f"{page_path.name} has no place for the section {section!r}")
    page_path.write_text(f"{head}{begin}\n{body}\n{end}{tail}")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
