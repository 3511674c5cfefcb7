"""What is made of measured figures: ratios, tables, a picture; and where the README shows them."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from bench.plot import Bar, Panel, panels_of, picture
from bench.report import BEGIN, END, markdown, placed, summary
from bench.targets import list_held
from bench.turns import Spread


def turns(*rates: float, **others: float) -> list[dict[str, float]]:
    return [{"per_second": rate, "median_ms": 2, "p99_ms": 8, "answer_bytes": 900, **others} for rate in rates]


FIGURES: dict[str, Any] = {
    "machine": {"processors": "2 x Z80", "system": "CP/M", "python": "3.11", "packages": {"fastapi": "1"}},
    "events": 20_000,
    "postgresql": "18.6",
    "rounds": 2,
    "seconds": 1.0,
    "rates": {
        "page of 50, anywhere": {
            "dateline": turns(60, 80, server_cpu_ms=3, database_cpu_ms=1, peak_bytes=140e6),
            "idiomatic": turns(10, 10, server_cpu_ms=30, database_cpu_ms=10),
            "pgbench": turns(100, 100, database_cpu_ms=2),
            "pgbench, building": turns(50, 50),
        },
        "page of 50, anywhere, 16 clients": {"dateline": turns(70, 70)},
    },
    "known_at": {
        "a day": {"present": turns(100, 100), "known_at": turns(50, 50)},
        "a month": {"present": turns(90, 90), "known_at": turns(30, 30)},
    },
    "exports": {"export of all events": {"dateline": turns(300, peak_bytes=145e6), "COPY": turns(400)}},
    "left_out": ["page of 50, anywhere, zstd: the answer comes uncompressed"],
    "dates": {
        "plain_date_microseconds": 2.5, "examples": 60, "skipped": [], "examples_microseconds": 500.0,
        "edtf_microseconds": 5e5, "times_as_fast_as_edtf": 1000.0, "slowest_microseconds": 700.0, "slowest_text": "?",
    },
}  # fmt: skip


def test_a_target_is_a_ratio_within_each_round() -> None:
    held = {one.title: one for one in list_held(FIGURES)}
    page = held["page of 50, anywhere, of pgbench with stored documents"]
    assert page.ratio == pytest.approx((0.7, 0.6, 0.8))
    assert (page.wish, page.is_met, page.by_processor) == ("at least 0.65", True, 0.5)
    assert held["page of 50, anywhere, of the idiomatic way"].by_processor == 10
    # not metered: nothing is said of it
    assert held["page of 50, anywhere, of pgbench that builds it"].by_processor is None
    late = held["page of 50, anywhere, 16 clients: p99 of the median"]
    assert (late.ratio.median, late.wish, late.is_met) == (4, "at most 5", True)
    assert late.margin.median == 1.25


def test_of_what_was_known_the_dearest_counts() -> None:
    *_, known = list_held(FIGURES)
    assert known.title.endswith("a month")
    assert (known.ratio.median, known.is_met) == (3, False)


def test_what_was_not_measured_is_not_in_the_tables() -> None:
    assert not [one for one in list_held(FIGURES) if "constant" in one.title]


def test_the_tables_tell_all_that_was_measured() -> None:
    text = markdown(FIGURES)
    assert (
        "| page of 50, anywhere | dateline | 70 (60 to 80) | 3.00 | 1.00 | 900 | 2.0 | 8.0 | 140 |" in text.splitlines()
    )
    assert "| page of 50, anywhere | pgbench | 100 (100 to 100) |  | 2.00 | 900 | 2.0 | 8.0 |  |" in text.splitlines()
    assert "| a month | 90 (90 to 90) | 30 (30 to 30) | 3.00 (3.00 to 3.00) |" in text.splitlines()
    assert "at least 0.65 | met | 0.50 |" in text
    assert "Left out: page of 50, anywhere, zstd: the answer comes uncompressed." in text.splitlines()
    widths = [{line.count("|") for line in block.splitlines() if line.startswith("|")} for block in text.split("\n\n")]
    assert [width for width in widths if len(width) > 1] == []


def test_the_readme_shows_the_figures_between_its_comments() -> None:
    shown = placed(f"before\n{BEGIN}\nold\n{END}\nafter\n", summary(FIGURES))
    assert shown.startswith(f"before\n{BEGIN}\n| ratio | measured |")
    assert shown.endswith(f"{END}\nafter\n")
    assert "old" not in shown
    assert placed(shown, summary(FIGURES)) == shown
    with pytest.raises(ValueError, match="there is no"):
        placed("nothing of the kind", "figures")


def test_the_picture_is_the_same_for_the_same_figures_and_marks_what_is_missed() -> None:
    drawn = picture(panels_of(FIGURES))
    assert drawn == picture(panels_of(FIGURES))
    root = fromstring(drawn)  # noqa: S314  # our own
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "3.00, at most 2.5" in texts
    assert "page of 50, anywhere: pgbench, building" in texts
    colours = [one.get("fill") for one in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert colours.count("#cc6677") == sum(not one.is_met for one in list_held(FIGURES))


def test_the_picture_takes_any_names() -> None:
    drawn = picture([Panel("<&>", [Bar('"x" < y', Spread(5, 5, 5), "")]), Panel("empty", [])])
    assert fromstring(drawn) is not None  # noqa: S314  # our own
