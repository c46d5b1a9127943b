"""Profiles in the format of pprof (github.com/google/pprof, proto/profile.proto), for `go tool pprof` and its kin.

The message is small and never changes its numbers, so it is written here rather than by a protobuf compiler.
"""

import gzip
from collections.abc import Iterable

from swapstats.profiling.samples import Frame, Measure, Profile

_VARINT, _BYTES = 0, 2


class _Strings:
    """The table that all texts are referred to by; its first is empty."""

    def __init__(self) -> None:
        self._numbers = {"": 0}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def encoded(self) -> bytes:
        return b"".join(_text(6, text) for text in self._numbers)


def encode(profile: Profile) -> bytes:
    """The profile as a compressed message."""
    strings = _Strings()
    locations = _number_locations(profile)
    body = [
        *(_bytes(1, _value_type(measure, strings)) for measure in profile.measures),
        *_samples(profile, locations),
        *(_bytes(4, _location(number, frame)) for frame, number in locations.items()),
        *(_bytes(5, _function(number, frame, strings)) for frame, number in locations.items()),
        _number(9, profile.began_ns),
        _number(10, profile.duration_ns),
        _bytes(11, _value_type(profile.measures[-1], strings)),
        _number(12, profile.period_ns),
    ]
    return gzip.compress(b"".join(body) + strings.encoded())


def _number_locations(profile: Profile) -> dict[Frame, int]:
    frames = {frame for stack in profile.values for frame in stack}
    return {frame: number for number, frame in enumerate(sorted(frames), start=1)}


def _samples(profile: Profile, locations: dict[Frame, int]) -> Iterable[bytes]:
    for stack, values in profile.values.items():
        path = b"".join(_varint(locations[frame]) for frame in reversed(stack))
        yield _bytes(2, _bytes(1, path) + _bytes(2, b"".join(map(_varint, values))))


def _value_type(measure: Measure, strings: _Strings) -> bytes:
    return _number(1, strings.number(measure.name)) + _number(2, strings.number(measure.unit))


def _location(number: int, frame: Frame) -> bytes:
    return _number(1, number) + _bytes(4, _number(1, number) + _number(2, frame.line))


def _function(number: int, frame: Frame, strings: _Strings) -> bytes:
    name = strings.number(frame.function or f"{frame.file}:{frame.line}")
    return _number(1, number) + _number(2, name) + _number(3, name) + _number(4, strings.number(frame.file))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first (protobuf.dev/programming-guides/encoding)."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
