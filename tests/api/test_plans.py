"""Plans: how far they slipped, and how they ended."""

from __future__ import annotations

from tests.client import Client
from tests.factories import amend, make_event, make_timeline

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
