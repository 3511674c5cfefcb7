"""What changed between two instants, in pages and as text."""

from __future__ import annotations

import httpx

from tests.client import Client
from tests.factories import amend, make_event, make_timeline, path_of

FIRST, SECOND, THIRD, FOURTH = (f"2013-02-{day:02}T00:00:00Z" for day in (1, 5, 10, 20))


def summary(api: Client, timeline: str, start: str, end: str) -> httpx.Response:
    """Compare what was known at two instants, as text."""
    return api.send("GET", f"{timeline}/diff", params={"from": start, "to": end}, headers={"Accept": "text/plain"})


def test_a_comparison_sorts_what_changed(api: Client) -> None:
    events = make_timeline(api)
    timeline = events.removesuffix("/events")
    made = {
        name: make_event(api, events, title=name, reported_at=FIRST)
        for name in ("moved", "called off", "confirmed", "reinstated", "amended", "untouched")
    }
    amend(api, made["reinstated"], status="cancelled", reported_at=SECOND)
    amend(api, made["moved"], when="2013-03-01", status_reason="no hall", reported_at=FOURTH)
    amend(api, made["called off"], status="cancelled", reported_at=FOURTH)
    amend(api, made["confirmed"], status="occurred", reported_at=FOURTH)
    amend(api, made["reinstated"], status="planned", reported_at=FOURTH)
    amend(api, made["amended"], summary="more", reported_at=FOURTH)
    make_event(api, events, title="added", reported_at=FOURTH)
    found = api.read(f"{timeline}/diff", **{"from": "2013-02-15", "to": "2013-02-28"})
    names = ("added", "moved", "called_off", "confirmed", "reinstated", "withdrawn", "amended")
    assert {name: [one["title"] for one in found[name]] for name in names} == {
        "added": ["added"],
        "moved": ["moved"],
        "called_off": ["called off"],
        "confirmed": ["confirmed"],
        "reinstated": ["reinstated"],
        "withdrawn": [],
        "amended": ["amended"],
    }
    text = summary(api, timeline, "2013-02-15", "2013-02-28")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Moved\n- moved: on 1 March 2013, planned; was on 25 February 2013; no hall" in text.text
    api.delete(path_of(made["untouched"]), "*")
    withdrawn = api.read(f"{timeline}/diff", **{"from": "2013-02-28", "to": "2999"})["withdrawn"]
    assert [one["title"] for one in withdrawn] == ["untouched"]
    assert "Nothing." in summary(api, timeline, "2013-01-01", "2013-01-02").text
    backwards = api.send("GET", f"{timeline}/diff", params={"from": "2013-02", "to": "2013-01"})
    assert backwards.status_code == 400
