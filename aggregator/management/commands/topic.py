"""`manage.py topic`: the topics as the configuration says."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from settings.config import load_config
from swapstats import bootstrap
from swapstats.domain.errors import SourceError


class Command(BaseCommand):
    help = (
        "Create the topic of swaps and that of dead letters, or bring them to ingest.topic_cfg: partitions (they can"
        " only be raised), retention, cleanup policy, segment. Says what it changed; refuses, before changing"
        " anything, what Kafka cannot do. Safe to run again."
    )

    def handle(self, *_: Any, **__: Any) -> None:
        try:
            bootstrap.topic_admin(load_config()).create_or_update(self.stdout.write)
        except SourceError as error:
            raise CommandError(str(error)) from error
