"""The consumer group as its broker sees it, for operators."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Member(NamedTuple):
    """A worker, and the partitions that it is assigned."""

    member_id: str
    client_id: str
    host: str
    partitions: Sequence[int]


class GroupState(NamedTuple):
    """`committed` is, by partition, the offset that was committed last."""

    group_id: str
    state: str
    members: Sequence[Member]
    committed: Mapping[int, int]


class ConsumerGroup(Protocol):
    def look(self) -> GroupState:
        """How the group stands now. Raises SourceUnavailable, also for a broker that does not tell."""
