"""The web server of one process: uvicorn, because it holds back for readers that are slow."""

import signal
import sys
from socket import socket

import uvicorn

from realtime.server import DrainingServer, LingeringWebSocket
from settings.config import Config
from settings.config.load import variable
from swapstats.adapters.system.listener import listen
from swapstats.bootstrap import websocket_service

APPLICATION = "swapstats.asgi:application"
GRACEFUL_SECONDS = 10
OVERSIZE = 4
"""Up to so many times its limit a message is taken in, so that its sender can be told; beyond, it is cut off."""


def serve(config: Config) -> None:
    """Serves until SIGTERM or Ctrl-C, which end the process in good order.

    Raises:
        PartError: it cannot listen on `api.http.addr`.
    """
    listener = listen(*config.api.http.addr, key=f"api.http.addr ({variable('api.http.addr')})")
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn repeats the signal that ended it; by then there is nothing left to do.
        signal.signal(number, lambda *_: sys.exit(0))
    with listener:
        _run(config, listener)


def _run(config: Config, listener: socket) -> None:
    client = config.api.ws
    settings = uvicorn.Config(
        APPLICATION,
        ws=LingeringWebSocket,
        ws_max_size=OVERSIZE * client.max_message_bytes,
        ws_ping_interval=client.heartbeat_ms / 1000,
        ws_ping_timeout=client.heartbeat_ms / 1000,
        ws_per_message_deflate=False,  # it would cost about 90 kB of memory a client
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # whom to believe about a client's address is the application's matter
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    DrainingServer(settings, lambda: websocket_service().drain()).run(sockets=[listener])
