"""What changed between two instants, in pages and as text."""

from __future__ import annotations

import httpx
import pytest

from service.store import comparison
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


def test_a_comparison_comes_in_pages_in_the_order_of_the_reports(api: Client) -> None:
    events = make_timeline(api)
    diff = events.removesuffix("/events") + "/diff"
    asked = {"from": "2013-02-15", "to": "2013-02-28"}
    both = make_event(api, events, title="0", reported_at=FIRST)
    for number in range(1, 6):
        make_event(api, events, title=f"{number}", reported_at=FOURTH)
    amend(api, both, status="cancelled", when="2013-03", reported_at="2013-02-21T00:00:00Z")
    pages = list(api.pages(diff, limit=2, **asked))
    assert [[one["title"] for one in page["added"]] for page in pages] == [["1", "2"], ["3", "4"], ["5"]]
    assert [[one["title"] for one in page["moved"] + page["called_off"]] for page in pages] == [[], [], ["0", "0"]]
    link = api.get(diff, limit=2, **asked).headers["Link"]
    assert pages[0]["next"] in link
    for other in ({"to": "2013-03"}, {"from": "2013-02-14"}):
        foreign = api.get(diff, **asked | other, cursor=pages[0]["next"])
        assert (foreign.status_code, foreign.json()["type"]) == (400, "/problems/invalid-cursor")


def test_a_text_tells_all_changes_heading_by_heading(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "_BATCH_CHANGES", 2)
    events = make_timeline(api)
    timeline = events.removesuffix("/events")
    called_off = [make_event(api, events, title=f"called off {number}", reported_at=FIRST) for number in range(3)]
    for number, event in enumerate(called_off):
        make_event(api, events, title=f"added {number}", reported_at=FOURTH)
        amend(api, event, status="cancelled", reported_at=FOURTH)
    told = summary(api, timeline, "2013-02-15", "2013-02-28")
    assert told.text.splitlines() == [
        "What changed between 2013-02-15T23:59:59.999999Z and 2013-02-28T23:59:59.999999Z",
        "",
        "Added",
        *(f"- added {number}: on 25 February 2013, planned" for number in range(3)),
        "",
        "Called off",
        *(f"- called off {number}: on 25 February 2013, cancelled; was planned" for number in range(3)),
    ]
    for name, value in (("limit", "10"), ("cursor", "x")):
        refused = api.get(f"{timeline}/diff", format="text", **{"from": "2013-02-15", "to": "2013-02-28", name: value})
        assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (400, name)


def test_what_came_and_went_in_between_is_no_change(api: Client) -> None:
    events = make_timeline(api)
    for _ in range(2):
        api.delete(path_of(make_event(api, events)), "*")
    timeline = events.removesuffix("/events")
    found = api.read(f"{timeline}/diff", **{"from": "2013", "to": "2999"}, limit=1)
    assert (found["added"], found["withdrawn"], found["next"]) == ([], [], None)
    assert "Nothing." in summary(api, timeline, "2013", "2999").text
