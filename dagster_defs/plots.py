"""Line plots as Markdown, for what says more than a number: pictures in the text itself."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 560, 150
LEFT, TOP, BOTTOM, RIGHT = 8, 22, 22, 80
INK, GRID = "#808080", "#80808055"
"""Read well on white and on black."""
COLOURS = ("#4f43dd", "#22a06b", "#e2725b")

FEWEST, MOST = 8, 120
"""Over fewer samples a rate says no more than a number; more of them cannot be told apart."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """One line of a plot, its points from left to right."""

    name: str
    points: Points


def plot(title: str, lines: Sequence[Line], *, top: float, top_label: str, ends: str) -> str:
    """Lines over a common scale from nothing to `top`, as Markdown. `ends` is under the plot."""
    left = min(x for line in lines for x, _ in line.points)
    right = max(x for line in lines for x, _ in line.points)
    across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + across * (x - left) / (right - left), TOP + up * (1 - y / top)

    drawn: list[str] = [_rule(TOP), _rule(HEIGHT - BOTTOM), _text(LEFT, TOP - 8, top_label)]
    drawn.append(_text(LEFT, HEIGHT - 6, ends))
    for line, colour in zip(lines, COLOURS, strict=False):
        at = [place(x, y) for x, y in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn.append(_text(WIDTH - RIGHT + 6, at[-1][1] + 4, line.name, colour))
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="11">{"".join(drawn)}</svg>'
    )
    encoded = base64.b64encode(picture.encode()).decode()
    return f"![{title}](data:image/svg+xml;base64,{encoded})"


def rate_plot(pace: Sequence[tuple[float, int]]) -> str | None:
    """Rows a second over a run, of samples (seconds since it began to send, rows settled).

    None where the run was too short to say more than its mean.
    """
    parts = min(len(pace) - 1, MOST)
    if parts < FEWEST:
        return None
    kept = [pace[round(index * (len(pace) - 1) / parts)] for index in range(parts + 1)]
    points = [
        (later, (more - rows) / (later - before))
        for (before, rows), (later, more) in pairwise(kept)
        if later > before
    ]
    most = max((rate for _, rate in points), default=0.0)
    if len(points) < FEWEST or most <= 0:
        return None
    return plot(
        "rows a second over the run",
        [Line("", points)],
        top=most,
        top_label=f"{most:,.0f} rows a second",
        ends=f"{points[0][0]:.0f} to {points[-1][0]:.0f} s",
    )


def _rule(y: float) -> str:
    return f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="{GRID}"/>'


def _text(x: float, y: float, text: str, colour: str = INK) -> str:
    return f'<text x="{x}" y="{y:.0f}" fill="{colour}">{escape(text)}</text>'
