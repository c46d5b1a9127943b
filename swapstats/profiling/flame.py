"""A profile as a flame graph (Gregg, 2011): a picture without scripts that any browser shows."""

from collections.abc import Iterator
from html import escape
from zlib import crc32

from swapstats.profiling.samples import Profile

WIDTH, ROW, LETTER = 1_200.0, 17, 6.6
NARROWEST = 0.3
"""Narrower boxes are left out, in pixels."""

_STYLE = "text{font:11px monospace;pointer-events:none}rect{stroke:#fff;stroke-width:.4}"


class _Node:
    def __init__(self, name: str, place: str) -> None:
        self.name = name
        self.place = place
        self.value = 0
        self.children: dict[str, _Node] = {}

    def add(self, names: list[tuple[str, str]], value: int) -> None:
        self.value += value
        node = self
        for name, place in names:
            node = node.children.setdefault(name, _Node(name, place))
            node.value += value

    def depth(self) -> int:
        return 1 + max((child.depth() for child in self.children.values()), default=0)


def svg(profile: Profile) -> str:
    """The last measure of the profile, widest calls widest, callers below what they call."""
    root = _Node("all", "")
    for stack, values in profile.values.items():
        root.add([(frame.function, f"{frame.file}:{frame.line}") for frame in stack], values[-1])
    height = (root.depth() + 1) * ROW
    unit = profile.measures[-1].unit
    boxes = "".join(_boxes(root, 0.0, height - ROW, WIDTH / max(root.value, 1), root.value, unit))
    size = f'width="{WIDTH:.0f}" height="{height}" viewBox="0 0 {WIDTH:.0f} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{_STYLE}</style>{boxes}</svg>\n'


def _boxes(node: _Node, x: float, y: float, scale: float, total: int, unit: str) -> Iterator[str]:
    width = node.value * scale
    if width < NARROWEST:
        return
    yield _box(node, x, y, width, f"{100 * node.value / max(total, 1):.1f} %, {node.value} {unit}")
    for child in sorted(node.children.values(), key=lambda child: child.name):
        yield from _boxes(child, x, y - ROW, scale, total, unit)
        x += child.value * scale


def _box(node: _Node, x: float, y: float, width: float, share: str) -> str:
    colour = f"hsl({crc32(node.name.encode()) % 50},80%,65%)"
    title = escape(f"{node.name} ({share}) {node.place}")
    letters = int(width / LETTER)
    label = (
        escape(node.name if len(node.name) <= letters else node.name[: max(letters - 1, 0)] + "…")
        if letters > 2
        else ""
    )
    place = f'x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}"'
    rect = f'<rect {place} fill="{colour}"><title>{title}</title></rect>'
    return f'{rect}<text x="{x + 3:.1f}" y="{y + 12}">{label}</text>'
