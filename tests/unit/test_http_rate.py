"""The client that asks at a constant rate: what had to wait has waited."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.load import http_rate
from tests.load.http_rate import Gun

STALL_S = 0.3
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def server(answer: Callable[[int], bytes], stalls_at: int = -1) -> AsyncIterator[str]:
    """Answers the n-th request by `answer(n)`, b"" for hanging up; one of them keeps all others waiting."""
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        while await reader.readline():
            while await reader.readline() != b"\r\n":
                pass
            served += 1
            if served == stalls_at:
                await asyncio.sleep(STALL_S)
            if not (data := answer(served)):
                break
            writer.write(data)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    listening.close()


async def test_all_are_asked_and_counted_by_status():
    async with server(lambda number: BUSY if number % 4 == 0 else OK) as url:
        shots = await asyncio.to_thread(Gun(url, ["/a", "/b"]).fire, 400, 0.1)
    assert shots.statuses == {200: 30, 503: 10}
    assert (shots.failed, shots.lost, len(shots.latencies_ms)) == (10, 0, 40)


async def test_one_slow_answer_is_told_by_all_that_were_due_meanwhile(monkeypatch):
    """A client that waits before it asks again would tell of a single slow request."""
    monkeypatch.setattr(http_rate, "CONNECTIONS", 1)
    async with server(lambda _: OK, stalls_at=5) as url:
        shots = await asyncio.to_thread(Gun(url, ["/"]).fire, 100, 0.6)
    slow = [latency for latency in shots.latencies_ms if latency > STALL_S * 1000 / 2]
    assert len(shots.latencies_ms) == 60
    assert len(slow) > 10


async def test_what_is_hung_up_on_is_lost_and_others_go_on():
    async with server(lambda number: b"" if number == 7 else OK) as url:
        shots = await asyncio.to_thread(Gun(url, ["/"]).fire, 200, 0.1)
    assert (shots.lost, shots.failed, shots.statuses) == (1, 1, {200: 19})
