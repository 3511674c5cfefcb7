"""Plans: how far they slipped, and how they ended."""

from __future__ import annotations

from tests.client import Client
from tests.factories import amend, make_event, make_timeline, path_of

FIRST, SECOND, THIRD, FOURTH = (f"2013-02-{day:02}T00:00:00Z" for day in (1, 5, 10, 20))


def test_plans_tell_how_far_they_slipped_and_how_they_ended(api: Client) -> None:
    events = make_timeline(api)
    timeline = events.removesuffix("/events")
    late = make_event(api, events, title="late", when="2013-02-10", reported_at=FIRST)
    amend(api, late, when="2013-02-20", reported_at=SECOND)
    amend(api, late, when="2013-03", reported_at=THIRD)
    make_event(api, events, title="far", when="2999")
    ended = make_event(api, events, title="ended", when="2013-02-10", reported_at=FIRST)
    amend(api, ended, status="occurred", reported_at=FOURTH)
    make_event(api, events, title="never planned", status="occurred", reported_at=FIRST)
    plan = api.walk(f"{timeline}/plans", state="open", limit=1)[0]
    assert (plan["title"], plan["first"], plan["when"], plan["moves"], plan["overdue"]) == (
        "late",
        "2013-02-10",
        "2013-03",
        2,
        True,
    )
    assert plan["slippage"] == {"earliest_days": 19.0, "latest_days": 49.0}
    titles = {
        state: [one["title"] for one in api.walk(f"{timeline}/plans", state=state, limit=1)]
        for state in ("open", "overdue", "ended")
    }
    assert titles == {"open": ["late", "far"], "overdue": ["late"], "ended": ["ended"]}
    assert api.read(f"{timeline}/plans")["outcomes"] == {
        "planned": 2,
        "tentative": 0,
        "overdue": 1,
        "occurred": 1,
        "postponed": 0,
        "cancelled": 0,
    }


def test_a_plan_goes_by_the_states_that_count(api: Client) -> None:
    """A date that was reported late counts at its place; one that was superseded does not."""
    events = make_timeline(api)
    event = make_event(api, events, when="2013-03?", reported_at=SECOND)
    amend(api, event, when="2013-04", reported_at=FOURTH)
    plans = events.removesuffix("/events") + "/plans"

    def plan() -> tuple[str, str, int, float]:
        (found,) = api.read(plans)["items"]
        return found["first"], found["when"], found["moves"], found["slippage"]["earliest_days"]

    assert plan() == ("2013-03?", "2013-04", 1, 31.0)
    amend(api, event, when="2013-01", reported_at=FIRST)
    assert plan() == ("2013-01", "2013-04", 2, 90.0)
    # the same month, written otherwise, is no move
    amend(api, event, when="?2013-?03?", reported_at=THIRD)
    assert plan() == ("2013-01", "2013-04", 2, 90.0)
    amend(api, event, when="2013-05", reported_at=SECOND, supersede=True)
    assert plan() == ("2013-01", "2013-05", 1, 120.0)


def test_an_event_is_a_plan_that_ended_if_a_report_ever_said_so_that_counts(api: Client) -> None:
    events = make_timeline(api)
    plans = events.removesuffix("/events") + "/plans"
    event = make_event(api, events, title="talks", status="occurred", reported_at=SECOND)
    assert api.walk(plans, state="ended") == []
    amend(api, event, status="planned", reported_at=FIRST)
    assert [one["title"] for one in api.walk(plans, state="ended")] == ["talks"]
    amend(api, event, status="occurred", reported_at=FIRST, reason="it never was planned")
    assert api.walk(plans, state="ended") == []
    amend(api, event, status="tentative", reported_at=FIRST)
    assert api.read(plans)["outcomes"]["occurred"] == 1
    amend(api, event, status="cancelled", reported_at=FIRST, supersede=True)
    assert api.read(plans)["outcomes"]["cancelled"] == 0


def test_a_plan_that_was_deleted_and_came_back_keeps_its_dates(api: Client) -> None:
    events = make_timeline(api)
    event = make_event(api, events, when="2013-03", reported_at=SECOND)
    api.delete(path_of(event), "*")
    api.put(path_of(event), {"title": "Talks", "when": "2999", "status": "planned"})
    (plan,) = api.read(events.removesuffix("/events") + "/plans")["items"]
    assert (plan["first"], plan["when"], plan["moves"]) == ("2013-03", "2999", 1)


def test_outcomes_come_with_the_first_page(api: Client) -> None:
    events = make_timeline(api)
    for _ in range(3):
        make_event(api, events)
    first, *others = api.pages(events.removesuffix("/events") + "/plans", limit=1)
    assert first["outcomes"]["planned"] == 3
    assert [page["outcomes"] for page in others] == [None, None]


def test_plans_of_any_time_are_paged(api: Client) -> None:
    """The last years of the axis, counted from 1970, take more than 64 bits."""
    events = make_timeline(api)
    dates = ["[..2013]", "[..2013]", "-0043", "2013", "Y294276", "Y294276", "Y170000002"]
    for when in dates:
        make_event(api, events, when=when)
    assert [one["when"] for one in api.walk(events.removesuffix("/events") + "/plans", limit=1)] == dates
