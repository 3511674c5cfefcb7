"""One event: created, read, replaced, amended, deleted."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from service.store import events
from tests.client import Client
from tests.factories import (
    event_body,
    make_actor,
    make_event,
    make_path,
    make_place,
    make_source,
    make_timeline,
    path_of,
    tag_of,
)
from tests.meanwhile import Followed


def full_body(client: Client, **members: object) -> dict[str, Any]:
    """Give a body that uses every member that a client may write."""
    return (
        event_body(
            title="Talks in Moscow",
            summary="Two delegations meet.",
            when="2013-02-24/2013-02-28",
            status="planned",
            status_reason="both sides agreed",
            kind="meeting",
            participants=[{"actor": make_actor(client, name="Foreign minister"), "role": "host"}],
            place={"place": make_place(client, name="Moscow")},
            topics=["negotiations", "ceasefire"],
            claims=[
                {
                    "source": make_source(client, title="Morning paper"),
                    "attributed_to": "a diplomat",
                    "quote": "They will meet.",
                    "asserts": {"status": "planned", "when": "2013-02"},
                    "reported_at": "2013-02-19T09:00:00+01:00",
                }
            ],
            reported_at="2013-02-20T12:00:00.5Z",
        )
        | members
    )


def written(event: dict[str, Any]) -> dict[str, Any]:
    """Give what of an event a client writes."""
    return {name: event[name] for name in full_names()}


def full_names() -> tuple[str, ...]:
    return (
        "title",
        "summary",
        "when",
        "status",
        "status_reason",
        "kind",
        "participants",
        "place",
        "topics",
        "claims",
        "reported_at",
    )


def test_a_created_event_is_answered_whole(api: Client) -> None:
    events = make_timeline(api)
    body = full_body(api)
    answer = api.post(events, body)
    event = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == path_of(event)
    assert answer.headers["etag"] == '"1"'
    assert UUID(event["id"]).version == 7
    assert event == {
        "id": event["id"],
        "timeline": events.split("/")[3],
        "title": "Talks in Moscow",
        "summary": "Two delegations meet.",
        "when": "2013-02-24/2013-02-28",
        "precision": "day",
        "approximate": False,
        "uncertain": False,
        "bounds": {
            "start": {"earliest": "2013-02-24T00:00:00Z", "latest": "2013-02-24T23:59:59.999999Z"},
            "end": {"earliest": "2013-02-28T00:00:00.000001Z", "latest": "2013-03-01T00:00:00Z"},
        },
        "status": "planned",
        "status_reason": "both sides agreed",
        "previously": [],
        "kind": "meeting",
        "participants": [{"actor": body["participants"][0]["actor"], "name": "Foreign minister", "role": "host"}],
        "place": {"place": body["place"]["place"], "name": "Moscow"},
        "topics": ["negotiations", "ceasefire"],
        "claims": [
            {
                "id": event["claims"][0]["id"],
                "source": body["claims"][0]["source"],
                "title": "Morning paper",
                "attributed_to": "a diplomat",
                "quote": "They will meet.",
                "asserts": {"status": "planned", "when": "2013-02"},
                "reported_at": "2013-02-19T08:00:00Z",
            }
        ],
        "links": [],
        "version": 1,
        "reported_at": "2013-02-20T12:00:00.5Z",
        "recorded_at": event["recorded_at"],
        "created_at": event["recorded_at"],
    }


def test_every_way_to_read_it_gives_the_same_bytes(api: Client) -> None:
    events = make_timeline(api)
    created = api.post(events, full_body(api))
    path = created.headers["location"]
    assert api.get(path).content == created.content
    assert api.get(events).content == b'{"items":[' + created.content + b'],"next":null,"count":null}'
    assert api.get(events, format="ndjson").content == created.content + b"\n"


def test_the_least_that_an_event_needs(api: Client) -> None:
    event = make_event(api, make_timeline(api))
    assert event["kind"] == "event"
    assert event["reported_at"] == event["recorded_at"]
    assert (event["summary"], event["status_reason"], event["place"]) == (None, None, None)
    assert (event["participants"], event["topics"], event["claims"]) == ([], [], [])


def test_put_creates_under_the_clients_identity(api: Client) -> None:
    path = make_path(make_timeline(api))
    answer = api.put(path, event_body())
    assert answer.status_code == 201
    assert answer.headers["location"] == path
    assert answer.json()["id"] == path.rsplit("/", 1)[1]


def test_put_replaces_the_whole(api: Client) -> None:
    events = make_timeline(api)
    before = api.post(events, full_body(api)).json()
    answer = api.put(path_of(before), event_body(title="Something else"), if_match='"1"')
    after = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert "location" not in answer.headers
    assert after["title"] == "Something else"
    assert (after["summary"], after["place"], after["claims"], after["topics"]) == (None, None, [], [])
    assert after["version"] == 2
    assert after["created_at"] == before["created_at"] < after["recorded_at"]
    assert api.read(path_of(before)) == after


def test_put_keeps_the_links(api: Client) -> None:
    events = make_timeline(api)
    one, other = make_event(api, events), make_event(api, events)
    api.put(f"{path_of(one)}/links/causes/{other['id']}", None)
    after = api.put(path_of(one), event_body(), if_match="*").json()
    assert after["links"] == [{"rel": "causes", "event": other["id"]}]


def test_writing_back_what_was_read_changes_nothing_but_the_version(api: Client) -> None:
    before = api.post(make_timeline(api), full_body(api)).json()
    after = api.put(path_of(before), written(before), if_match="*").json()
    assert after == before | {"version": 2, "recorded_at": after["recorded_at"]}


def test_patch_changes_what_it_names(api: Client) -> None:
    before = api.post(make_timeline(api), full_body(api)).json()
    after = api.patch(path_of(before), {"summary": "Put off.", "reported_at": "2013-02-21T00:00:00Z"}, '"1"').json()
    changed = {"summary": "Put off.", "reported_at": "2013-02-21T00:00:00Z"}
    assert after == before | changed | {"version": 2, "recorded_at": after["recorded_at"]}


def test_patch_takes_the_media_type_of_merge_patches(api: Client) -> None:
    event = make_event(api, make_timeline(api))
    headers = {"Content-Type": "application/merge-patch+json", "If-Match": "*"}
    answer = api.send("PATCH", path_of(event), content=b'{"title": "New"}', headers=headers)
    assert (answer.status_code, answer.json()["title"]) == (200, "New")


def test_null_clears_and_gives_back_the_default(api: Client) -> None:
    before = api.post(make_timeline(api), full_body(api)).json()
    nothing = dict.fromkeys(
        ("summary", "status_reason", "kind", "participants", "place", "topics", "claims", "reported_at")
    )
    after = api.patch(path_of(before), nothing, '"1"').json()
    assert (after["summary"], after["status_reason"], after["kind"], after["place"]) == (None, None, "event", None)
    assert (after["participants"], after["topics"], after["claims"]) == ([], [], [])
    assert after["reported_at"] == after["recorded_at"]


@pytest.mark.parametrize("name", ["title", "when", "status"])
def test_what_an_event_needs_cannot_be_cleared(api: Client, name: str) -> None:
    event = make_event(api, make_timeline(api))
    answer = api.patch(path_of(event), {name: None}, "*")
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]
    assert api.read(path_of(event)) == event


def test_patch_reaches_into_the_place(api: Client) -> None:
    before = api.post(make_timeline(api), full_body(api)).json()
    after = api.patch(path_of(before), {"place": {"name": "the Kremlin"}}, "*").json()
    assert after["place"] == {"place": before["place"]["place"], "name": "the Kremlin"}
    again = api.patch(path_of(before), {"place": {"name": None}}, "*").json()
    assert again["place"] == before["place"]


def test_another_place_does_not_keep_the_name_of_the_former(api: Client) -> None:
    geneva, moscow = make_place(api, name="Geneva"), make_place(api, name="Moscow")
    event = make_event(api, make_timeline(api), place={"place": geneva})
    moved = api.patch(path_of(event), {"place": {"place": moscow}}, "*").json()
    assert moved["place"] == {"place": moscow, "name": "Moscow"}
    credited = api.patch(path_of(event), {"place": {"place": geneva, "name": "the Palais"}}, "*").json()
    assert credited["place"] == {"place": geneva, "name": "the Palais"}


def test_a_place_is_not_made_of_a_name(api: Client) -> None:
    event = make_event(api, make_timeline(api))
    answer = api.patch(path_of(event), {"place": {"name": "Nowhere"}}, "*")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/place/place"


def test_claims_keep_their_identities(api: Client) -> None:
    before = api.post(make_timeline(api), full_body(api)).json()
    kept = api.patch(path_of(before), {"title": "New"}, "*").json()
    assert kept["claims"] == before["claims"]
    added = api.patch(
        path_of(before), {"claims": [*before["claims"], {"source": before["claims"][0]["source"]}]}, "*"
    ).json()
    assert added["claims"][0] == before["claims"][0]
    assert added["claims"][1]["id"] != before["claims"][0]["id"]


def test_no_two_claims_share_an_identity(api: Client) -> None:
    source, claim = make_source(api), str(uuid4())
    answer = api.post(make_timeline(api), event_body(claims=[{"source": source, "id": claim}] * 2))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/claims"


def test_names_stay_as_credited(api: Client) -> None:
    before = api.post(make_timeline(api), full_body(api)).json()
    actor, place = before["participants"][0]["actor"], before["place"]["place"]
    source = before["claims"][0]["source"]
    for path, body in (
        (f"/v1/actors/{actor}", {"name": "President"}),
        (f"/v1/places/{place}", {"name": "Leningrad"}),
        (f"/v1/sources/{source}", {"title": "Evening paper"}),
    ):
        assert api.patch(path, body, "*").status_code == 200
    assert api.read(path_of(before)) == before
    after = api.patch(path_of(before), {"title": "New"}, "*").json()
    assert after["participants"] == before["participants"]
    assert after["place"] == before["place"]
    assert after["claims"] == before["claims"]


def test_topics_stand_once(api: Client) -> None:
    assert make_event(api, make_timeline(api), topics=["b", "a", "b"])["topics"] == ["b", "a"]


# status_reason


@pytest.mark.parametrize("change", [{"status": "cancelled"}, {"when": "2013-03"}])
def test_a_reason_goes_with_what_it_was_given_for(api: Client, change: dict[str, str]) -> None:
    event = make_event(api, make_timeline(api), status_reason="both agreed")
    assert api.patch(path_of(event), change, "*").json()["status_reason"] is None


@pytest.mark.parametrize("change", [{"title": "New"}, {"status": "planned"}, {"when": "2013-02-25"}])
def test_a_reason_stays_with_what_stays(api: Client, change: dict[str, str]) -> None:
    event = make_event(api, make_timeline(api), status_reason="both agreed")
    assert api.patch(path_of(event), change, "*").json()["status_reason"] == "both agreed"


def test_a_reason_stays_with_the_same_date_written_otherwise(api: Client) -> None:
    event = make_event(api, make_timeline(api), when="?2004-?06", status_reason="as remembered")
    after = api.patch(path_of(event), {"when": "2004-06?"}, "*").json()
    assert (after["when"], after["status_reason"], after["previously"]) == ("2004-06?", "as remembered", [])


def test_a_reason_that_comes_along_counts(api: Client) -> None:
    event = make_event(api, make_timeline(api), status_reason="both agreed")
    after = api.patch(path_of(event), {"status": "cancelled", "status_reason": "fell through"}, "*").json()
    assert after["status_reason"] == "fell through"


# previously


def test_a_new_date_moves_the_old_one_to_the_log_newest_first(api: Client) -> None:
    event = make_event(api, make_timeline(api), when="2013-02-25", reported_at="2013-02-20T00:00:00Z")
    path = path_of(event)
    once = {"when": "2013-03-05", "status_reason": "illness", "reported_at": "2013-02-23T00:00:00Z"}
    assert api.patch(path, once, "*").json()["previously"] == [
        {"when": "2013-02-25", "reported_at": "2013-02-20T00:00:00Z", "reason": "illness"}
    ]
    twice = api.put(path, event_body(when="2013-04~", status_reason="strike"), if_match="*").json()
    assert twice["previously"] == [
        {"when": "2013-03-05", "reported_at": "2013-02-23T00:00:00Z", "reason": "strike"},
        {"when": "2013-02-25", "reported_at": "2013-02-20T00:00:00Z", "reason": "illness"},
    ]
    assert twice["bounds"]["start"]["earliest"] == "2013-04-01T00:00:00Z"


@pytest.mark.parametrize("same", ["2004-06?", "?2004-?06"])
def test_the_same_date_is_no_new_one(api: Client, same: str) -> None:
    event = make_event(api, make_timeline(api), when="2004-06?")
    assert api.patch(path_of(event), {"when": same}, "*").json()["previously"] == []
    assert api.put(path_of(event), event_body(when=same), if_match="*").json()["previously"] == []


def test_a_status_alone_leaves_the_log(api: Client) -> None:
    event = make_event(api, make_timeline(api))
    for status in ("tentative", "postponed", "cancelled", "occurred", "planned"):
        after = api.patch(path_of(event), {"status": status}, "*").json()
        assert (after["status"], after["previously"]) == (status, [])


# DELETE


def test_what_is_deleted_is_gone(api: Client, direct: psycopg.Connection) -> None:
    events = make_timeline(api)
    event = api.post(events, full_body(api)).json()
    answer = api.delete(path_of(event), '"1"')
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.get(path_of(event)).status_code == 410
    assert api.read(events)["items"] == []
    for table in ("event", "event_participant", "event_topic", "claim", "event_link"):
        left = direct.execute(f"SELECT count(*) FROM {table} WHERE event_id = %s", [event["id"]]).fetchone()  # noqa: S608
        assert left == (0,), table


def test_what_comes_back_meanwhile_is_never_said_to_have_been_nothing(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader who finds no event looks again for why, and may find that it is there after all."""
    event = make_event(api, make_timeline(api))
    api.delete(path_of(event), "*")
    revive = Followed(events.READ_EVENT, lambda: api.put(path_of(event), event_body(title="Back")))
    monkeypatch.setattr(events, "READ_EVENT", revive)
    answer = api.get(path_of(event))
    assert (answer.status_code, answer.headers["etag"], answer.json()["title"]) == (200, '"3"', "Back")


def test_what_others_are_linked_to_stays(api: Client) -> None:
    events = make_timeline(api)
    cause, effect = make_event(api, events), make_event(api, events)
    link = f"{path_of(cause)}/links/causes/{effect['id']}"
    assert api.put(link, None).status_code == 201
    refused = api.delete(path_of(effect), "*")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/in-use")
    assert api.read(path_of(effect)) == effect
    assert api.delete(path_of(cause), "*").status_code == 204
    assert api.delete(path_of(effect), "*").status_code == 204


# Where nothing is


def test_an_event_belongs_to_its_timeline(api: Client) -> None:
    here, there = make_timeline(api), make_timeline(api)
    event = make_event(api, here)
    elsewhere = f"{there}/{event['id']}"
    assert api.get(elsewhere).status_code == 404
    assert api.patch(elsewhere, {"title": "New"}, "*").status_code == 404
    assert api.delete(elsewhere, "*").status_code == 404
    assert api.put(elsewhere, event_body(title="A double")).status_code == 201
    assert api.read(path_of(event)) == event


@pytest.mark.parametrize("name", ["none", "0", "019a-0", "../x"])
def test_what_is_no_identity_names_nothing(api: Client, name: str) -> None:
    assert api.get(f"{make_timeline(api)}/{name}").status_code == 404


def test_nothing_is_written_without_a_timeline(api: Client) -> None:
    events = "/v1/timelines/no-such-story/events"
    assert api.get(events).status_code == 404
    assert api.post(events, event_body()).status_code == 404
    assert api.put(make_path(events), event_body()).status_code == 404


def test_an_entity_tag_is_strong_and_changes_with_each_change(api: Client) -> None:
    event = make_event(api, make_timeline(api))
    tags = [tag_of(event)]
    for title in ("a", "b", "b", "a"):
        tags.append(api.patch(path_of(event), {"title": title}, tags[-1]).headers["etag"])
    assert tags == ['"1"', '"2"', '"3"', '"3"', '"4"']
    assert api.get(path_of(event)).headers["etag"] == '"4"'
