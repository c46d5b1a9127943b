"""A log in memory with a consumer group that the test rules: who has which partition, and who is taken for dead."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from swapstats.ports.swap_source import Listener, Record, SourceIdentity

IDENTITY = SourceIdentity("simulated", "raw-swaps", "1")


@dataclass
class SwapLog:
    """Partitions of records, and the members that read them."""

    partitions: list[list[Record]]
    members: list["LogSource"] = field(default_factory=list)
    owners: dict[int, "LogSource"] = field(default_factory=dict)

    @classmethod
    def of(cls, partitions: int) -> "SwapLog":
        return cls([[] for _ in range(partitions)])

    def append(self, partition: int, timestamp_ms: int, value: bytes | None) -> None:
        records = self.partitions[partition]
        records.append(Record(partition, len(records), timestamp_ms, b"key", value))

    def hand_out(self, wishes: Mapping[int, "LogSource"]) -> None:
        """A cooperative rebalance: who has a partition gives it up in its own time, then the new owner hears of it."""
        for partition, wished in wishes.items():
            owner = self.owners.get(partition)
            if owner is None:
                self._give(partition, wished)
            elif owner is not wished:
                owner.leaving[partition] = wished

    def _give(self, partition: int, member: "LogSource") -> None:
        self.owners[partition] = member
        member.coming.add(partition)

    def take_for_dead(self, member: "LogSource", heir: "LogSource") -> None:
        """Its session timed out, be it dead or not: the heir has its partitions at once."""
        for partition in [number for number, owner in self.owners.items() if owner is member]:
            if partition in member.coming:
                member.coming.discard(partition)
            else:
                member.missing.add(partition)
            self._give(partition, member.leaving.pop(partition, heir))

    def given_up(self, partition: int, heir: "LogSource") -> None:
        self._give(partition, heir)


class LogSource:
    """One member, as ports/swap_source.py says. `limit` is how many records the next poll gives at most."""

    def __init__(self, log: SwapLog, batch_max: int) -> None:
        self.log = log
        self.limit = self.batch_max = batch_max
        self.coming: set[int] = set()
        self.leaving: dict[int, LogSource] = {}
        self.missing: set[int] = set()
        self.positions: dict[int, int | None] = {}
        self._listener: Listener | None = None
        self._paused: set[int] = set()
        log.members.append(self)

    def identity(self) -> SourceIdentity:
        return IDENTITY

    def partition_count(self) -> int:
        return len(self.log.partitions)

    def subscribe(self, listener: Listener) -> None:
        self._listener = listener

    def poll(self) -> Sequence[Record]:
        self._hear()
        records: list[Record] = []
        for partition, position in sorted(self.positions.items()):
            if position is not None and partition not in self._paused:
                found = self.log.partitions[partition][position : position + self.limit - len(records)]
                self.positions[partition] = position + len(found)
                records += found
        return records

    def _hear(self) -> None:
        assert self._listener
        lost, self.missing = sorted(self.missing & self.positions.keys()), set()
        if lost:
            self._listener.lost(lost)
            self._drop(lost)
        leaving = {number: heir for number, heir in self.leaving.items() if number in self.positions}
        if leaving:
            self._listener.revoked(sorted(leaving))
            self._drop(leaving)
            self._hand_over(leaving)
        coming, self.coming = sorted(self.coming), set()
        if coming:
            self.positions.update(dict.fromkeys(coming))
            self._listener.assigned(coming)

    def _hand_over(self, leaving: Mapping[int, "LogSource"]) -> None:
        for partition, heir in leaving.items():
            del self.leaving[partition]
            self.log.given_up(partition, heir)

    def _drop(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self.positions.pop(partition, None)
            self._paused.discard(partition)

    def seek(self, partition: int, offset: int) -> None:
        assert partition in self.positions
        self.positions[partition] = offset

    def bounds(self, partition: int) -> tuple[int, int]:
        return 0, len(self.log.partitions[partition])

    def offset_at(self, partition: int, timestamp_ms: int) -> int:
        records = self.log.partitions[partition]
        return next((record.offset for record in records if record.timestamp_ms >= timestamp_ms), len(records))

    def pause(self, partitions: Iterable[int]) -> None:
        self._paused |= set(partitions) & self.positions.keys()

    def resume(self, partitions: Iterable[int]) -> None:
        self._paused -= set(partitions)

    def commit(self, offsets: Mapping[int, int]) -> None:
        for partition, offset in offsets.items():
            assert 0 <= offset <= len(self.log.partitions[partition])

    def lag(self) -> Mapping[int, int]:
        found = {number: at for number, at in self.positions.items() if at is not None}
        return {number: len(self.log.partitions[number]) - at for number, at in found.items()}

    def close(self) -> None:
        """Leave the group; what was ours goes to any other member by the next `hand_out`."""
        assert self._listener
        if self.positions:
            self._listener.revoked(sorted(self.positions))
        self.forget()

    def forget(self) -> None:
        """As the broker does once it knows that we are gone."""
        self.positions.clear()
        self.log.members.remove(self)
        self.log.owners = {number: owner for number, owner in self.log.owners.items() if owner is not self}
        for member in self.log.members:
            member.leaving = {number: heir for number, heir in member.leaving.items() if heir is not self}
