"""One web process."""

import signal
import sys
from typing import Any

import uvicorn
from django.core.management.base import BaseCommand, CommandError

from settings.config import Config, load_config
from settings.config.load import variable
from swapstats.adapters.system.listener import listen
from swapstats.domain.errors import PartError

APPLICATION = "swapstats.asgi:application"
GRACEFUL_SECONDS = 10


class Command(BaseCommand):
    help = """Serves HTTP, WebSocket, dashboard and admin on api.http.addr, in one process.

    SIGTERM ends it in good order: no new connections, open requests are answered, WebSocket clients told.
    """

    def handle(self, *_: Any, **__: Any) -> None:
        config = load_config()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        try:
            listener = listen(*config.api.http.addr, key=f"api.http.addr ({variable('api.http.addr')})")
        except PartError as error:
            raise CommandError(str(error)) from error
        with listener:
            uvicorn.Server(server_settings(config)).run(sockets=[listener])


def server_settings(config: Config) -> uvicorn.Config:
    """uvicorn, because it holds back for readers that are slow; the client's address is the application's matter."""
    socket = config.api.ws
    return uvicorn.Config(
        APPLICATION,
        ws="websockets-sansio",
        ws_max_size=socket.max_message_bytes,
        ws_ping_interval=socket.heartbeat_ms / 1000,
        ws_ping_timeout=socket.heartbeat_ms / 1000,
        ws_per_message_deflate=False,  # it would cost about 90 kB of memory a client
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
