"""How soon each gate has taken a broken build back, as a picture."""

from collections.abc import Mapping
from xml.sax.saxutils import escape

from benchmarks.gate.proof import Aborts

_WIDTH, _HEIGHT, _LEFT, _TOP = 560, 260, 50, 40
_COLOURS = ("#0f766e", "#b45309", "#64748b", "#7c3aed")
_STEPS = 100


def draw(curves: Mapping[str, Aborts], target: int) -> str:
    """The part of rollouts taken back, by the candidate's units, up to twice the target."""
    size = f'width="{_WIDTH + 90}" height="{_HEIGHT + 90}"'
    title = "Ten times the errors, a tenth of the units: the part taken back, by the candidate's units"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="8" y="16">{title}</text>',
    ]
    for part in (0.0, 0.5, 0.95, 1.0):
        y = _y(part)
        parts.append(f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e2e8f0"/>')
        parts.append(f'<text x="8" y="{y + 4:.1f}">{part:.0%}</text>')
    for units in (0, target // 2, target, 2 * target):
        x = _x(units, target)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_TOP + _HEIGHT}" stroke="#e2e8f0"/>')
        parts.append(f'<text x="{x - 12:.1f}" y="{_TOP + _HEIGHT + 16}">{units:,}</text>')
    for place, (name, aborts) in enumerate(curves.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        steps = (2 * target * step / _STEPS for step in range(_STEPS + 1))
        points = " ".join(f"{_x(units, target):.1f},{_y(aborts.within(units)):.1f}" for units in steps)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x = _LEFT + place * 180
        parts.append(f'<text x="{x}" y="{_TOP + _HEIGHT + 38}" fill="{colour}">{escape(name)}</text>')
    return "".join(parts) + "</svg>\n"


def _x(units: float, target: int) -> float:
    return _LEFT + _WIDTH * units / (2 * target)


def _y(part: float) -> float:
    return _TOP + _HEIGHT * (1 - part)
