"""A stream is one topic as some of its clients chose to see it. Its states are encoded at most once per form, however
many clients they go to, and only if somebody takes them."""

from typing import Any, NamedTuple, Protocol

from realtime.protocol import Patch, Snapshot, encode

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
        """The state now. Raises ViewNotReady."""

    def body(self, content: Any) -> Json:
        """All of a state."""

    def patch(self, old: Any, new: Any) -> Json:
        """The merge patch between the bodies of two states of one epoch; empty where there is nothing to tell."""


class Version:
    """One state of a stream and what was encoded of it."""

    __slots__ = ("_patches", "_snapshot", "_source", "state")

    def __init__(self, source: Source) -> None:
        self.state = source.read()
        self._source = source
        self._snapshot: str | None = None
        self._patches: dict[int, str] = {}

    def continues(self, earlier: "Version") -> bool:
        """Whether a patch can lead here from there."""
        return self.state.epoch == earlier.state.epoch and self.state.seq >= earlier.state.seq

    def is_news(self, earlier: "Version | None") -> bool:
        """Whether someone who has `earlier` has to hear of this one."""
        return earlier is None or self.state[:2] != earlier.state[:2]

    def snapshot(self) -> str:
        """The `snapshot` message."""
        if self._snapshot is None:
            state = self.state
            body = self._source.body(state.content)
            self._snapshot = encode(Snapshot(self._source.topic, state.epoch, state.seq, body))
        return self._snapshot

    def patch_from(self, earlier: "Version") -> str:
        """The patch that leads here from an earlier version; empty where there is nothing to tell."""
        prev = earlier.state.seq
        patch = self._patches.get(prev)
        if patch is None:
            patch = self._patches[prev] = self._encode_patch(earlier.state)
        return patch

    def _encode_patch(self, earlier: State) -> str:
        state = self.state
        data = self._source.patch(earlier.content, state.content) if state.seq > earlier.seq else None
        reason = "reorg" if state.reorg_seq > earlier.reorg_seq else None
        return encode(Patch(self._source.topic, state.epoch, earlier.seq, state.seq, data, reason)) if data else ""


class Stream:
    """A source and its current version; None while the live view is not loaded."""

    __slots__ = ("current", "source")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.current: Version | None = None
