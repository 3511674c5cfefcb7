"""Where a report takes its place among the states of an event: laws over any sequence of reports."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from service.dates import DISTANT_FUTURE
from service.store.placement import Counting, Recorded, Span, spans

REPORTS = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=12)


def recorded(reports: list[tuple[int, bool]]) -> list[Recorded]:
    """Number reports in the order in which they are recorded."""
    return [Recorded(version, start, supersedes) for version, (start, supersedes) in enumerate(reports, 1)]


def known_at(found: dict[int, Span], instant: int) -> int | None:
    """Find the state known at an instant; fails where there are two."""
    known = [span.version for span in found.values() if span.start <= instant < span.end]
    assert len(known) <= 1
    return known[0] if known else None


def believed(reports: list[tuple[int, bool]], instant: int) -> int | None:
    """Say by the words of the rule which report counts at an instant: no closed form, one report after the other."""
    timeline: dict[int, int] = {}
    for version, (start, supersedes) in enumerate(reports, 1):
        if supersedes:
            timeline = {at: other for at, other in timeline.items() if at < start}
        timeline[start] = version
    starts = [start for start in timeline if start <= instant]
    return timeline[max(starts)] if starts else None


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(REPORTS, st.integers(-1, 14))
def test_a_report_counts_from_its_instant_until_the_next(reports: list[tuple[int, bool]], instant: int) -> None:
    assert known_at(spans(recorded(reports)), instant) == believed(reports, instant)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(REPORTS)
def test_states_that_count_follow_each_other_without_a_gap(reports: list[tuple[int, bool]]) -> None:
    counting = sorted(span for span in _nonempty(reports).values())
    ends = [end for _, end in counting]
    assert [start for start, _ in counting[1:]] == ends[:-1]
    assert ends[-1] == DISTANT_FUTURE


def _nonempty(reports: list[tuple[int, bool]]) -> dict[int, tuple[int, int]]:
    found = spans(recorded(reports)).values()
    return {span.version: (span.start, span.end) for span in found if span.start < span.end}


@settings(max_examples=500, deadline=None, derandomize=True)
@given(REPORTS, st.integers(0, 12))
def test_a_late_report_leaves_the_present_as_it_is(reports: list[tuple[int, bool]], late: int) -> None:
    before = spans(recorded(reports))
    present = known_at(before, 100)
    assert present is not None
    after = spans(recorded([*reports, (late, False)]))
    if late < before[present].start:
        assert known_at(after, 100) == present
        assert after[present] == before[present]
    else:
        assert known_at(after, 100) == len(reports) + 1


def test_a_report_older_than_all_extends_the_history_to_the_left() -> None:
    placement = Counting([10], [1]).place(5, supersedes=False)
    assert (placement.end, placement.before, placement.changed) == (10, None, ())
    assert not placement.is_present


def test_a_report_that_supersedes_ends_all_that_was_reported_since() -> None:
    placement = Counting([10, 20, 30], [1, 2, 3]).place(15, supersedes=True)
    assert placement.is_present
    assert placement.before == 1
    assert placement.changed == (Span(1, 10, 15), Span(2, 20, 20), Span(3, 30, 30))


def test_a_report_of_the_same_instant_takes_the_place_of_the_other() -> None:
    placement = Counting([10, 20], [1, 2]).place(10, supersedes=False)
    assert (placement.end, placement.changed) == (20, (Span(1, 10, 10),))
