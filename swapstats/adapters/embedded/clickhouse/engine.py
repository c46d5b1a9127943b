"""One client's handle on the engine: its database, its settings, its queries.

Handles of one process share the data and run side by side; each is used by one thread.
"""

import os
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import chdb

UNKNOWN_SETTING = 115
NO_CODE = 1000
"""ClickHouse's POCO_EXCEPTION: for errors that carry no code of their own."""

_ERROR = re.compile(r"Code: (\d+)\. (?:DB::Exception: )?(.*)", re.DOTALL)
_SELECT = re.compile(r"[\s(]*(SELECT|WITH)\b", re.IGNORECASE)
_DATA_FOLLOWS = re.compile(
    r"\s*INSERT\s+INTO\s+(?:TABLE\s+)?(?P<table>[`\w.\"]+)\s*(?P<columns>\([^()]*\))?\s*(?:VALUES|FORMAT\s+\w+)\s*;?\s*",
    re.IGNORECASE,
)


class EngineError(Exception):
    """What the engine refused, with ClickHouse's error code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Insert(NamedTuple):
    """An INSERT whose data follow, and the columns (name, type) that they must have."""

    target: str
    columns: list[tuple[str, str]]


class Engine:
    """Raises EngineError from every call."""

    def __init__(self, path: Path, config: Path | None = None) -> None:
        options = f"?config-file={config}" if config else ""
        with _translated():
            self._handle = chdb.connect(f"{path}{options}")
        self._settings: dict[str, str] = {}

    def version(self) -> tuple[int, int, int]:
        major, minor, patch, *_ = self._text("SELECT version()").split(".")
        return int(major), int(minor), int(patch)

    def use(self, database: str) -> None:
        self.run(f"USE {quote_name(database)}")

    def apply(self, settings: Mapping[str, str], important: frozenset[str]) -> None:
        """Makes exactly these settings differ from their defaults."""
        for name in self._settings.keys() - settings.keys():
            self.run(f"SET {name} = DEFAULT")
            del self._settings[name]
        for name, value in settings.items():
            if self._settings.get(name) != value:
                self._set(name, value, name in important)

    def _set(self, name: str, value: str, important: bool) -> None:
        if not name.isidentifier():
            raise EngineError(UNKNOWN_SETTING, f"Unknown setting {name!r}")
        try:
            self.run(f"SET {name} = {quote_text(value)}")
        except EngineError as error:
            if important or error.code != UNKNOWN_SETTING:
                raise
        else:
            self._settings[name] = value

    def parse_insert(self, query: str) -> Insert | None:
        """None for a query that brings no data of its own."""
        match = _DATA_FOLLOWS.fullmatch(query)
        if match is None:
            return None
        names = (match["columns"] or "").strip("()").strip()
        described = f"(SELECT {names} FROM {match['table']})" if names else match["table"]  # noqa: S608 - the client's own words
        columns = self._describe(described)
        return Insert(f"{match['table']} {match['columns'] or ''}", columns)

    def insert(self, insert: Insert, data: int) -> None:
        """`data` is a file descriptor of an unnamed file with blocks in `Native` format."""
        os.lseek(data, 0, os.SEEK_SET)
        self.run(f"INSERT INTO {insert.target} FROM INFILE '/proc/self/fd/{data}' FORMAT Native")

    def header(self, query: str) -> list[tuple[str, str]]:
        """Names and types of a query's columns; none for what is no SELECT."""
        return self._describe(f"({query.strip().rstrip(';')})") if is_select(query) else []

    def blocks(self, query: str) -> Generator[bytes]:
        """The query's result, each item one block in `Native` format. Closing the iterator cancels the query."""
        if not is_select(query):
            result = self.run(query).bytes()
            if result:
                yield result
            return
        with _translated(), self._handle.send_query(query, "Native") as stream:
            while (chunk := stream.fetch()) is not None:
                yield chunk.bytes()

    def run(self, query: str) -> Any:
        """The result as one piece; for statements and small answers."""
        with _translated():
            return self._handle.query(query, "Native")

    def close(self) -> None:
        self._handle.close()

    def _text(self, query: str) -> str:
        with _translated():
            return str(self._handle.query(query, "TSVRaw").bytes().decode().rstrip("\n"))

    def _describe(self, what: str) -> list[tuple[str, str]]:
        """Insertable columns: those that are computed (MATERIALIZED, ALIAS) are left out."""
        answer = self._text(f"DESCRIBE TABLE {what} SETTINGS print_pretty_type_names = 0")
        rows = [line.split("\t") for line in answer.split("\n")]
        return [(row[0], row[1]) for row in rows if row[2] not in ("MATERIALIZED", "ALIAS")]


def is_select(query: str) -> bool:
    return bool(_SELECT.match(query))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (chdb.ChdbError, RuntimeError) as error:
        match = _ERROR.search(str(error))
        code, message = (int(match[1]), match[2]) if match else (NO_CODE, str(error))
        raise EngineError(code, f"DB::Exception: {message}") from error


def quote_name(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def quote_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
