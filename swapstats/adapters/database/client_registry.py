"""API clients out of Django's database, where the admin keeps them: read in the background, asked in RAM."""

from collections.abc import Mapping
from pathlib import Path

from django.apps import apps
from django.db import DatabaseError, close_old_connections, connection

from swapstats.domain.errors import DatabaseUnavailable
from swapstats.ports.client_registry import Terms
from swapstats.ports.rate_limiter import BucketSize
from swapstats.ports.token_verifier import Caller

FIELDS = ("subject", "refill_per_sec", "burst", "refused_before", "revoked_at")


class DatabaseClientRegistry:
    """Fulfils the port `ClientRegistry`. While the database is away, what was read last counts."""

    def __init__(self) -> None:
        self._terms: Mapping[str, Terms] = {}
        self._is_read = False

    def terms(self, subject: str) -> Terms | None:
        return self._terms.get(subject)

    def accepts(self, caller: Caller) -> bool:
        terms = self._terms.get(caller.subject)
        return terms is None or terms.accept(caller)

    def is_read(self) -> bool:
        return self._is_read

    def refresh(self) -> None:
        """Raises DatabaseUnavailable."""
        close_old_connections()
        try:
            self._terms = _read()
        except DatabaseError as error:
            raise DatabaseUnavailable(f"the database's API clients: {error}") from error
        self._is_read = True


def _read() -> dict[str, Terms]:
    """A database that was never made holds no clients."""
    model = apps.get_model("api", "ApiClient")
    try:
        return {subject: _terms(*agreed) for subject, *agreed in model._default_manager.values_list(*FIELDS)}
    except DatabaseError:
        if _is_made(model._meta.db_table):
            raise
        return {}


def _is_made(table: str) -> bool:
    file = Path(str(connection.settings_dict["NAME"]))
    is_missing = connection.vendor == "sqlite" and file.is_absolute() and not file.exists()
    return not is_missing and table in connection.introspection.table_names()


def _terms(refill_per_sec: float | None, burst: int | None, refused_before_s: int, revoked_at: object) -> Terms:
    limits = BucketSize(refill_per_sec, burst) if refill_per_sec and burst else None
    return Terms(limits, refused_before_s, revoked_at is not None)
