"""Bars with their spread, as a picture (SVG) that is the same for the same figures.

Lengths are logarithmic, since what is compared differs by orders of magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from bench.targets import list_held
from bench.turns import Spread, figures_of

_WIDTH, _ROW, _LABEL, _NOTE = 1000, 22, 420, 220
_BAR = _WIDTH - _LABEL - _NOTE
_BLUE, _RED, _GREY = "#4477aa", "#cc6677", "#888888"


class Bar(NamedTuple):
    """A bar: its name, how long it is, and what stands behind it; one that is not good enough has another colour."""

    label: str
    spread: Spread
    note: str
    is_good: bool = True


class Panel(NamedTuple):
    """Bars of one measure, with a line where it is `mark`."""

    title: str
    bars: Sequence[Bar]
    mark: float | None = None


def panels_of(figures: Mapping[str, Any]) -> list[Panel]:
    """Show the targets, each as times its bound, and the answers a second."""
    targets = [
        Bar(held.title, held.margin, f"{held.ratio.median:.2f}, {held.wish}", held.is_met)
        for held in list_held(figures)
    ]
    rates = []
    for task, contestants in figures["rates"].items():
        for contestant, turns in contestants.items():
            spread = Spread.of(figures_of(turns, "per_second"))
            rates.append(Bar(f"{task}: {contestant}", spread, f"{spread.median:,.0f}"))
    return [
        Panel("Times as good as wanted (logarithmic)", targets, mark=1),
        Panel("Answers a second (logarithmic)", rates),
    ]


def picture(panels: Sequence[Panel]) -> str:
    """Draw panels, one below the other."""
    height = sum((len(panel.bars) + 2) * _ROW for panel in panels if panel.bars)
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {_WIDTH} {height}", "width": f"{_WIDTH}",
            "height": f"{height}", "font-family": "sans-serif", "font-size": "13",
        },
    )  # fmt: skip
    SubElement(root, "rect", {"width": f"{_WIDTH}", "height": f"{height}", "fill": "white"})
    top = 0
    for panel in panels:
        if panel.bars:
            _draw(root, panel, top)
            top += (len(panel.bars) + 2) * _ROW
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _draw(root: Element, panel: Panel, top: int) -> None:
    _write(root, 8, top + _ROW, panel.title, {"font-weight": "bold"})
    ends = [number for bar in panel.bars for number in (bar.spread.least, bar.spread.most)]
    ends += [] if panel.mark is None else [panel.mark]
    # from a power of ten to another, so that runs look alike
    low, high = math.floor(math.log10(min(ends))), math.ceil(math.log10(max(ends)))

    def place(number: float) -> float:
        return _LABEL + _BAR * (math.log10(number) - low) / max(1, high - low)

    for row, bar in enumerate(panel.bars):
        middle = top + (row + 1.75) * _ROW
        _write(root, _LABEL - 8, middle + 4, bar.label, {"text-anchor": "end"})
        length = place(bar.spread.median) - _LABEL
        colour = _BLUE if bar.is_good else _RED
        _shape(root, "rect", {"x": _LABEL, "y": middle - 7, "width": length, "height": 14}, {"fill": colour})
        span = {"x1": place(bar.spread.least), "x2": place(bar.spread.most), "y1": middle, "y2": middle}
        _shape(root, "line", span, {"stroke": "black", "stroke-width": "2"})
        _write(root, _LABEL + _BAR + 12, middle + 4, bar.note, {})
    if panel.mark is not None:
        at, bottom = place(panel.mark), top + (len(panel.bars) + 1.4) * _ROW
        line = {"x1": at, "x2": at, "y1": top + 1.2 * _ROW, "y2": bottom}
        _shape(root, "line", line, {"stroke": _GREY, "stroke-dasharray": "4 3"})


def _write(root: Element, x: float, y: float, text: str, style: Mapping[str, str]) -> None:
    SubElement(root, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", **style}).text = text


def _shape(root: Element, kind: str, measures: Mapping[str, float], style: Mapping[str, str]) -> None:
    SubElement(root, kind, {name: f"{number:.1f}" for name, number in measures.items()} | dict(style))
