"""What was known when: states at their places, tombstones, history."""

from __future__ import annotations

import psycopg

from service.wire.history import OF_EVERY_WRITE
from tests.client import Client
from tests.differences import lasting, patched
from tests.factories import Json, amend, make_actor, make_event, make_source, make_timeline, path_of, tag_of
from tests.keys import ADMIN_PREFIX

FIRST, SECOND, THIRD, FOURTH = (f"2013-02-{day:02}T00:00:00Z" for day in (1, 5, 10, 20))


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
    assert latest["diff"] == [
        {"op": "replace", "path": "/status", "value": "cancelled"},
        {"op": "replace", "path": "/status_reason", "value": "no hall"},
    ]
    assert lasting(first["document"]) == patched({}, first["diff"])


def test_each_difference_makes_the_document_of_the_one_before(api: Client) -> None:
    """But for what every write sets anew, of which a difference says nothing."""
    event = make_event(api, make_timeline(api), title="One", reported_at=SECOND)
    amend(api, event, when="2013-03", status_reason="no hall", reported_at=FOURTH)
    amend(api, event, summary="late", topics=["talks"], reported_at=THIRD)
    amend(api, event, reason="it is so still")
    api.post(f"{path_of(event)}/claims", {"source": make_source(api)})
    api.delete(path_of(event), "*")
    api.put(path_of(event), {"title": "Again", "when": "2013", "status": "planned"})
    states = history(api, event)
    counting = [state for state in reversed(states) if state["known"] is not None]
    assert len(states) == len(counting) == 7
    before: Json = {}
    for state in counting:
        after = lasting(state["document"] or {})
        assert patched(before, state["diff"]) == after
        assert not {step["path"] for step in state["diff"]} & {f"/{name}" for name in OF_EVERY_WRITE}
        before = after
    assert [bool(state["diff"]) for state in counting] == [True, True, True, False, True, True, True]


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
    assert api.delete(path_of(event), tag_of(event)).status_code == 204
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
    api.delete(path_of(event), tag_of(event))
    answer = api.put(path_of(event), {"title": "Two", "when": "2013", "status": "planned"})
    assert answer.status_code == 201
    assert answer.json()["version"] == 3
    assert answer.json()["created_at"] == event["created_at"]
    assert [state["document"] and state["document"]["title"] for state in history(api, event)] == ["Two", None, "One"]


def test_nothing_is_reported_of_a_deleted_event_before_its_end(api: Client) -> None:
    event = make_event(api, make_timeline(api), title="One", reported_at=FIRST)
    api.delete(path_of(event), tag_of(event))
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


def test_what_changes_nothing_and_says_nothing_new_is_not_written(api: Client) -> None:
    """An empty patch, one of what is there already however it is written, and one that is sent again."""
    actor = make_actor(api, name="Someone")
    participants = [{"actor": actor, "name": "Someone", "role": None}]
    event = make_event(api, make_timeline(api), title="One", participants=participants, reported_at=SECOND)
    for body in (
        {},
        {"title": "One"},
        {"summary": None, "status": event["status"], "when": event["when"]},
        {"participants": [{"actor": actor}]},
        {"title": "One", "reported_at": "2013-02-05T01:00:00+01:00"},
        {"reason": None, "supersede": True},
    ):
        answer = api.patch(path_of(event), body, tag_of(event))
        assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"'), body
        assert answer.json() == event
    assert len(history(api, event)) == 1
    api.wait_for_feed()
    feed = f"/v1/timelines/{event['timeline']}/changes"
    assert [change["operation"] for change in api.read(feed)["items"]] == ["created"]


def test_a_report_of_what_is_so_still_is_a_state(api: Client) -> None:
    event = make_event(api, make_timeline(api), status_reason="so it is planned", reported_at=FIRST)
    for version, body in enumerate(
        ({"reported_at": SECOND}, {"reason": "asked again"}, {"status_reason": "asked again"}), start=2
    ):
        assert amend(api, event, **body)["version"] == version
    assert [state["reason"] for state in history(api, event)] == [
        "asked again",
        "asked again",
        None,
        "so it is planned",
    ]


def test_a_report_that_ends_later_ones_is_written_though_it_says_the_same(api: Client) -> None:
    event = make_event(api, make_timeline(api), title="One", reported_at=FIRST)
    amend(api, event, title="Two", reported_at=THIRD)
    assert amend(api, event, title="One", reported_at=FIRST)["title"] == "Two"
    assert api.read(path_of(event))["version"] == 2
    assert amend(api, event, title="One", reported_at=FIRST, supersede=True)["title"] == "One"
    assert known(api, event) == [(FIRST, None, "One")]


def test_a_reason_to_delete_is_told(api: Client) -> None:
    event = make_event(api, make_timeline(api), reported_at=FIRST)
    headers = {"If-Match": tag_of(event)}
    answer = api.send("DELETE", path_of(event), headers=headers, params={"reason": "x" * 1001})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "reason")
    answer = api.send("DELETE", path_of(event), headers=headers, params={"reason": "Entered twice."})
    assert answer.status_code == 204
    assert history(api, event)[0]["reason"] == "Entered twice."
    for gone in (api.get(path_of(event)), api.patch(path_of(event), {"title": "x"}, "*")):
        assert gone.status_code == 410
        assert gone.json()["detail"].endswith(f" by {ADMIN_PREFIX}: Entered twice.")
