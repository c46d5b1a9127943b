"""Whatever happens in whatever order, every token's windows and all outcome counters equal the oracle's.

Thousands of examples: `pytest tests/simulation --hypothesis-profile=thorough --timeout=0`.
"""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.domain.amount import format_amount
from swapstats.domain.stats import Part, WindowPart, price_change_pct, price_usd
from swapstats.ports.swap_source import Record
from tests.oracle import Oracle
from tests.simulation.world import START_MS, WINDOWS, World

pytestmark = pytest.mark.redis

TOKENS = ("0xa", "0xb", "So1")
GARBAGE = (b"", b"garbage", b"{}", b'{"schema_version": 2}', None, b"[]")
SETTLE_ROUNDS = 60


class Market(RuleBasedStateMachine):
    """A log that is written to, and workers that read it, in every order."""

    url = ""

    @initialize(
        keys=st.sampled_from(["token", "event", "nothing"]),
        late=st.sampled_from(["drop", "apply"]),
        workers=st.integers(1, 2),
    )
    def begin(self, keys: str, late: str, workers: int) -> None:
        self.keys = keys
        self.world = World(self.url, partitions=3, late_policy=late)
        for _ in range(workers):
            self.world.start_worker()
        self._share_out(0)
        self.events: dict[tuple[int, int], dict[str, Any]] = {}

    # What is written.

    @rule(
        number=st.integers(0, 5),
        block=st.integers(0, 2),
        removed=st.booleans(),
        at=st.sampled_from([-4_000, -500, -301, -130, -119, -30, -5, 0, 0, 0, 10, 59]),
        delay=st.sampled_from([0, 0, 0, 1, 125, -61]),
        partition=st.integers(0, 2),
        again=st.integers(1, 2),
    )
    def write(self, number: int, block: int, removed: bool, at: int, delay: int, partition: int, again: int) -> None:
        """A swap, its retraction, its repetition or its re-inclusion in another block, in any order, on time or not."""
        event = self.events.setdefault((number, block), self._event(number, block, at))
        for copy in range(again):
            value = json.dumps({**event, "removed": removed}).encode()
            self.world.log.append(self._partition(event, partition + copy), self.world.now_ms + 1_000 * delay, value)

    def _event(self, number: int, block: int, at: int) -> dict[str, Any]:
        named = [{"block_hash": "0xAA"}, {"block_hash": "0xbb", "block_number": 7}, {}][block]
        return {
            "chain_id": 1 + number % 2,
            "tx_hash": f"0x{number:x}",
            "log_index": number,
            "token_address": TOKENS[number % 3],
            "token_symbol": f"T{number % 3}",
            "side": "buy" if (number + block) % 3 else "sell",
            "amount_usd": f"{number * 10**block}.{number + 1:07d}",
            "amount_token": number + 0.1 * block,
            "event_time": self.world.now_ms + 1_000 * at,
            **named,
        }

    def _partition(self, event: dict[str, Any], drawn: int) -> int:
        by_key = {"token": TOKENS.index(event["token_address"]), "event": event["log_index"], "nothing": drawn}
        return by_key[self.keys] % 3

    @rule(swaps=st.lists(st.tuples(*map(st.integers, (0, 0, 0), (5, 2, 2))), min_size=2, max_size=6))
    def trade(self, swaps: list[tuple[int, int, int]]) -> None:
        """Number, block and partition of some, in time."""
        for number, block, partition in swaps:
            self.write(number, block, removed=False, at=-5, delay=0, partition=partition, again=1)

    @precondition(lambda self: self.events)
    @rule(which=st.integers(0, 17), partition=st.integers(0, 2))
    def retract(self, which: int, partition: int) -> None:
        event = list(self.events.values())[which % len(self.events)]
        value = json.dumps({**event, "removed": True}).encode()
        self.world.log.append(self._partition(event, partition), self.world.now_ms, value)

    @rule(partition=st.integers(0, 2), value=st.sampled_from(GARBAGE))
    def write_garbage(self, partition: int, value: bytes | None) -> None:
        self.world.log.append(partition, self.world.now_ms, value)

    # What the workers do.

    @rule(which=st.integers(0, 3), limit=st.integers(0, 4), steps=st.integers(1, 4))
    def work(self, which: int, limit: int, steps: int) -> None:
        for _ in range(steps):
            member = self.world.members[which % len(self.world.members)]
            member.source.limit = limit
            self.world.step(member)

    @rule(ms=st.sampled_from([1, 100, 1_000, 5_000, 60_000, 300_000, 3_600_000, 90_000_000]))
    def pass_time(self, ms: int) -> None:
        self.world.now_ms += ms

    # What befalls them.

    @rule(which=st.integers(0, 3))
    def die(self, which: int) -> None:
        self.world.bury(self.world.members[which % len(self.world.members)])

    @rule(
        which=st.integers(0, 3),
        countdown=st.integers(0, 12),
        kind=st.sampled_from(["kill before", "kill after", "break before", "break after"]),
    )
    def strike(self, which: int, countdown: int, kind: str) -> None:
        faults = self.world.members[which % len(self.world.members)].faults
        faults.countdown, faults.kind = countdown, kind

    @precondition(lambda self: len(self.world.members) < 3)
    @rule(shift=st.integers(0, 2))
    def join(self, shift: int) -> None:
        self.world.start_worker()
        self._share_out(shift)

    @precondition(lambda self: len(self.world.members) > 1)
    @rule(which=st.integers(0, 3), shift=st.integers(0, 2))
    def leave(self, which: int, shift: int) -> None:
        self.world.leave(self.world.members[which % len(self.world.members)])
        self._share_out(shift)

    @rule(shift=st.integers(0, 2))
    def rebalance(self, shift: int) -> None:
        self._share_out(shift)

    @precondition(lambda self: len(self.world.members) > 1)
    @rule(which=st.integers(0, 3))
    def freeze(self, which: int) -> None:
        """A worker is stopped past its session timeout: others take over, and later it wakes up as a zombie."""
        zombie = self.world.members[which % len(self.world.members)]
        heir = next(member for member in self.world.members if member is not zombie)
        self.world.log.take_for_dead(zombie.source, heir.source)

    @rule(partition=st.integers(0, 2), share=st.sampled_from([0, 0, 0.3, 1]))
    def reset(self, partition: int, share: float) -> None:
        """An operator has a partition's windows rebuilt from the log, or from somewhere in it."""
        self.world.reset(partition, int(share * len(self.world.log.partitions[partition])))

    @rule()
    def sync_redis(self) -> None:
        self.world.remember()

    @rule()
    def restart_redis(self) -> None:
        self.world.lose_last_writes()

    def _share_out(self, shift: int) -> None:
        members = self.world.members
        wishes = {number: members[(number + shift) % len(members)].source for number in range(3)}
        self.world.log.hand_out(wishes)

    # What must come of it.

    @rule()
    def settle(self) -> None:
        for member in self.world.members:
            member.faults.countdown, member.source.limit = -1, 4
        self._share_out(0)
        self.world.now_ms += -self.world.now_ms % 100
        for _ in range(SETTLE_ROUNDS):
            self.world.now_ms += 5_000
            for member in list(self.world.members) * 3:
                self.world.step(member)
            if self._is_settled():
                break
        else:
            raise AssertionError(f"not settled: {self.world.checkpoints()}")
        self._check()

    def _is_settled(self) -> bool:
        """Everything is read, saved and published as of one instant."""
        ends = [len(records) for records in self.world.log.partitions]
        loaded, saved = self.world.loaded(), self.world.checkpoints()
        as_of = [loaded[n].meta.as_of_ms if n in loaded else 0 for n in range(3)]
        offsets = [loaded[n].meta.offset if n in loaded else 0 for n in range(3)]
        is_read = offsets == ends == [saved[n][0] for n in range(3)] and self.world.mail_is_read()
        return is_read and as_of == [self.world.now_ms] * 3

    def _check(self) -> None:
        oracle, expected = self._oracle()
        parts = self.world.parts()
        assert parts.keys() <= {f"{chain}:{token}" for chain in (1, 2) for token in TOKENS}
        for token in parts.keys() | oracle.tokens():
            assert self._shown(parts.get(token)) == self._expected(oracle, token)
        outcomes = sum((counts for _, counts in self.world.checkpoints().values()), Counter())
        assert +outcomes == +expected
        begun = sum(self.world.begins.values())
        assert outcomes.total() == sum(map(len, self.world.log.partitions)) - begun
        assert Counter(letter.invalid.reason.value for letter in self.world.dead_letters) == oracle.reasons

    def _oracle(self) -> tuple[Oracle, Counter[str]]:
        """Fed in the order in which the ledger decided; invalid records mean the same wherever they stand. Swaps that
        were added before windows were begun are not in them, and outcomes are counted from there on. What was never
        read before that has no part in it."""
        windows = {window.name: (window.length_ms, window.bucket_ms) for window in WINDOWS}
        oracle = Oracle(windows=windows, late_policy=self.world.late_policy)
        log = {(r.partition, r.offset): r for records in self.world.log.partitions for r in records}
        outcomes: Counter[str] = Counter()
        begins, put_away = self.world.begins, {(r.partition, r.offset) for r, _ in self.world.dead_letters}
        read = [at for at in log.keys() - set(self.world.trace) if at in put_away or at[1] >= begins[at[0]]]
        for position in [*self.world.trace, *read]:
            outcome, added = self._record(oracle, log[position])
            if position[1] >= begins[position[0]]:
                outcomes[outcome] += 1
            else:
                for occurrence in added:
                    del oracle.counted[occurrence]
        return oracle, outcomes

    def _record(self, oracle: Oracle, record: Record) -> tuple[str, set[tuple[str, str]]]:
        """Its outcome, and what counts by it."""
        before = set(oracle.counted)
        outcome = oracle.record(record.value, record.timestamp_ms, record.partition)
        return outcome, oracle.counted.keys() - before

    def _expected(self, oracle: Oracle, token: str) -> dict[str, Any] | None:
        stats = oracle.stats(token, self.world.now_ms)
        for window in stats["windows"].values():
            del window["from_ms"]
        return stats if any(window["trades"] for window in stats["windows"].values()) else None

    def _shown(self, part: Part | None) -> dict[str, Any] | None:
        if part is None:
            return None
        assert any(window.trades for window in part.windows)
        price = price_usd(part.newest.usd, part.newest.token) if part.newest else None
        windows = {window.name: self._sums(part, sums) for window, sums in zip(WINDOWS, part.windows, strict=True)}
        return {"price_usd": price, "windows": windows}

    def _sums(self, part: Part, window: WindowPart) -> dict[str, Any]:
        return {
            "volume_usd": format_amount(window.usd, 6),
            "buy_volume_usd": format_amount(window.buy_usd, 6),
            "sell_volume_usd": format_amount(window.sell_usd, 6),
            "volume_token": format_amount(window.token, 18),
            "trades": window.trades,
            "buys": window.buys,
            "sells": window.sells,
            "vwap_usd": price_usd(window.usd, window.token),
            "price_change_pct": price_change_pct(part.newest, window.oldest) if window.trades else None,
        }

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.settle()
            for key in self.world.client.scan_iter(f"{self.world.prefix}*", count=1_000):
                self.world.client.delete(key)
            self.world.client.close()


def test_any_order(redis_server: RedisServer) -> None:
    class Here(Market):
        url = redis_server.url()

    run_state_machine_as_test(
        Here, settings=settings(max_examples=settings().max_examples // 2, stateful_step_count=40)
    )


@pytest.mark.parametrize("share", [0, 0.5, 1])
@pytest.mark.parametrize("partition", [0, 1], ids=["in the swap's partition", "in another"])
def test_retractions_around_a_replay(redis_server: RedisServer, partition: int, share: float) -> None:
    """Of swaps on both sides of the offset from which their partition is replayed; before that, after it, or both."""

    class Here(Market):
        url = redis_server.url()

    market = Here()
    market.begin(keys="nothing", late="drop", workers=2)
    market.trade([(number, 0, 0) for number in range(6)])
    market.settle()
    market.retract(which=0, partition=partition)
    market.retract(which=3, partition=partition)
    market.settle()
    market.reset(partition=0, share=share)
    market.retract(which=1, partition=partition)
    market.retract(which=4, partition=partition)
    market.settle()
    market.teardown()


def test_time_begins_on_a_whole_minute() -> None:
    assert START_MS % 60_000 == 0
