"""Small pictures of figures, as SVG: panels of lines beside each other, each with axes of its own."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import ceil, log

WIDTH, HEIGHT = 300, 230
LEFT, RIGHT, TOP, BOTTOM = 44, 76, 34, 40
COLOURS = ("#0f766e", "#1d4ed8", "#6d28d9", "#b45309")


@dataclass(slots=True, frozen=True)
class Panel:
    """Lines over the same points; `lines` holds a value of each name at each of `points`. The axis upwards begins at 0,
    the one across too, unless it is logarithmic."""

    title: str
    across: str
    points: list[float]
    lines: dict[str, list[float]]
    logarithmic: bool = False


def svg(panels: list[Panel], label: str) -> str:
    """The picture; `label` is what it says to those who do not see it."""
    inner = "".join(
        f'<g transform="translate({at * WIDTH} 0)">{_panel(one)}</g>' for at, one in enumerate(panels)
    )
    size = f'width="{WIDTH * len(panels)}" height="{HEIGHT}" viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(label)}" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="#334155">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{inner}</svg>\n'
    )


def _panel(panel: Panel) -> str:
    largest = max(value for line in panel.lines.values() for value in line)
    step = next(
        unit * 10**power for power in range(9) for unit in (1, 2, 5) if largest <= 4 * unit * 10**power
    )
    most = step * ceil(largest / step)
    parts = [_text(LEFT, 18, panel.title, "start", "600")]
    for tick in range(0, most + 1, step):
        parts += [
            f'<path d="M{LEFT} {_y(tick, most):.1f}H{WIDTH - RIGHT}" stroke="#e2e8f0"/>',
            _text(LEFT - 6, _y(tick, most) + 4, f"{tick:,}", "end"),
        ]
    places = [_x(panel, point) for point in panel.points]
    parts += [
        _text(at, HEIGHT - BOTTOM + 16, f"{point:,.0f}", "middle")
        for at, point in zip(places, panel.points, strict=True)
    ]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, panel.across, "middle"))
    ends = _apart({name: _y(line[-1], most) for name, line in panel.lines.items()})
    for colour, (name, line) in zip(COLOURS, panel.lines.items(), strict=False):
        dots = [(at, _y(value, most)) for at, value in zip(places, line, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in dots]
        parts.append(_text(WIDTH - RIGHT + 8, ends[name] + 4, name, "start", colour=colour))
    return "".join(parts)


def _x(panel: Panel, point: float) -> float:
    first, last = min(panel.points), max(panel.points)
    share = log(point / first) / log(last / first) if panel.logarithmic else point / last
    return LEFT + (WIDTH - LEFT - RIGHT) * share


def _y(value: float, most: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / most


def _apart(wanted: dict[str, float], least: float = 13.0) -> dict[str, float]:
    """Heights of labels, moved down where they would lie on one another."""
    found: dict[str, float] = {}
    for name, height in sorted(wanted.items(), key=lambda one: one[1]):
        found[name] = max(height, max(found.values(), default=-least) + least)
    return found


def _text(x: float, y: float, text: str, anchor: str, weight: str = "400", colour: str = "inherit") -> str:
    fill = "" if colour == "inherit" else f' fill="{colour}"'
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
    return f"<text {place}{fill}>{escape(text)}</text>"
