"""`manage.py archive_schema`: the archive's tables."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from settings.config import load_config
from swapstats import bootstrap
from swapstats.domain.errors import ArchiveError
from swapstats.ports.swap_archive import ArchiveSchema


class Command(BaseCommand):
    help = (
        "Create or update the archive's database and tables in ClickHouse, and give the raw swaps the configured time"
        " to live. On a cluster (stores.clickhouse.cluster) the tables are replicated. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail if something is missing")

    def handle(self, *_: Any, check: bool, **__: Any) -> None:
        try:
            with bootstrap.archive_schema(load_config()) as schema:
                self._check(schema) if check else self._migrate(schema)
        except ArchiveError as error:
            raise CommandError(str(error)) from error

    def _check(self, schema: ArchiveSchema) -> None:
        missing = schema.pending()
        for migration in missing:
            self.stdout.write(f"missing {migration.version:04} {migration.name}")
        if missing:
            raise CommandError("the archive's tables are not up to date")
        self.stdout.write(f"up to date at version {schema.newest}")

    def _migrate(self, schema: ArchiveSchema) -> None:
        for migration in schema.migrate():
            self.stdout.write(f"applied {migration.version:04} {migration.name}")
        where = "hot and cold volumes" if schema.is_tiered() else "one volume"
        self.stdout.write(f"up to date at version {schema.newest}, on {where}")
