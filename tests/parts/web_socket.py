"""A WebSocket server of our own and what its clients need: the service behind it, and a real uvicorn on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import uvicorn
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from realtime.admission import Admission
from realtime.allowance import SharedAllowance
from realtime.ranking import Ranking
from realtime.routing import websocket_application
from realtime.server import DrainingServer, LingeringWebSocket
from realtime.service import Service
from settings.config import WebSocket
from tests.parts.live_feed import WINDOWS, LiveFeed

PATIENCE_S = 20
"""How long anything is waited for before a test gives up."""


def service_of(
    feed: LiveFeed, admission: Admission | None = None, allowance: SharedAllowance | None = None, **settings: Any
) -> Service:
    windows, ranking = [window.name for window in WINDOWS], Ranking(feed.view)
    return Service(feed.view, ranking, windows, WebSocket(**settings), lambda: feed.now_ms, admission, allowance)


def application(service: Service) -> Any:
    return websocket_application(lambda: service)


class Running(NamedTuple):
    url: str
    service: Service
    server: DrainingServer

    def stop(self) -> None:
        """As SIGTERM does."""
        self.server.should_exit = True


@asynccontextmanager
async def serving(service: Service, port: int = 0, *, deflate: bool = False) -> AsyncIterator[Running]:
    """The service behind a real server on the loopback, on a free port unless one is named."""
    config = uvicorn.Config(
        application(service),
        host="127.0.0.1",
        port=port,
        ws=LingeringWebSocket,
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        ws_per_message_deflate=deflate,
        timeout_graceful_shutdown=PATIENCE_S,
    )
    server = DrainingServer(config, service.drain)
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Running(f"ws://127.0.0.1:{port}/ws", service, server)
    finally:
        server.should_exit = True
        await running


async def hear(client: ClientConnection, wanted: str) -> dict[str, Any]:
    """The next message of this type; others before it are passed over."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message: dict[str, Any] = json.loads(await client.recv())
            if message["type"] == wanted:
                return message


async def until(condition: Any) -> None:
    """Waits for something to become true."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def say(client: ClientConnection, **message: Any) -> None:
    await client.send(json.dumps(message))


async def ending(client: ClientConnection) -> tuple[str | None, int | None]:
    """The reason of the bye, and the close code."""
    reason = None
    async with asyncio.timeout(PATIENCE_S):
        with suppress(ConnectionClosed):
            while True:
                message = json.loads(await client.recv())
                reason = message.get("reason") if message["type"] == "bye" else reason
    return reason, client.close_code
