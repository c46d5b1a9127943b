"""One web process."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from api.checks import refuse_unsafe_start
from settings.config import load_config
from swapstats.domain.errors import ConfigError, PartError
from swapstats.web_server import serve


class Command(BaseCommand):
    help = """Serves HTTP, WebSocket, dashboard and admin on api.http.addr, in one process.

    SIGTERM ends it in good order: no new connections, open requests are answered, WebSocket clients told.
    """

    def handle(self, *_: Any, **__: Any) -> None:
        try:
            refuse_unsafe_start()
            serve(load_config())
        except (ConfigError, PartError) as error:
            raise CommandError(str(error)) from error
