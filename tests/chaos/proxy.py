"""A TCP proxy that can be slow, deaf or gone: what lies between two machines, broken on demand."""

import asyncio
import threading
from contextlib import suppress
from typing import Self

HOST = "127.0.0.1"
CHUNK = 65_536


class Proxy:
    """Forwards to `target_port` from `port`, in a thread of its own.

    `latency_s` delays every chunk, in order; while `deaf`, bytes are held and nothing is passed on; `cut` closes all
    connections, and refuses new ones until `mend`.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.latency_s = 0.0
        self.port = 0
        self._deaf = False
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def go_deaf(self) -> None:
        """As a network that swallows every packet: connections stay, nothing comes through."""
        self._deaf = True

    def cut(self) -> None:
        """As a host that is gone: connections are reset and new ones refused."""
        self._refusing = True
        self._loop.call_soon_threadsafe(self._close_all)

    def mend(self) -> None:
        self._deaf = self._refusing = False
        self.latency_s = 0.0

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        self._server.close()
        self._close_all()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _close_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if self.latency_s:
                    await asyncio.sleep(self.latency_s)
                while self._deaf:
                    await asyncio.sleep(0.01)
                writer.write(data)
                await writer.drain()
        writer.close()
