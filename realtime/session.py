"""What one client has asked for, and the answers to its messages. No I/O: answers go into its outbox."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from realtime import protocol
from realtime.hub import Hub
from realtime.outbox import Outbox, Subscription
from realtime.protocol import ErrorCode, Granted, Limits
from realtime.stats_body import rfc3339
from realtime.topics import Topics
from realtime.view import LiveView
from swapstats.domain.errors import MessageRefused


class Desk(NamedTuple):
    """What all sessions of a process share. `now_ms` is the wall clock."""

    view: LiveView
    hub: Hub
    topics: Topics
    limits: Limits
    coalesce_ms: int
    now_ms: Callable[[], int]


class _Followed(NamedTuple):
    subscription: Subscription
    requested: str


class Session:
    def __init__(self, desk: Desk, outbox: Outbox) -> None:
        self._desk = desk
        self._outbox = outbox
        self._followed: dict[str, _Followed] = {}

    def open(self) -> None:
        """Say hello."""
        desk = self._desk
        self._send(protocol.Welcome(desk.coalesce_ms, desk.limits, desk.topics.windows))

    def close(self) -> None:
        """Let go of everything."""
        for followed in self._followed.values():
            self._desk.hub.leave(followed.subscription)
        self._followed.clear()

    def answer(self, text: str) -> None:
        """Do what a message asks for. Every message gets an answer."""
        if request := self.read(text):
            self.do(request)

    def read(self, text: str) -> protocol.Request | None:
        """What a message asks for; None where that cannot be read, which has been said then."""
        try:
            return protocol.parse(text)
        except MessageRefused as refused:
            self.refuse(refused)
            return None

    def do(self, request: protocol.Request) -> None:
        try:
            self._do(request)
        except MessageRefused as refused:
            self.refuse(refused)

    def refuse(self, refused: MessageRefused, topic: str | None = None) -> None:
        self._send(protocol.Error(id=refused.id, code=refused.code, message=str(refused), topic=topic))

    def _do(self, request: protocol.Request) -> None:
        match request:
            case protocol.Subscribe():
                self._each(request, lambda name: self._follow(name, request), protocol.Subscribed)
            case protocol.Unsubscribe():
                self._each(request, self._leave, protocol.Unsubscribed)
            case protocol.ListSubscriptions(id):
                self._send(protocol.Subscriptions(id=id, topics=[self._granted(topic) for topic in self._followed]))
            case protocol.Ping(payload, id):
                now_ms = self._desk.now_ms()
                lag_ms = self._desk.view.lag_ms(now_ms)
                self._send(protocol.Pong(id=id, ping=payload, ts=rfc3339(now_ms), lag_ms=lag_ms))

    def _each(
        self,
        request: protocol.Subscribe | protocol.Unsubscribe,
        do: Callable[[str], Granted],
        answer: type[protocol.Subscribed | protocol.Unsubscribed],
    ) -> None:
        """One bad topic fails only itself."""
        done: list[Granted] = []
        refusals: list[tuple[str, MessageRefused]] = []
        for name in self._bounded(request.topics, request.id):
            try:
                done.append(do(name))
            except MessageRefused as refused:
                refusals.append((name, MessageRefused(refused.code, str(refused), request.id)))
        if done or not refusals:
            self._send(answer(id=request.id, topics=done))
        for name, refusal in refusals:
            self.refuse(refusal, name)

    def _bounded(self, topics: Sequence[str], id: int | str | None) -> Sequence[str]:
        limit = 2 * self._desk.limits.max_subscriptions
        if len(topics) > limit:
            raise MessageRefused(ErrorCode.TOO_MANY_SUBSCRIPTIONS, f"At most {limit} topics in one message", id)
        return topics

    def _follow(self, name: str, request: protocol.Subscribe) -> Granted:
        source = self._desk.topics.source(name, request.windows, request.options)
        before = self._followed.get(source.topic)
        if before:
            self._desk.hub.leave(before.subscription)
        elif len(self._followed) >= self._desk.limits.max_subscriptions:
            limit = self._desk.limits.max_subscriptions
            raise MessageRefused(ErrorCode.TOO_MANY_SUBSCRIPTIONS, f"At most {limit} topics may be followed")
        self._followed[source.topic] = _Followed(self._desk.hub.follow(source, self._outbox), name)
        return self._granted(source.topic)

    def _leave(self, name: str) -> Granted:
        topic = self._topic(name)
        self._desk.hub.leave(self._followed.pop(topic).subscription)
        return Granted(topic, name)

    def _topic(self, name: str) -> str:
        """A topic that is followed, by any of its names."""
        if name in self._followed:
            return name
        for topic, followed in self._followed.items():
            if followed.requested == name:
                return topic
        topic = self._desk.topics.source(name, None, {}).topic
        if topic not in self._followed:
            raise MessageRefused(ErrorCode.NOT_SUBSCRIBED, "This topic is not followed")
        return topic

    def _granted(self, topic: str) -> Granted:
        followed = self._followed[topic]
        return Granted(topic, followed.requested, followed.subscription.stream.source.windows)

    def _send(self, message: protocol.ServerMessage) -> None:
        self._outbox.reply(protocol.encode(message))
