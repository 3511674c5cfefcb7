"""Links: how events of a timeline are tied to each other."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.client import Client
from tests.factories import make_event, make_timeline, path_of

RELS = ("causes", "prevents", "follows", "part_of", "responds_to")


@pytest.mark.parametrize("rel", RELS)
def test_a_link_is_made_and_taken_back(api: Client, rel: str) -> None:
    events = make_timeline(api)
    event, other = make_event(api, events, reported_at="2013-02-20T00:00:00Z"), make_event(api, events)
    link = f"{path_of(event)}/links/{rel}/{other['id']}"
    made = api.put(link, None)
    assert (made.status_code, made.headers["etag"]) == (201, '"2"')
    after = made.json()
    links = [{"rel": rel, "event": other["id"]}]
    assert after == event | {"links": links, "version": 2, "recorded_at": after["recorded_at"]}
    assert api.read(path_of(event)) == after
    assert api.read(path_of(other)) == other
    gone = api.delete(link)
    assert (gone.status_code, gone.headers["etag"]) == (204, '"3"')
    assert api.read(path_of(event))["links"] == []
    assert api.delete(link).status_code == 404


def test_a_link_made_twice_is_one(api: Client) -> None:
    events = make_timeline(api)
    event, other = make_event(api, events), make_event(api, events)
    link = f"{path_of(event)}/links/causes/{other['id']}"
    first = api.put(link, None)
    second = api.put(link, None)
    assert (second.status_code, second.headers["etag"], second.content) == (200, '"2"', first.content)


def test_several_links_stand_in_order(api: Client) -> None:
    events = make_timeline(api)
    event, one, two = (make_event(api, events) for _ in range(3))
    for rel, other in (("prevents", two), ("causes", two), ("prevents", one), ("causes", one)):
        assert api.put(f"{path_of(event)}/links/{rel}/{other['id']}", None).status_code == 201
    ordered = sorted((rel, other["id"]) for rel in ("causes", "prevents") for other in (one, two))
    links = api.read(path_of(event))["links"]
    assert [(link["rel"], link["event"]) for link in links] == ordered


def test_an_event_is_not_tied_to_itself(api: Client) -> None:
    event = make_event(api, make_timeline(api))
    answer = api.put(f"{path_of(event)}/links/causes/{event['id']}", None)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "other")
    assert api.read(path_of(event)) == event


def test_an_event_is_tied_within_its_timeline_only(api: Client) -> None:
    event = make_event(api, make_timeline(api))
    elsewhere = make_event(api, make_timeline(api))
    for other in (elsewhere["id"], str(uuid4())):
        answer = api.put(f"{path_of(event)}/links/causes/{other}", None)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
    assert api.read(path_of(event)) == event


def test_what_is_no_link_names_nothing(api: Client) -> None:
    events = make_timeline(api)
    event, other = make_event(api, events), make_event(api, events)
    assert api.put(f"{path_of(event)}/links/likes/{other['id']}", None).status_code == 404
    assert api.put(f"{path_of(event)}/links/causes/none", None).status_code == 404
    assert api.put(f"{events}/{uuid4()}/links/causes/{other['id']}", None).status_code == 404
    assert api.delete(f"{path_of(event)}/links/causes/{other['id']}").status_code == 404


def test_a_version_may_be_expected(api: Client) -> None:
    events = make_timeline(api)
    event, other = make_event(api, events), make_event(api, events)
    link = f"{path_of(event)}/links/causes/{other['id']}"
    assert api.put(link, None, if_match='"2"').status_code == 412
    assert api.put(link, None, if_match='"1"').status_code == 201
    stale = api.delete(link, '"1"')
    assert (stale.status_code, stale.headers["etag"]) == (412, '"2"')
    assert api.delete(link, '"2"').status_code == 204


def test_a_link_survives_what_is_done_to_its_event(api: Client) -> None:
    events = make_timeline(api)
    event, other = make_event(api, events), make_event(api, events)
    api.put(f"{path_of(event)}/links/causes/{other['id']}", None)
    links = [{"rel": "causes", "event": other["id"]}]
    assert api.patch(path_of(event), {"title": "New"}, "*").json()["links"] == links
    assert api.patch(path_of(other), {"title": "New"}, "*").json()["links"] == []
    assert api.patch(path_of(event), {"links": []}, "*").status_code == 422
