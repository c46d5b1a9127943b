"""What a feed sent, line by line as JSON, so that totals can be checked against it."""

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from swapstats.ports.swap_sink import Sent


def open_text(path: Path, mode: str) -> IO[str]:
    """A text file, compressed where its name ends in .gz; `mode` as of `open`, without the "t"."""
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, f"{mode}t", encoding="utf-8"))
    return path.open(mode, encoding="utf-8")


class Journal:
    """A line per acknowledged record: {"partition", "offset", "timestamp_ms", "key", "value"}. Values that are no
    UTF-8 stand as {"base64": …}."""

    def __init__(self, path: Path) -> None:
        self._file = open_text(path, "w")

    def write(self, sent: Sent) -> None:
        line = {**sent._asdict(), "key": _readable(sent.key), "value": _readable(sent.value)}
        self._file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        self._file.close()


def read_journal(path: Path) -> Iterator[Sent]:
    with open_text(path, "r") as lines:
        for line in lines:
            entry = json.loads(line)
            key, value = _bytes(entry["key"]), _bytes(entry["value"])
            yield Sent(key, value or b"", entry["timestamp_ms"], entry["partition"], entry["offset"])


def _readable(data: bytes | None) -> Any:
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _bytes(entry: Any) -> bytes | None:
    if entry is None:
        return None
    return base64.b64decode(entry["base64"]) if isinstance(entry, dict) else str(entry).encode()
