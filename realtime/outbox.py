"""What waits to be sent to one client: bounded, and always the latest.

A topic waits at most once, however often it changes meanwhile. Its patch is made when it is taken, from the version
the client has to the newest one; so a client that reads slowly gets fewer and newer values, never a queue of old ones.
"""

from collections import deque
from collections.abc import Callable

from realtime.protocol import patches_frame
from realtime.stream import Stream, Version


class Subscription:
    """One client's interest in a stream. `sent` is the version that the client has."""

    __slots__ = ("outbox", "sent", "stream")

    def __init__(self, stream: Stream, outbox: "Outbox") -> None:
        self.stream = stream
        self.outbox = outbox
        self.sent: Version | None = None


class Outbox:
    """Replies in their order, then snapshots, then one frame with all patches.

    `wake` is called when there is something to take outside a round, and has to leave it to be taken later; `deliver`,
    by default the same, is called in its turn of a round, and may take it there and then. Both return at once."""

    def __init__(self, wake: Callable[[], None], deliver: Callable[[], None] | None = None) -> None:
        self.wake = wake
        self.deliver = deliver or wake
        self._replies: deque[str] = deque()
        self._due: dict[Subscription, None] = {}

    def __len__(self) -> int:
        """How many frames or topics wait."""
        return len(self._replies) + len(self._due)

    def reply(self, frame: str) -> None:
        """Add an answer to a message. Whoever reads messages keeps these bounded: by not reading on while many wait."""
        self._replies.append(frame)
        self.wake()

    def mark(self, subscription: Subscription) -> bool:
        """The subscription's stream has something new. Returns whether it waited already: one value less to send.
        Wakes nobody."""
        waited = subscription in self._due
        self._due[subscription] = None
        return waited

    def forget(self, subscription: Subscription) -> None:
        """Send nothing more of this subscription."""
        self._due.pop(subscription, None)

    def take(self, ts: str) -> list[str]:
        """Everything that waits, as frames; from now on the client has it."""
        frames = list(self._replies)
        self._replies.clear()
        patches: list[str] = []
        for subscription in self._due:
            current, sent = subscription.stream.current, subscription.sent
            if current is None:
                continue
            patch = current.patch_from(sent) if sent else None
            if patch is None:
                frames.append(current.snapshot())
            elif patch:
                patches.append(patch)
            else:
                continue
            subscription.sent = current
        self._due.clear()
        if patches:
            frames.append(patches_frame(ts, patches))
        return frames
