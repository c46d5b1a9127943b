"""A connection to ClickHouse over its native protocol, with the errors of swapstats."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ErrorCodes, ServerException, TypeMismatchError

from swapstats.domain.errors import ArchiveError, ArchiveRefused, ArchiveUnavailable

Value = int | str | float | bool
Settings = Mapping[str, Value]

CONNECT_SECONDS = 5
ANSWER_SECONDS = 60

# Codes that the client has no names for.
DECIMAL_OVERFLOW = 407
VIOLATED_CONSTRAINT = 469
S3_ERROR = 499

REFUSED = {
    ErrorCodes.CANNOT_PARSE_TEXT,
    ErrorCodes.CANNOT_PARSE_DATE,
    ErrorCodes.CANNOT_PARSE_DATETIME,
    ErrorCodes.CANNOT_PARSE_NUMBER,
    ErrorCodes.TYPE_MISMATCH,
    ErrorCodes.ARGUMENT_OUT_OF_BOUND,
    ErrorCodes.CANNOT_CONVERT_TYPE,
    ErrorCodes.INCORRECT_DATA,
    ErrorCodes.TOO_LARGE_STRING_SIZE,
    ErrorCodes.VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE,
    ErrorCodes.CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN,
    DECIMAL_OVERFLOW,
    VIOLATED_CONSTRAINT,
}
"""What the server says when it is the rows that are wrong."""

UNAVAILABLE = {
    ErrorCodes.TIMEOUT_EXCEEDED,
    ErrorCodes.TOO_SLOW,
    ErrorCodes.TOO_MANY_SIMULTANEOUS_QUERIES,
    ErrorCodes.NO_FREE_CONNECTION,
    ErrorCodes.SOCKET_TIMEOUT,
    ErrorCodes.NETWORK_ERROR,
    ErrorCodes.ABORTED,
    ErrorCodes.MEMORY_LIMIT_EXCEEDED,
    ErrorCodes.TABLE_IS_READ_ONLY,
    ErrorCodes.NOT_ENOUGH_SPACE,
    ErrorCodes.UNEXPECTED_ZOOKEEPER_ERROR,
    ErrorCodes.TOO_MANY_PARTS,
    ErrorCodes.ALL_CONNECTION_TRIES_FAILED,
    ErrorCodes.UNKNOWN_STATUS_OF_INSERT,
    S3_ERROR,
    ErrorCodes.KEEPER_EXCEPTION,
}
"""What it says when it may say something else later."""

_NETWORK = (OSError, EOFError)
_ENCODING = (TypeMismatchError, struct.error, ValueError, TypeError, OverflowError)


class Connection:
    """One connection, made when it is first needed and again after it broke; used by one thread at a time.

    Every call raises ArchiveUnavailable where no answer came (the outcome of a write is then unknown),
    ArchiveRefused where the rows are at fault, and ArchiveError for any other refusal.
    """

    def __init__(
        self, dsn: str, *, password: str | None = None, settings: Settings | None = None, database: str | None = None
    ) -> None:
        with _translated():
            self._client = Client.from_url(_complete(dsn, password, database))
        self._settings = dict(settings or {})

    def query(
        self, sql: str, parameters: Mapping[str, object] | None = None, settings: Settings | None = None
    ) -> list[tuple[Any, ...]]:
        """The rows. Parameters stand in `sql` as %(name)s and are escaped by the client."""
        with _translated():
            rows: list[tuple[Any, ...]] = self._client.execute(
                sql, dict(parameters or {}) or None, settings={**self._settings, **(settings or {})}
            )
        return rows

    def stream(
        self, sql: str, parameters: Mapping[str, object], settings: Settings, chunk_rows: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        """The rows in chunks, as they come. Nothing else may be asked of this connection before the last of them; one
        that is left earlier has to be closed."""
        with _translated():
            yield from self._client.execute_iter(
                sql, dict(parameters), settings={**self._settings, **settings}, chunk_size=chunk_rows
            )

    def insert(
        self, table: str, names: Sequence[str], columns: Sequence[Sequence[Any]], settings: Settings | None = None
    ) -> None:
        """One block of rows, given by columns."""
        sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES"
        with _translated(encoding=True):
            self._client.execute(sql, list(columns), columnar=True, settings={**self._settings, **(settings or {})})

    def close(self) -> None:
        self._client.disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def database_of(dsn: str) -> str:
    return urlsplit(dsn).path.strip("/") or "default"


def _complete(dsn: str, password: str | None, database: str | None) -> str:
    """The DSN with bounded waiting, where it does not say otherwise, and the password and database given apart."""
    parts = urlsplit(dsn)
    options = {
        "connect_timeout": CONNECT_SECONDS,
        "send_receive_timeout": ANSWER_SECONDS,
        "sync_request_timeout": CONNECT_SECONDS,
        "client_name": "swapstats",
        **dict(parse_qsl(parts.query)),
    }
    netloc, path = parts.netloc, parts.path if database is None else f"/{database}"
    if password is not None:
        user, _, host = netloc.rpartition("@")
        netloc = f"{user.partition(':')[0] or 'default'}:{quote(password, safe='')}@{host}"
    return urlunsplit((parts.scheme, netloc, path, urlencode(options), ""))


@contextmanager
def _translated(encoding: bool = False) -> Iterator[None]:
    """`encoding`: rows are being encoded, so that what cannot be encoded is refused."""
    try:
        yield
    except ServerException as error:
        raise _server_error(error) from error
    except _ENCODING as error:
        if not encoding:
            raise
        raise ArchiveRefused(f"cannot be encoded: {error}") from error
    except (*_NETWORK, Error) as error:
        raise ArchiveUnavailable(f"no answer from ClickHouse: {error}") from error


def _server_error(error: ServerException) -> ArchiveError:
    message = f"ClickHouse error {error.code}: {str(error.message).partition('. Stack trace')[0]}"
    if error.code in REFUSED:
        return ArchiveRefused(message)
    return ArchiveUnavailable(message) if error.code in UNAVAILABLE else ArchiveError(message)
