"""What was known when: states at their places, tombstones, history, comparison, plans."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import psycopg

from tests.client import Client
from tests.factories import Json, make_event, make_source, make_timeline
from tests.keys import ADMIN_PREFIX

FIRST, SECOND, THIRD, FOURTH = (f"2013-02-{day:02}T00:00:00Z" for day in (1, 5, 10, 20))


def path_of(event: Json) -> str:
    return f"/v1/timelines/{event['timeline']}/events/{event['id']}"


def tag(event: Json) -> str:
    return f'"{event["version"]}"'


def amend(api: Client, event: Json, **members: object) -> Json:
    """Change an event as it stands, and give it as it stands then."""
    present = api.read(path_of(event))
    answer = api.patch(path_of(event), members, tag(present))
    assert answer.status_code == 200, answer.text
    changed: Json = answer.json()
    return changed


def history(api: Client, event: Json, **parameters: str) -> list[Json]:
    return api.walk(f"{path_of(event)}/history", limit=2, **parameters)


def known(api: Client, event: Json, **parameters: str) -> list[tuple[str, str | None, str]]:
    """Give from when until when which title was known, the latest first."""
    return [
        (state["known"]["from"], state["known"]["to"], (state["document"] or {"title": "-"})["title"])
        for state in history(api, event, **parameters)
        if state["known"] is not None
    ]


def test_a_new_state_follows_on_the_present_one(api: Client) -> None:
    event = make_event(api, make_timeline(api), title="One", reported_at=FIRST)
    amend(api, event, title="Two", reported_at=THIRD)
    assert known(api, event) == [(THIRD, None, "Two"), (FIRST, THIRD, "One")]


def test_a_late_report_takes_its_place_and_leaves_the_present(api: Client) -> None:
    event = make_event(api, make_timeline(api), title="One", reported_at=FIRST)
    amend(api, event, title="Three", reported_at=THIRD)
    before = api.read(path_of(event))
    answer = amend(api, event, title="Two", reported_at=SECOND)
    assert answer == before == api.read(path_of(event))
    assert known(api, event) == [(THIRD, None, "Three"), (SECOND, THIRD, "Two"), (FIRST, SECOND, "One")]


def test_a_report_older_than_all_extends_the_history(api: Client) -> None:
    event = make_event(api, make_timeline(api), title="Two", reported_at=SECOND)
    amend(api, event, title="One", reported_at=FIRST)
    assert api.read(path_of(event))["title"] == "Two"
    assert known(api, event) == [(SECOND, None, "Two"), (FIRST, SECOND, "One")]


def test_a_report_that_supersedes_is_the_present(api: Client) -> None:
    event = make_event(api, make_timeline(api), title="One", reported_at=FIRST)
    amend(api, event, title="Three", reported_at=THIRD)
    amend(api, event, title="All wrong", reported_at=SECOND, supersede=True)
    assert api.read(path_of(event))["title"] == "All wrong"
    assert known(api, event) == [(SECOND, None, "All wrong"), (FIRST, SECOND, "One")]
    assert len(history(api, event)) == 3


def test_a_patch_of_the_past_changes_what_was_known_then(api: Client) -> None:
    event = make_event(api, make_timeline(api), title="One", summary="first", reported_at=FIRST)
    amend(api, event, title="Three", summary="third", reported_at=THIRD)
    amend(api, event, summary="second", reported_at=SECOND)
    late = history(api, event)[1]["document"]
    assert (late["title"], late["summary"]) == ("One", "second")


def test_a_report_from_the_future_is_refused(api: Client) -> None:
    events = make_timeline(api)
    body = {"title": "A", "when": "2013", "status": "planned", "reported_at": "2999-01-01T00:00:00Z"}
    answer = api.post(events, body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/reported_at"


def test_history_tells_author_reason_and_difference(api: Client) -> None:
    event = make_event(api, make_timeline(api), status="planned", reported_at=FIRST)
    amend(api, event, status="cancelled", status_reason="no hall", reason="the organiser wrote", reported_at=SECOND)
    latest, first = history(api, event)
    assert (latest["author"], latest["reason"]) == (ADMIN_PREFIX, "the organiser wrote")
    assert patched(first["document"], latest["diff"]) == latest["document"]
    assert patched({}, first["diff"]) == first["document"]
    assert {"op": "replace", "path": "/status", "value": "cancelled"} in latest["diff"]


def patched(document: Json, steps: list[Json]) -> Json:
    """Apply steps of a JSON Patch (RFC 6902) that name members of objects."""
    document = copy.deepcopy(document)
    for step in steps:
        *path, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        target: Any = document
        for part in path:
            target = target[part]
        if step["op"] == "remove":
            del target[last]
        else:
            target[last] = step["value"]
    return document


def test_what_the_store_held_then_stays_to_be_read(api: Client) -> None:
    """A late report changes what is known of the past, and not what this store held before it came."""
    event = make_event(api, make_timeline(api), title="One", reported_at=FIRST)
    third = amend(api, event, title="Three", reported_at=THIRD)
    then = third["recorded_at"]
    amend(api, event, title="Two", reported_at=SECOND)
    amend(api, event, title="New", reported_at=FIRST, supersede=True)
    assert known(api, event, recorded_as_of=then) == [(THIRD, None, "Three"), (FIRST, THIRD, "One")]
    assert known(api, event) == [(FIRST, None, "New")]


def test_the_store_keeps_the_spans_that_follow_from_the_reports(api: Client, direct: psycopg.Connection) -> None:
    event = make_event(api, make_timeline(api), title="One", reported_at=SECOND)
    for title, at, supersede in (("a", FIRST, False), ("b", THIRD, False), ("c", SECOND, True), ("d", FOURTH, False)):
        amend(api, event, title=title, reported_at=at, supersede=supersede)
    rows = direct.execute(
        "SELECT document->>'title', isempty(known), to_char(lower(known) AT TIME ZONE 'UTC', 'DD'),"
        " to_char(upper(known) AT TIME ZONE 'UTC', 'DD') FROM event_state WHERE event_id = %s ORDER BY version",
        [event["id"]],
    ).fetchall()
    assert rows == [
        ("One", True, None, None),
        ("a", False, "01", "05"),
        ("b", True, None, None),
        ("c", False, "05", "20"),
        ("d", False, "20", None),
    ]


def test_a_deleted_event_leaves_a_tombstone(api: Client) -> None:
    events = make_timeline(api)
    event = make_event(api, events, title="One", reported_at=FIRST)
    assert api.delete(path_of(event), tag(event)).status_code == 204
    gone = api.get(path_of(event))
    assert gone.status_code == 410
    assert gone.json()["type"] == "/problems/gone"
    assert str(ADMIN_PREFIX) in gone.json()["detail"]
    assert api.read(events)["items"] == []
    latest, first = history(api, event)
    assert latest["document"] is None
    assert first["known"]["to"] == latest["known"]["from"]
    for answer in (
        api.patch(path_of(event), {"title": "x"}, "*"),
        api.delete(path_of(event), "*"),
        api.post(f"{path_of(event)}/claims", {"source": make_source(api)}),
    ):
        assert answer.status_code == 410


def test_a_put_revives_what_was_deleted(api: Client) -> None:
    event = make_event(api, make_timeline(api), title="One", reported_at=FIRST)
    api.delete(path_of(event), tag(event))
    answer = api.put(path_of(event), {"title": "Two", "when": "2013", "status": "planned"})
    assert answer.status_code == 201
    assert answer.json()["version"] == 3
    assert answer.json()["created_at"] == event["created_at"]
    assert [state["document"] and state["document"]["title"] for state in history(api, event)] == ["Two", None, "One"]


def test_nothing_is_reported_of_a_deleted_event_before_its_end(api: Client) -> None:
    event = make_event(api, make_timeline(api), title="One", reported_at=FIRST)
    api.delete(path_of(event), tag(event))
    body = {"title": "Two", "when": "2013", "status": "planned", "reported_at": SECOND}
    answer = api.put(path_of(event), body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/reported_at"


def test_a_claim_and_a_link_are_states_of_the_event(api: Client) -> None:
    events = make_timeline(api)
    event, other = (make_event(api, events, reported_at=SECOND) for _ in range(2))
    api.post(f"{path_of(event)}/claims", {"source": make_source(api), "reported_at": FIRST})
    api.put(f"{path_of(event)}/links/follows/{other['id']}", None)
    present = api.read(path_of(event))
    assert (present["version"], present["reported_at"]) == (3, SECOND)
    assert [len(present["claims"]), len(present["links"])] == [1, 1]
    # both belong to what was known from the beginning of the present state
    assert [state["known"] for state in history(api, event)] == [{"from": SECOND, "to": None}, None, None]


def test_claims_that_contradict_are_told(api: Client) -> None:
    source = make_source(api)
    claims = [
        {"source": source, "asserts": {"status": "cancelled"}},
        {"source": source, "asserts": {"when": "2013-03"}},
        {"source": source, "asserts": {"status": "planned", "when": "2013-02"}},
    ]
    event = make_event(api, make_timeline(api), when="2013-02-25", status="planned", claims=claims)
    conflicts = history(api, event)[0]["conflicts"]
    assert [(one["member"], one["asserted"], one["recorded"]) for one in conflicts] == [
        ("status", "cancelled", "planned"),
        ("when", "2013-03", "2013-02-25"),
    ]


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
