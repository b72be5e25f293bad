"""Line plots as Markdown, for what says more than a number: pictures in the text itself."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

ACROSS, UP = 400, 90
TOP, BOTTOM, RIGHT = 20, 20, 60
"""Room for words around the plot, in pixels."""

COLOURS = ("#54d", "#2a7", "#e75")
"""Read well on white and on black, as gray does."""

FEWEST, MOST = 8, 36
"""Over fewer samples a rate says no more than a number. The UI shows Markdown of less than 1,000
characters in place, longer ones after a click: that is as many points as fit."""
MOST_OF_SEVERAL = 10

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

    def place(x: float, y: float) -> tuple[int, int]:
        across = ACROSS * (x - left) / (right - left)
        return round(across), TOP + round(UP * (1 - y / top))

    paths, ends_at = [], []
    for line, colour in zip(lines, COLOURS, strict=False):
        at = [place(x, y) for x, y in line.points]
        steps = "".join(f" {x} {y}" for x, y in at)
        paths.append(f'<path stroke="{colour}" d="M{steps}"/>')
        ends_at.append((at[-1][1], line.name, colour))
    rules = f'<path stroke="silver" d="M0 {TOP}h{ACROSS}M0 {TOP + UP}h{ACROSS}"/>'
    drawn = [f'<g fill="none" stroke-width="2">{rules}{"".join(paths)}</g>']
    drawn += [_text(0, TOP - 7, top_label), _text(0, TOP + UP + 15, ends), *_names(ends_at)]
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{ACROSS + RIGHT}" '
        f'height="{TOP + UP + BOTTOM}" font-size="11" font-family="sans-serif" fill="gray">'
        f"{''.join(drawn)}</svg>"
    )
    encoded = base64.b64encode(picture.encode()).decode()
    return f"![{title}](data:image/svg+xml;base64,{encoded})"


def _names(ends: Sequence[tuple[int, str, str]]) -> Iterator[str]:
    """The names of lines where they end, one below the other."""
    above = -TOP
    for height, name, colour in sorted(ends):
        above = max(height + 4, above + 12)
        if name:
            yield _text(ACROSS + 5, above, name, colour)


def thinned(points: Points, most: int) -> Points:
    """At most so many points, the first and the last among them, evenly chosen."""
    parts = min(len(points), most) - 1
    if parts < 1:
        return points
    return [points[round(index * (len(points) - 1) / parts)] for index in range(parts + 1)]


def rate_plot(pace: Sequence[tuple[float, int]]) -> str | None:
    """Rows a second over a run, of samples (seconds since it began to send, rows settled).

    None where the run was too short to say more than its mean.
    """
    points = [
        (later, (more - rows) / (later - before))
        for (before, rows), (later, more) in pairwise(thinned(pace, MOST))
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


def _text(x: int, y: int, text: str, colour: str = "") -> str:
    fill = f' fill="{colour}"' if colour else ""
    return f'<text x="{x}" y="{y}"{fill}>{escape(text)}</text>'
