from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

import pytest

from dagster_defs.plots import MOST, MOST_OF_SEVERAL, Line, plot, rate_plot

SVG = "{http://www.w3.org/2000/svg}"


def drawn(markdown: str) -> ElementTree.Element:
    found = re.fullmatch(r"!\[.*\]\(data:image/svg\+xml;base64,(.*)\)", markdown)
    assert found
    return ElementTree.fromstring(base64.b64decode(found[1]))  # noqa: S314 - we made it


def points(picture: ElementTree.Element) -> list[tuple[int, int]]:
    (line,) = (path for path in picture.iter(f"{SVG}path") if path.attrib["stroke"] != "silver")
    numbers = [int(number) for number in line.attrib["d"].removeprefix("M").split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


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
    assert len(points(drawn(plotted))) == MOST - 1


def test_plots_are_short_enough_to_be_shown_in_place() -> None:
    rate = rate_plot([(1000.0 * number, number**4) for number in range(5_000)])
    assert rate
    scores = [(86400.0 * day, day / 20) for day in range(MOST_OF_SEVERAL)]
    lines = [Line(tier, scores) for tier in ("good", "better", "best")]
    ends = "2026-01-01 to 2026-12-31"
    coverage = plot("coverage over time", lines, top=1.0, top_label="100 %", ends=ends)
    assert max(len(rate), len(coverage)) < 1_000


def test_names_of_lines_that_end_together_are_one_below_the_other() -> None:
    lines = [Line(name, [(0, 0), (1, 0.7)]) for name in ("better", "best")]
    picture = drawn(plot("t", lines, top=1, top_label="", ends=""))
    first, second = (text for text in picture.iter(f"{SVG}text") if text.text)
    assert int(second.attrib["y"]) - int(first.attrib["y"]) == 12


def test_words_in_a_plot_are_no_markup() -> None:
    line = Line("a<b", [(0, 0), (1, 1)])
    picture = drawn(plot("t", [line], top=1, top_label="x & y", ends="e"))
    assert [text.text for text in picture.iter(f"{SVG}text")] == ["x & y", "e", "a<b"]
