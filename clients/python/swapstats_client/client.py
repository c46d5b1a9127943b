"""A connection to swapstats that mends itself."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any, Self
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from swapstats_client.credentials import Credentials, Ticket, Token, nothing
from swapstats_client.subscription import Refused, Subscription, Update

log = logging.getLogger("swapstats_client")

PROTOCOL = Subprotocol("swapstats.v1")
TOPICS_PER_MESSAGE = 50
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
RETRY_LATER = {"not_ready", "rate_limited"}
NOT_AUTHENTICATED, ORIGIN_REFUSED = 4401, 4403
RETRY_TOPIC_S = 1.0
MOST_DOUBLINGS = 10


class SwapStats:
    """Use it as an async context manager. `first_delay` and `longest_delay` bound the pauses before it connects
    again, in seconds; they are random, so that many clients do not come back all at once."""

    def __init__(
        self,
        url: str,
        *,
        credentials: Credentials = nothing,
        first_delay: float = 0.5,
        longest_delay: float = 30.0,
        heartbeat: float = 20.0,
    ) -> None:
        self.url = url
        self.is_connected = False
        self._credentials = credentials
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._heartbeat = heartbeat
        self._subscriptions: set[Subscription] = set()
        self._asked: dict[int, list[Subscription]] = {}
        self._last_id = 0
        self._failures = 0
        self._end: BaseException | None = None
        self._connection: ClientConnection | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._spawn(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        for subscription in self._subscriptions:
            subscription.end()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def subscribe(self, topic: str, **options: Any) -> Subscription:
        """Follow a topic, such as `token:USDC` or `overview:5m`. Options are members of the message: `windows`, `sort`,
        `order`, `limit`, `chain_id`. A connection holds one choice of windows for each topic."""
        subscription = Subscription(topic, options)
        self._subscriptions.add(subscription)
        if self._end:
            subscription.fail(self._end)
        if self.is_connected:
            self._spawn(self._ask([subscription]))
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)
        subscription.end()
        if subscription.topic:
            await self._drop(subscription.topic)

    async def follow(self, topic: str, **options: Any) -> AsyncIterator[Update]:
        """The newest state after each change, until the caller stops. Raises Refused."""
        subscription = self.subscribe(topic, **options)
        try:
            async for update in subscription:
                yield update
        finally:
            await self.unsubscribe(subscription)

    # Connecting

    async def _run(self) -> None:
        while True:
            try:
                await self._serve()
            except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:
                log.info("connection lost: %s", error or type(error).__name__)
                if refused := self._refusal(error):
                    return self._give_up(refused)
            finally:
                self._lost()
            await asyncio.sleep(self._pause())

    async def _serve(self) -> None:
        shown = await self._credentials()
        url, headers = self.url, {}
        if isinstance(shown, Ticket):
            url += f"{'&' if '?' in url else '?'}ticket={quote(shown.value)}"
        elif isinstance(shown, Token):
            headers["Authorization"] = f"Bearer {shown.value}"
        async with connect(
            url,
            additional_headers=headers,
            subprotocols=[PROTOCOL],
            max_size=MAX_MESSAGE_BYTES,
            ping_interval=self._heartbeat,
            ping_timeout=self._heartbeat,
        ) as connection:
            self._connection = connection
            async for text in connection:
                await self._hear(json.loads(text))

    def _lost(self) -> None:
        self.is_connected = False
        self._connection = None
        self._asked.clear()
        for subscription in self._subscriptions:
            subscription.forget()

    def _pause(self) -> float:
        longest = min(self._longest_delay, self._first_delay * 2.0 ** min(self._failures, MOST_DOUBLINGS))
        self._failures += 1
        return longest * random.uniform(0.2, 1.0)

    def _refusal(self, error: Exception) -> Refused | None:
        """Why it is of no use to come again, if so: other credentials there are none to show."""
        closed = error.rcvd if isinstance(error, ConnectionClosed) else None
        if closed and closed.code == ORIGIN_REFUSED:
            return Refused("origin_refused", "the server refuses this origin")
        if closed and closed.code == NOT_AUTHENTICATED and self._credentials is nothing:
            return Refused("not_authenticated", "the server asks for credentials")
        return None

    def _give_up(self, error: BaseException) -> None:
        """Nothing will come any more: whoever waits is told why."""
        self._end = error
        for subscription in self._subscriptions:
            subscription.fail(error)

    # Hearing

    async def _hear(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "welcome":
                self.is_connected, self._failures = True, 0
                await self._ask(self._subscriptions)
            case "subscribed":
                await self._granted(message)
            case "snapshot":
                for subscription in self._of(message["topic"]):
                    subscription.snapshot(message)
            case "patches":
                await self._patches(message["items"])
            case "error":
                self._refuse(message)
            case "bye":
                log.info("the server says bye: %s", message["reason"])

    async def _granted(self, message: dict[str, Any]) -> None:
        for entry in message["topics"]:
            for subscription in self._answered(message, entry["requested"]):
                subscription.topic = entry["topic"]
            await self._drop(entry["topic"])

    def _answered(self, message: dict[str, Any], requested: str | None) -> list[Subscription]:
        """Those who asked for a topic in this message, or for any where none is named; they wait no more."""
        asked = self._asked.pop(message.get("id", 0), [])
        meant = [each for each in asked if requested in (None, each.requested)]
        if rest := [each for each in asked if each not in meant]:
            self._asked[message["id"]] = rest
        return [each for each in meant if each in self._subscriptions]

    async def _patches(self, items: Iterable[dict[str, Any]]) -> None:
        broken = [each for item in items for each in self._of(item["topic"]) if not each.patch(item)]
        if broken:
            await self._ask(broken)

    def _refuse(self, message: dict[str, Any]) -> None:
        """What was granted before may be again: a server that has just started may not know every symbol yet."""
        for subscription in self._answered(message, message.get("topic")):
            if message["code"] in RETRY_LATER or subscription.topic:
                self._spawn(self._ask_later(subscription))
            else:
                subscription.fail(Refused(message["code"], message["message"]))

    def _of(self, topic: str) -> list[Subscription]:
        return [subscription for subscription in self._subscriptions if subscription.topic == topic]

    # Asking

    async def _ask(self, subscriptions: Iterable[Subscription]) -> None:
        groups: dict[str, list[Subscription]] = {}
        for subscription in subscriptions:
            groups.setdefault(json.dumps(subscription.options, sort_keys=True), []).append(subscription)
        for options, group in groups.items():
            for start in range(0, len(group), TOPICS_PER_MESSAGE):
                await self._ask_together(group[start : start + TOPICS_PER_MESSAGE], json.loads(options))

    async def _ask_together(self, group: Sequence[Subscription], options: dict[str, Any]) -> None:
        self._last_id += 1
        self._asked[self._last_id] = list(group)
        await self._send({"subscribe": [each.requested for each in group], **options, "id": self._last_id})

    async def _ask_later(self, subscription: Subscription) -> None:
        await asyncio.sleep(RETRY_TOPIC_S)
        if subscription in self._subscriptions:
            await self._ask([subscription])

    async def _drop(self, topic: str) -> None:
        """Stop a topic that nobody here follows any more."""
        if not self._of(topic):
            await self._send({"unsubscribe": topic})

    async def _send(self, message: dict[str, Any]) -> None:
        """What cannot be sent now is asked for anew with the next connection."""
        if self._connection:
            with suppress(ConnectionClosed):
                await self._connection.send(json.dumps(message))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._give_up(error)
