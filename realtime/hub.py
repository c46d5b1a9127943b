"""Which client follows what, and who gets to know when something changes.

Clients never join the channel layer's groups: sending to a group costs as much as it has members, while here a topic
is read, compared and encoded once per tick, and each client's frame is joined from what is encoded already.
A topic that nobody follows costs nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from realtime.outbox import Outbox, Subscription
from realtime.stream import Source, Stream
from realtime.view import LiveView
from swapstats.domain.errors import ViewNotReady

Key = tuple[str, tuple[str, ...] | None]


class Hub:
    """Lives in one thread: that of the event loop which serves the clients."""

    def __init__(self, view: LiveView) -> None:
        self._view = view
        self._streams: dict[Key, Stream] = {}
        self._followers: dict[Stream, set[Subscription]] = {}
        self._by_token: defaultdict[str | None, set[Stream]] = defaultdict(set)
        self._changed: set[str | None] = set()
        self._unready: set[Stream] = set()
        self._round: dict[Outbox, None] = {}

    def follow(self, source: Source, outbox: Outbox) -> Subscription:
        """Subscribe an outbox; its snapshot waits in it at once, or as soon as the live view is loaded."""
        stream = self._streams.get((source.topic, source.windows)) or self._open(source)
        subscription = Subscription(stream, outbox)
        self._followers[stream].add(subscription)
        self._refresh(stream)
        self._changed.add(source.token_id)
        outbox.mark(subscription)
        outbox.wake()
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Undo `follow`."""
        subscription.outbox.forget(subscription)
        followers = self._followers[subscription.stream]
        followers.discard(subscription)
        if not followers:
            self._close(subscription.stream)

    def note(self, token_ids: Collection[str]) -> bool:
        """These tokens may have changed. Returns whether anyone has to hear of it at the next `flush`."""
        self._changed.update(self._by_token.keys() & token_ids)
        if token_ids and None in self._by_token:
            self._changed.add(None)
        return bool(self._changed or self._unready)

    def flush(self) -> int:
        """Put what changed since the last time into the followers' outboxes, which then are the next `round`. Returns
        how many values had to give way there, because the client had not taken the value before."""
        self._round = {}
        affected = {stream for token_id in self._changed for stream in self._by_token.get(token_id, ())}
        affected |= self._unready
        self._changed.clear()
        return sum(self._tell(stream) for stream in affected)

    def round(self) -> Sequence[Outbox]:
        """Each outbox in which the last `flush` put something, once: they are to be delivered."""
        return list(self._round)

    def due_tokens(self) -> set[str]:
        """Followed tokens that the next `flush` tells of."""
        return {token_id for token_id in self._changed if token_id}

    def followed_tokens(self) -> set[str]:
        return {token_id for token_id in self._by_token if token_id}

    @property
    def streams(self) -> int:
        """How many different streams are followed."""
        return len(self._streams)

    def _tell(self, stream: Stream) -> int:
        self._refresh(stream)
        if (current := stream.current) is None:
            return 0
        dropped, at, due = 0, current.at, self._round
        for follower in self._followers[stream]:
            if follower.sent is None or follower.sent.at != at:
                due[follower.outbox] = None
                dropped += follower.outbox.mark(follower)
        return dropped

    def _refresh(self, stream: Stream) -> None:
        """Continuity once lost, a follower gets a snapshot; until the view is loaded again it keeps what it has."""
        try:
            stream.refresh()
            self._unready.discard(stream)
        except ViewNotReady:
            self._unready.add(stream)

    def _open(self, source: Source) -> Stream:
        stream = self._streams[source.topic, source.windows] = Stream(source)
        self._followers[stream] = set()
        self._by_token[source.token_id].add(stream)
        if source.token_id is not None:
            self._view.watch(source.token_id)
        return stream

    def _close(self, stream: Stream) -> None:
        source = stream.source
        del self._streams[source.topic, source.windows], self._followers[stream]
        self._unready.discard(stream)
        self._by_token[source.token_id].discard(stream)
        if not self._by_token[source.token_id]:
            del self._by_token[source.token_id]
            if source.token_id is not None:
                self._view.unwatch(source.token_id)
