"""A stream is one topic as some of its clients chose to see it. Its states are encoded at most once per form, however
many clients they go to, and only if somebody takes them."""

from typing import Any, NamedTuple, Protocol

from realtime.protocol import Snapshot, encode, patch_item

Json = dict[str, Any]


class State(NamedTuple):
    """What a topic holds. `seq` only grows while `epoch` stays; `reorg_seq` grows with every correction by a
    retraction. `content` is its source's own and is not changed any more."""

    epoch: str
    seq: int
    reorg_seq: int
    content: Any


class Source(Protocol):
    """Where the states of `topic` come from, and how they are told. `token_id` names the one token that it depends on,
    None for all; `windows` are those that were chosen, None for all."""

    @property
    def topic(self) -> str: ...

    @property
    def token_id(self) -> str | None: ...

    @property
    def windows(self) -> tuple[str, ...] | None: ...

    def read(self) -> State:
        """The state now; the same object as long as nothing at all has changed, time included. Raises ViewNotReady."""

    def body(self, content: Any) -> Json:
        """All of a state."""

    def patch(self, old: Any, new: Any) -> str:
        """The merge patch between the bodies of two states of one epoch, as JSON; empty where there is nothing to
        tell."""


class Version:
    """One state of a stream and what was encoded of it. `at` is all by which clients tell versions apart."""

    __slots__ = ("_patches", "_snapshot", "_source", "at", "state")

    def __init__(self, source: Source, state: State) -> None:
        self.state = state
        self.at = (state.epoch, state.seq)
        self._source = source
        self._snapshot: str | None = None
        self._patches: dict[tuple[str, int], str | None] = {}

    def snapshot(self) -> str:
        """The `snapshot` message."""
        if self._snapshot is None:
            state = self.state
            body = self._source.body(state.content)
            self._snapshot = encode(Snapshot(self._source.topic, state.epoch, state.seq, body))
        return self._snapshot

    def patch_from(self, earlier: "Version") -> str | None:
        """The patch that leads here from an earlier version: empty where there is nothing to tell, None where no patch
        can lead here from there."""
        try:
            return self._patches[earlier.at]
        except KeyError:
            patch = self._patches[earlier.at] = self._encode_patch(earlier.state)
            return patch

    def _encode_patch(self, earlier: State) -> str | None:
        state = self.state
        if state.epoch != earlier.epoch or state.seq < earlier.seq:
            return None
        data = self._source.patch(earlier.content, state.content) if state.seq > earlier.seq else ""
        reason = "reorg" if state.reorg_seq > earlier.reorg_seq else None
        return patch_item(self._source.topic, state.epoch, earlier.seq, state.seq, data, reason) if data else ""


class Stream:
    """A source and its current version; None while the live view is not loaded."""

    __slots__ = ("current", "source")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.current: Version | None = None

    def refresh(self) -> Version:
        """Take up the source's state now. Raises ViewNotReady, and stays as it is."""
        state = self.source.read()
        if self.current is None or self.current.state is not state:
            self.current = Version(self.source, state)
        return self.current
