"""The independent model: statistics straight from their definition in the wire contract.

It keeps a list of every swap that counts and filters it for each question. It shares no code with the product and none
of its methods: its own parsing by `json` and `decimal`, no running sums, no buckets kept. Slow on purpose.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

WIDE = Context(prec=400, Emax=10**9, Emin=-(10**9))
DEFAULT_WINDOWS = {"5m": (300_000, 5_000), "1h": (3_600_000, 60_000), "24h": (86_400_000, 60_000)}
OPTIONAL_TEXTS = {"event_id": None, "token_symbol": 64, "pool_address": 128, "trader": 128, "block_hash": 128}


class Refused(Exception):  # noqa: N818 - never leaves this module
    """Carries the dead letter's reason."""


@dataclass(frozen=True)
class Counted:
    """A swap that counts."""

    token: str
    symbol: str | None
    side: str
    usd: Decimal
    amount: Decimal
    time_ms: int


@dataclass
class Oracle:
    """Feed it every record of the log once, each partition in the order of its offsets."""

    windows: Mapping[str, tuple[int, int]] = field(default_factory=lambda: DEFAULT_WINDOWS)
    grace_ms: int = 120_000
    max_skew_ms: int = 60_000
    max_bytes: int = 1_048_576
    late_policy: str = "drop"
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    counted: dict[tuple[str, str], Counted] = field(default_factory=dict)
    added: dict[tuple[str, str], str] = field(default_factory=dict)
    late_in: dict[tuple[str, str], int] = field(default_factory=dict)
    removed: set[tuple[str, str]] = field(default_factory=set)

    def record(self, value: bytes | None, timestamp_ms: int, partition: int = 0) -> str:
        """What becomes of the next record: the outcome's name."""
        try:
            event = self._parse(value, timestamp_ms)
        except Refused as refused:
            self.reasons[str(refused)] += 1
            outcome = "dead_lettered"
        else:
            outcome = self._remove(event) if event["removed"] else self._add(event, timestamp_ms, partition)
        self.outcomes[outcome] += 1
        return outcome

    def records(self, log: Iterable[tuple[bytes | None, int]]) -> None:
        """Values and record timestamps, one after the other."""
        for value, timestamp_ms in log:
            self.record(value, timestamp_ms)

    def _add(self, event: dict[str, Any], timestamp_ms: int, partition: int) -> str:
        """A swap that came in time is not late because a late copy stands in another partition."""
        occurrence = event["occurrence"]
        late = timestamp_ms - event["swap"].time_ms > self.grace_ms
        if occurrence in self.added:
            if late or self.late_policy == "apply" or occurrence in self.removed:
                return "duplicate"
            if self.late_in.get(occurrence, partition) == partition:
                return "duplicate"
        if late:
            self.late_in[occurrence] = partition
        else:
            self.late_in.pop(occurrence, None)
        outcome = "cancelled" if occurrence in self.removed else "late" if late else "applied"
        self.added[occurrence] = outcome
        if outcome == "applied" or (outcome == "late" and self.late_policy == "apply"):
            self.counted[occurrence] = event["swap"]
        return outcome

    def _remove(self, event: dict[str, Any]) -> str:
        occurrence = event["occurrence"]
        if occurrence in self.removed:
            return "duplicate"
        self.removed.add(occurrence)
        self.counted.pop(occurrence, None)
        return {None: "parked", "applied": "retracted", "late": "retracted_late"}[self.added.get(occurrence)]

    # What the windows hold.

    def tokens(self) -> set[str]:
        return {swap.token for swap in self.counted.values()}

    def stats(self, token: str, now_ms: int) -> dict[str, Any]:
        """`price_usd` and `windows` as in the HTTP answer, for a token at an instant."""
        swaps = [swap for swap in self.counted.values() if swap.token == token]
        newest = self._newest_vwap(swaps, now_ms)
        windows = {name: self._window(swaps, name, now_ms, newest) for name in self.windows}
        return {"price_usd": _price(newest), "windows": windows}

    def _window(self, swaps: list[Counted], name: str, now_ms: int, newest: Fraction | None) -> dict[str, Any]:
        inside = self._inside(swaps, name, now_ms)
        buys, sells = ([swap for swap in inside if swap.side == side] for side in ("buy", "sell"))
        usd, amount = _total(inside, "usd"), _total(inside, "amount")
        return {
            "from_ms": self._from_ms(name, now_ms),
            "volume_usd": f"{usd:.6f}",
            "buy_volume_usd": f"{_total(buys, 'usd'):.6f}",
            "sell_volume_usd": f"{_total(sells, 'usd'):.6f}",
            "volume_token": f"{amount:.18f}",
            "trades": len(inside),
            "buys": len(buys),
            "sells": len(sells),
            "vwap_usd": _price(_vwap(inside)),
            "price_change_pct": _change(newest, self._oldest_vwap(inside, name)) if inside else None,
        }

    def _from_ms(self, name: str, now_ms: int) -> int:
        length, bucket = self.windows[name]
        return now_ms // bucket * bucket - length + bucket

    def _inside(self, swaps: list[Counted], name: str, now_ms: int) -> list[Counted]:
        """The newest bucket is counted whole."""
        bucket = self.windows[name][1]
        first, end = self._from_ms(name, now_ms), now_ms // bucket * bucket + bucket
        return [swap for swap in swaps if first <= swap.time_ms < end]

    def _newest_vwap(self, swaps: list[Counted], now_ms: int) -> Fraction | None:
        """Of the newest bucket with trades, of the finest width in whose windows there is one."""
        for name, (_, bucket) in sorted(self.windows.items(), key=lambda item: (item[1][1], -item[1][0])):
            inside = self._inside(swaps, name, now_ms)
            if inside:
                newest = max(swap.time_ms // bucket for swap in inside)
                return _vwap([swap for swap in inside if swap.time_ms // bucket == newest])
        return None

    def _oldest_vwap(self, inside: list[Counted], name: str) -> Fraction | None:
        bucket = self.windows[name][1]
        oldest = min(swap.time_ms // bucket for swap in inside)
        return _vwap([swap for swap in inside if swap.time_ms // bucket == oldest])

    # What a record says.

    def _parse(self, value: bytes | None, timestamp_ms: int) -> dict[str, Any]:
        event = _load(value, self.max_bytes)
        chain = _integer(event, "chain_id", 1, 2**63 - 1)
        tx_hash = _canonical(_text(event, "tx_hash", 128))
        log_index = _integer(event, "log_index", 0, 2**32 - 1)
        address, symbol = _token(event)
        others = {name: _optional_text(event, name, most) for name, most in OPTIONAL_TEXTS.items()}
        number = event.get("block_number")
        if number is not None:
            number = _integer(event, "block_number", 0, 2**63 - 1)
        if not isinstance(event.get("removed", False), bool) or event.get("side") not in ("buy", "sell"):
            raise Refused("bad_field" if "side" in event else "missing_field")
        identity = f"{chain}:{tx_hash}:{log_index}"
        time_ms = _time(event)
        usd, amount = _amount(event, "amount_usd", 6), _amount(event, "amount_token", 18)
        if others["event_id"] is not None and _canonical_id(others["event_id"]) != identity:
            raise Refused("event_id_mismatch")
        if time_ms > timestamp_ms + self.max_skew_ms:
            raise Refused("from_the_future")
        block = others["block_hash"]
        block = f"hash {_canonical(block)}" if block is not None else f"number {number}"
        swap = Counted(f"{chain}:{_canonical(address)}", symbol, event["side"], usd, amount, time_ms)
        return {"occurrence": (identity, block), "removed": event.get("removed", False), "swap": swap}


def _load(value: bytes | None, max_bytes: int) -> dict[str, Any]:
    if value is not None and len(value) > max_bytes:
        raise Refused("too_large")
    try:
        event = json.loads(value or b"", parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused("malformed_json") from error
    if not isinstance(event, dict):
        raise Refused("malformed_json")
    version = event.get("schema_version", 1)
    if isinstance(version, bool) or not isinstance(version, int):
        raise Refused("bad_field")
    if version != 1:
        raise Refused("unsupported_schema_version")
    for name in ("chain_id", "tx_hash", "log_index", "side", "amount_token", "amount_usd", "event_time"):
        if name not in event:
            raise Refused("missing_field")
    return event


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _integer(event: dict[str, Any], name: str, least: int, most: int) -> int:
    number = event[name]
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise Refused("bad_field")
    return number


def _text(event: dict[str, Any], name: str, most: int | None, least: int = 1) -> str:
    text = event[name]
    if not isinstance(text, str) or len(text) < least or (most is not None and len(text) > most):
        raise Refused("bad_field")
    return text


def _optional_text(event: dict[str, Any], name: str, most: int | None) -> str | None:
    least = 0 if name in ("event_id", "token_symbol") else 1
    return None if event.get(name) is None else _text(event, name, most, least)


def _token(event: dict[str, Any]) -> tuple[str, str | None]:
    """Address and symbol; `token` names the address where `token_address` does not."""
    symbol = event.get("token_symbol") or None
    if event.get("token_address") is not None:
        return _text(event, "token_address", 128), symbol
    if event.get("token") is None:
        raise Refused("missing_field")
    alias = _text(event, "token", 128)
    return alias, symbol or (alias if len(alias) <= 64 else None)


def _canonical(identifier: str) -> str:
    return identifier.lower() if re.fullmatch("0[xX][0-9a-fA-F]+", identifier) else identifier


def _canonical_id(event_id: str) -> str:
    chain, _, rest = event_id.partition(":")
    tx_hash, _, log_index = rest.rpartition(":")
    return f"{chain}:{_canonical(tx_hash)}:{log_index}"


def _time(event: dict[str, Any]) -> int:
    time = event["event_time"]
    if isinstance(time, int) and not isinstance(time, bool):
        if 0 <= time <= 253_402_300_799_999:
            return time
        raise Refused("bad_field")
    pattern = r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)"
    match = re.fullmatch(pattern, time) if isinstance(time, str) else None
    if not match:
        raise Refused("bad_field")
    day, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    except ValueError as error:
        raise Refused("bad_field") from error
    milliseconds = int(moment.timestamp()) * 1000 + int(((fraction or "") + "000")[:3])
    if milliseconds < 0:
        raise Refused("bad_field")
    return milliseconds


def _amount(event: dict[str, Any], name: str, digits: int) -> Decimal:
    value = event[name]
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise Refused("bad_field")
    if isinstance(value, str) and not re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value):
        raise Refused("bad_field")
    number = WIDE.create_decimal(value)
    if number < 0 or (number and number.adjusted() >= 48):
        raise Refused("bad_field")
    return number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN, WIDE)


# What follows from sums.


def _total(swaps: list[Counted], name: str) -> Decimal:
    with localcontext(WIDE):
        return sum((getattr(swap, name) for swap in swaps), Decimal(0))


def _vwap(swaps: list[Counted]) -> Fraction | None:
    amount = _total(swaps, "amount")
    return Fraction(_total(swaps, "usd")) / Fraction(amount) if amount else None


def _price(price: Fraction | None) -> str | None:
    """Six decimals, or as many as six significant digits of a small price need."""
    if price is None:
        return None
    places = 6
    while price and price * 10**places < 10**5:
        places += 1
    return _rounded(price, places)


def _change(newest: Fraction | None, oldest: Fraction | None) -> str | None:
    return _rounded((newest - oldest) / oldest * 100, 2) if newest is not None and oldest else None


def _rounded(value: Fraction, places: int) -> str:
    return f"{Decimal(round(value * 10**places)).scaleb(-places, WIDE):.{places}f}"
