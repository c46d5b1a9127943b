"""A profile as gathered: how often each stack was seen, and what each is worth."""

from typing import NamedTuple


class Frame(NamedTuple):
    function: str
    file: str
    line: int


Stack = tuple[Frame, ...]
"""From the outermost call to the innermost; the first frame names the thread."""


class Measure(NamedTuple):
    """One of the values of each sample, such as cpu in nanoseconds."""

    name: str
    unit: str


class Profile(NamedTuple):
    """`values` holds, for each stack, one number per measure; the last measure is what a flame graph shows."""

    measures: tuple[Measure, ...]
    values: dict[Stack, tuple[int, ...]]
    began_ns: int
    duration_ns: int
    period_ns: int
