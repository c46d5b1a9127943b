"""The WebSocket door behind a real server: who gets in, what they hear, and how connections end."""

import asyncio
import json

import pytest
from channels.testing import WebsocketCommunicator
from websockets.asyncio.client import connect
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from realtime.protocol import CloseCode
from realtime.server import text_frame
from tests.parts.live_feed import LiveFeed, traded
from tests.parts.web_socket import PATIENCE_S, application, ending, hear, say, service_of, serving, until

USDC = "1:0xa0b8"
TOPIC = f"token:{USDC}"


@pytest.fixture
def feed() -> LiveFeed:
    feed = LiveFeed()
    feed.begin({USDC: traded(1)})
    return feed


async def test_from_the_first_word_to_a_patch(feed: LiveFeed) -> None:
    async with serving(service_of(feed)) as running, connect(running.url) as client:
        assert (await hear(client, "welcome"))["protocol"] == 1
        await say(client, subscribe="token:USDC", id=1)
        assert (await hear(client, "subscribed"))["topics"][0]["topic"] == TOPIC
        snapshot = await hear(client, "snapshot")
        feed.step({USDC: traded(2)})
        (item,) = (await hear(client, "patches"))["items"]
        assert (item["topic"], item["prev"], item["seq"]) == (TOPIC, snapshot["seq"], feed.seq)
        assert item["data"]["windows"]["5m"]["trades"] == 2


async def test_ticks_come_one_by_one_however_fast_changes_come(feed: LiveFeed) -> None:
    async with serving(service_of(feed, coalesce_ms=200)) as running, connect(running.url) as client:
        await say(client, subscribe=TOPIC)
        await hear(client, "snapshot")
        loop = asyncio.get_running_loop()
        began, frames = loop.time(), 0
        for buys in range(2, 60):
            feed.step({USDC: traded(buys)})
            await asyncio.sleep(0.01)
        while (await hear(client, "patches"))["items"][0]["seq"] < feed.seq:
            frames += 1
        assert frames <= (loop.time() - began) / 0.2


async def test_a_change_heard_in_another_thread_arrives(feed: LiveFeed) -> None:
    async with serving(service_of(feed)) as running, connect(running.url) as client:
        await say(client, subscribe=TOPIC)
        await hear(client, "snapshot")
        await asyncio.to_thread(feed.step, {USDC: traded(7)})
        assert (await hear(client, "patches"))["items"][0]["data"]["windows"]["1h"]["buys"] == 7


async def test_the_subprotocol_is_agreed_on_where_it_is_offered(feed: LiveFeed) -> None:
    async with serving(service_of(feed)) as running:
        async with connect(running.url, subprotocols=["other", "swapstats.v1"]) as client:  # type: ignore[list-item]
            assert client.subprotocol == "swapstats.v1"
        async with connect(running.url) as client:
            assert client.subprotocol is None


async def test_a_page_of_another_site_is_refused(feed: LiveFeed) -> None:
    async with serving(service_of(feed)) as running:
        async with connect(running.url, origin="https://evil.example") as client:  # type: ignore[arg-type]
            assert await ending(client) == ("origin_refused", CloseCode.ORIGIN_REFUSED)
        own = running.url.replace("ws://", "http://").removesuffix("/ws")
        async with connect(running.url, origin=own) as client:  # type: ignore[arg-type]
            await hear(client, "welcome")


async def test_one_client_too_many_is_told_to_try_later(feed: LiveFeed) -> None:
    async with serving(service_of(feed, max_conn=1)) as running:
        async with connect(running.url) as first:
            await hear(first, "welcome")
            async with connect(running.url) as second:
                assert await ending(second) == ("too_many_connections", CloseCode.TRY_AGAIN_LATER)
        await until(lambda: running.service.refusal() is None)
        async with connect(running.url) as third:
            await hear(third, "welcome")


async def test_a_message_that_is_too_big_ends_the_connection(feed: LiveFeed) -> None:
    async with serving(service_of(feed, max_message_bytes="100")) as running, connect(running.url) as client:
        await client.send("x" * 101)
        assert await ending(client) == ("message_too_big", CloseCode.MESSAGE_TOO_BIG)


async def test_binary_frames_are_no_messages(feed: LiveFeed) -> None:
    async with serving(service_of(feed)) as running, connect(running.url) as client:
        await client.send(b'{"ping": 1}')
        assert (await hear(client, "error"))["code"] == "bad_message"
        await say(client, ping=1)
        await hear(client, "pong")


async def test_a_flood_of_messages_is_not_served(feed: LiveFeed) -> None:
    async with serving(service_of(feed)) as running, connect(running.url) as client:
        for _ in range(300):
            await say(client, ping=1)
        assert (await hear(client, "error"))["code"] == "rate_limited"


async def test_at_a_shutdown_everybody_is_told(feed: LiveFeed) -> None:
    async with serving(service_of(feed)) as running:
        clients = [await connect(running.url) for _ in range(5)]
        for client in clients:
            await hear(client, "welcome")
        running.stop()
        endings = await asyncio.gather(*map(ending, clients))
    assert endings == [("server_shutdown", CloseCode.GOING_AWAY)] * 5


async def test_who_does_not_read_is_sent_away_and_memory_stays_flat(feed: LiveFeed) -> None:
    """Its subscriptions change all the time, and much is to be sent; it reads nothing at all."""
    tokens = [f"1:0x{n:040x}" for n in range(100)]
    async with serving(service_of(feed, slow_timeout="1s", coalesce_ms=10)) as running:
        slow = await connect(running.url, max_queue=1)
        slow.transport.pause_reading()
        async with connect(running.url) as swift:
            await say(slow, subscribe=[f"token:{token_id}" for token_id in tokens])
            await say(swift, subscribe=f"token:{tokens[0]}")
            await hear(swift, "snapshot")
            (protocol,) = [
                conn for conn in running.server.server_state.connections if conn.client == slow.local_address
            ]
            buys = 1
            async with asyncio.timeout(PATIENCE_S):
                while not protocol.transport.is_closing():
                    buys += 1
                    feed.step({token_id: traded(buys) for token_id in tokens})
                    await asyncio.sleep(0.01)
                    assert protocol.transport.get_write_buffer_size() < 500_000
            feed.step({tokens[0]: traded(buys + 1)})
            while (await hear(swift, "patches"))["items"][0]["seq"] < feed.seq:
                pass
        await until(lambda: protocol not in running.server.server_state.connections)


async def test_who_reads_again_in_time_learns_why_it_is_sent_away(feed: LiveFeed) -> None:
    async with serving(service_of(feed, slow_timeout="1s", coalesce_ms=10)) as running:
        tokens = [f"1:0x{n:040x}" for n in range(100)]
        slow = await connect(running.url)
        await say(slow, subscribe=[f"token:{token_id}" for token_id in tokens])
        await hear(slow, "snapshot")
        slow.transport.pause_reading()
        buys = 1
        async with asyncio.timeout(PATIENCE_S):
            while running.service.clients:
                buys += 1
                feed.step({token_id: traded(buys) for token_id in tokens})
                await asyncio.sleep(0.01)
        slow.transport.resume_reading()
        assert await ending(slow) == ("slow_consumer", CloseCode.SLOW_CONSUMER)


async def test_under_any_server_a_client_is_served(feed: LiveFeed) -> None:
    """Through Channels' own communicator, as daphne would call it."""
    communicator = WebsocketCommunicator(application(service_of(feed)), "/ws")
    connected, _ = await communicator.connect()
    assert connected
    assert (await communicator.receive_json_from())["type"] == "welcome"
    await communicator.send_json_to({"subscribe": TOPIC})
    assert [(await communicator.receive_json_from())["type"] for _ in range(2)] == ["subscribed", "snapshot"]
    feed.step({USDC: traded(2)})
    assert (await communicator.receive_json_from())["type"] == "patches"
    await communicator.disconnect()


@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "compressed"])
async def test_a_frame_of_any_size_arrives(feed: LiveFeed, deflate: bool) -> None:
    """From some hundred bytes to more than 65,535, where a frame's header changes once more."""
    tokens = [f"1:0x{n:040x}" for n in range(100)]
    feed.begin({token_id: traded(1) for token_id in tokens})
    async with serving(service_of(feed), deflate=deflate) as running, connect(running.url) as client:
        await say(client, subscribe=[f"token:{token_id}" for token_id in tokens])
        for _ in tokens:
            await hear(client, "snapshot")
        for some in (tokens[:1], tokens[:10], tokens):
            feed.step({token_id: traded(feed.seq + 5) for token_id in some})
            items = (await hear(client, "patches"))["items"]
            assert {item["topic"] for item in items} == {f"token:{token_id}" for token_id in some}
        assert len(json.dumps(items)) > 65_535


async def test_answers_come_before_the_changes_that_follow_them(feed: LiveFeed) -> None:
    async with serving(service_of(feed, coalesce_ms=10)) as running, connect(running.url) as client:
        await say(client, subscribe=TOPIC)
        await hear(client, "snapshot")
        for number in range(50):
            await say(client, ping=number)
            feed.step({USDC: traded(feed.seq + 2)})
        pongs, seq = 0, 0
        while pongs < 50 or seq < feed.seq:
            message = json.loads(await client.recv())
            if message["type"] == "pong":
                assert message["ping"] == pongs
                pongs += 1
            else:
                (item,) = message["items"]
                assert item["prev"] == seq or not seq
                seq = item["seq"]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_text_frame_is_what_the_protocol_says(size: int) -> None:
    reader = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN)
    reader.receive_data(text_frame(b"x" * size))
    (frame,) = reader.events_received()
    assert isinstance(frame, Frame)
    assert (frame.opcode, bytes(frame.data), frame.fin) == (Opcode.TEXT, b"x" * size, True)


async def test_other_addresses_are_refused(feed: LiveFeed) -> None:
    connected, _ = await WebsocketCommunicator(application(service_of(feed)), "/other").connect()
    assert not connected
