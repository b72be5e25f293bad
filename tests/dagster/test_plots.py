from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

import pytest

from dagster_defs.plots import Line, plot, rate_plot

SVG = "{http://www.w3.org/2000/svg}"


def drawn(markdown: str) -> ElementTree.Element:
    found = re.fullmatch(r"!\[.*\]\(data:image/svg\+xml;base64,(.*)\)", markdown)
    assert found
    return ElementTree.fromstring(base64.b64decode(found[1]))  # noqa: S314 - we made it


def points(picture: ElementTree.Element) -> list[tuple[float, float]]:
    (line,) = picture.iter(f"{SVG}polyline")
    pairs = [point.split(",") for point in line.attrib["points"].split()]
    return [(float(x), float(y)) for x, y in pairs]


def test_a_steady_run_is_a_level_line_and_a_slow_end_goes_down() -> None:
    pace = [(float(second), 100 * min(second, 10)) for second in range(21)]
    plotted = rate_plot(pace)
    assert plotted
    picture = drawn(plotted)
    heights = [y for _, y in points(picture)]
    assert heights[:9] == [heights[0]] * 9
    assert heights[-1] > heights[0]
    assert "100 rows a second" in [text.text for text in picture.iter(f"{SVG}text")]


@pytest.mark.parametrize("pace", [[], [(0.0, 0)], [(0.1 * i, i) for i in range(8)],
                                  [(float(i), 0) for i in range(20)]])  # fmt: skip
def test_a_run_that_was_short_or_sent_nothing_has_no_plot(pace: list[tuple[float, int]]) -> None:
    assert rate_plot(pace) is None


def test_a_long_run_is_thinned_out() -> None:
    plotted = rate_plot([(float(second), 5 * second) for second in range(5_000)])
    assert plotted
    assert len(points(drawn(plotted))) == 120


def test_words_in_a_plot_are_no_markup() -> None:
    line = Line("a<b", [(0, 0), (1, 1)])
    picture = drawn(plot("t", [line], top=1, top_label="x & y", ends="e"))
    assert [text.text for text in picture.iter(f"{SVG}text")] == ["x & y", "e", "a<b"]
