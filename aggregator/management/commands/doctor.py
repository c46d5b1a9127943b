"""`manage.py doctor`: what is wrong, and what to do."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from settings.config import load_config
from swapstats.doctor.examination import Circumstances, examine
from swapstats.doctor.finding import Finding, Level

MARKS = {Level.OK: "ok     ", Level.WARNING: "WARNING", Level.ERROR: "ERROR  "}


class Command(BaseCommand):
    help = """Looks at the configuration, this machine, the broker and its topics, Redis and ClickHouse.

    Says of each thing whether it is as it should be and, where it is not, what to do. Changes nothing. Ends with 1
    where there was an error, with 0 otherwise.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rate", type=int, default=Circumstances.rate, help="swaps a second to be ready for (%(default)d)"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object per finding, for scripts")

    def handle(self, *_: Any, **options: Any) -> None:
        is_production = settings.SETTINGS_MODULE == "settings.prod"
        found = []
        for finding in examine(load_config(), Circumstances(options["rate"], is_production)):
            self.stdout.write(json.dumps(finding._asdict()) if options["json"] else _lines(finding))
            found.append(finding.level)
        errors, warnings = found.count(Level.ERROR), found.count(Level.WARNING)
        if errors:
            raise CommandError(f"{errors} errors, {warnings} warnings", returncode=1)
        if not options["json"]:
            self.stdout.write(f"no errors, {warnings} warnings")


def _lines(finding: Finding) -> str:
    line = f"{MARKS[finding.level]}  {finding.part}: {finding.what}"
    return f"{line}\n         → {finding.remedy}" if finding.remedy else line
