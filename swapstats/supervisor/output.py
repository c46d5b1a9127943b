"""The supervisor's own words and those of its children, one whole line at a time."""

import threading
from typing import TextIO

COLOURS = (36, 35, 33, 32, 34, 31)


class Output:
    """Writes each child's lines behind its name. Once nobody reads any more, `is_closed` says so."""

    def __init__(self, stream: TextIO, names: list[str]) -> None:
        self._stream = stream
        self._names = names
        self._width = max(map(len, names), default=0)
        self._in_colour = stream.isatty()
        self._turn = threading.Lock()
        self.is_closed = False

    def say(self, text: str) -> None:
        self._write(text)

    def line_of(self, name: str, line: str) -> None:
        label = f"{name:<{self._width}} |"
        if self._in_colour:
            label = f"\033[{COLOURS[self._names.index(name) % len(COLOURS)]}m{label}\033[0m"
        self._write(f"{label} {line}")

    def _write(self, text: str) -> None:
        with self._turn:
            try:
                self._stream.write(f"{text}\n")
                self._stream.flush()
            except OSError:
                self.is_closed = True
