"""Events are imported line by line: what comes of each is what a write of its own would make of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from service.formats.csv import COLUMNS
from service.importing import BATCH_LINES
from service.store.importing import Import
from service.store.query import timeline_id_of
from service.store.record import purge_event
from service.tables import metadata
from service.wire import shape
from service.wire.event import Event, EventBody
from service.wire.line import with_known_claims
from tests.api.published import operation_of
from tests.api.test_changes import feed_of, slug_of, walk
from tests.api.test_problems import is_problem
from tests.client import Client
from tests.factories import event_body, make_actor, make_event, make_place, make_source, make_timeline

Json = dict[str, Any]
NDJSON, CSV = "application/x-ndjson", "text/csv"
# One of each kind: gaps, open ends, before year 1, far off, to the second, of several pieces that all happen.
WHENS = (
    "2013-02-25", "2013-02?", "~2013", "[1960,1961-12,1984..]", "{1960,1961-12}", "-0043-03-15", "1985/..",
    "../1985", "2013-02-25T10:00:00+03:00", "2001-21", "19XX", "156X-12-25", "Y-170000002", "1950S2",
    "2004-06-XX/2004-07-03",
)  # fmt: skip


def lines(*bodies: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in bodies)


def send(client: Client, events: str, content: Any, media_type: str = NDJSON, **parameters: bool) -> httpx.Response:  # noqa: ANN401
    path = events.removesuffix("/events") + "/import"
    return client.send("POST", path, content=content, headers={"Content-Type": media_type}, params=parameters)


def tally(answer: httpx.Response) -> dict[str, int]:
    assert answer.status_code == 200, answer.text
    return {name: count for name, count in answer.json().items() if name != "errors" and count}


def errors(answer: httpx.Response) -> list[tuple[int, str | None]]:
    return [(one["line"], one.get("pointer")) for one in answer.json()["errors"]]


def bodies(api: Client) -> Iterator[Json]:
    """Make events of every kind of date, with and without what an event may have."""
    actors = [make_actor(api) for _ in range(2)]
    place, source = make_place(api), make_source(api)
    for i, when in enumerate(WHENS):
        plain = event_body(title=f"{i} bare", when=when, status=("planned", "occurred")[i % 2])
        yield plain
        claims = [
            {"source": source, "quote": "it is so", "reported_at": "2013-02-20T08:00:00+01:00"},
            {"source": source, "asserts": {"status": "cancelled"}, "reported_at": "2013-02-20T08:00:00+01:00"},
        ]
        yield plain | {
            "title": f"{i} whole",
            "summary": 'With "quotes", a\ttab, 𠀀 and ünïcode',
            "kind": "meeting",
            "participants": [{"actor": actors[0]}, {"actor": actors[1], "name": "As credited", "role": "host"}],
            "place": {"place": place},
            "topics": ["one", "two", "one"],
            "claims": claims[: 1 + i % 2],
            "status_reason": "so it was said",
            "supersede": bool(i % 2),
            "reported_at": "2013-02-20T08:00:00+01:00",
            "reason": "read in a paper",
        }


_CLOCK = "CASE WHEN o.{0}::text LIKE '%%2026%%' THEN 'now' ELSE o.{0}::text END"


def stored(direct: psycopg.Connection, slug: str) -> dict[str, list[Any]]:
    """Read a timeline's rows of all tables but those of the histogram, which is folded meanwhile.

    Identities, the feed's order and the store's clock are left out; of what was reported now, when that was.
    """
    own = {"timeline_id", "event_id", "claim_id", "document", "recorded_at", "created_at", "transaction_id", "sequence"}
    clocks = {"reported_at", "known"}
    found = {}
    for table in metadata.sorted_tables:
        if not {"timeline_id", "event_id"} <= set(table.c.keys()) or table.name == "webhook_delivery":
            continue
        shown = [
            sql.SQL(_CLOCK if name in clocks else "o.{0}::text").format(sql.Identifier(name))
            for name in map(str, table.columns.keys())
            if name not in own
        ]  # fmt: skip
        statement = sql.SQL(
            "SELECT t.title, {} FROM {} o JOIN event t USING (timeline_id, event_id) WHERE timeline_id = %(id)s"
        ).format(sql.SQL(", ").join(shown), sql.Identifier(table.name))
        found[table.name] = sorted(direct.execute(statement, {"id": timeline_id_of(slug)}).fetchall(), key=str)
    return found


def bare(document: Json) -> Json:
    """Leave out what is each store's own: identities and clocks."""
    own = ("id", "timeline", "recorded_at", "created_at")
    kept = {name: value for name, value in document.items() if name not in own}
    if kept["reported_at"] > "2026":
        del kept["reported_at"]
    kept["claims"] = [{name: value for name, value in one.items() if name != "id"} for one in kept["claims"]]
    return kept


def changes(client: Client, events: str) -> list[tuple[str, str]]:
    found = walk(client, feed_of(events))
    return [(one["operation"], one["document"] and one["document"]["title"]) for one in found]


def count(client: Client, events: str) -> int:
    return int(client.read(events, count="exact")["count"])


def test_what_is_imported_is_stored_as_if_it_had_been_posted(api: Client, direct: psycopg.Connection) -> None:
    made = list(bodies(api))
    posted, imported = make_timeline(api), make_timeline(api)
    for body in made:
        assert api.post(posted, body).status_code == 201
    assert tally(send(api, imported, lines(*made))) == {"created": len(made)}
    first, second = (stored(direct, slug_of(one)) for one in (posted, imported))
    assert all(first[name] for name in ("event", "event_state", "state_facet", "claim", "event_participant", "change"))
    for name, rows in first.items():
        assert second[name] == rows, name
    assert [bare(one) for one in api.walk(imported)] == [bare(one) for one in api.walk(posted)]
    assert changes(api, imported) == changes(api, posted)
    by_century = [api.read(events.removesuffix("events") + "histogram", by="century") for events in (posted, imported)]
    assert by_century[0] == by_century[1]


def test_what_is_imported_has_the_present_shape(
    api: Client, direct: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shape, "UPGRADES", (lambda document: document,))
    events = make_timeline(api)
    send(api, events, lines(event_body()))
    for table in ("event", "event_state"):
        asked = sql.SQL("SELECT shape FROM {} WHERE timeline_id = %s").format(sql.Identifier(table))
        assert direct.execute(asked, [timeline_id_of(slug_of(events))]).fetchall() == [(2,)], table


def test_the_same_import_done_again_writes_nothing(api: Client) -> None:
    events = make_timeline(api)
    content = lines(*bodies(api))
    first = tally(send(api, events, content))
    told = changes(api, events)
    assert tally(send(api, events, content)) == {"unchanged": first["created"]}
    assert changes(api, events) == told
    # whose other lines are the same, but is another import
    assert tally(send(api, events, content + lines(event_body(title="one more")))) == {"created": first["created"] + 1}


@pytest.mark.parametrize("name", ["id", "key"])
def test_an_event_is_known_again_by_its_name(api: Client, name: str) -> None:
    events = make_timeline(api)
    source = make_source(api)
    named = [{name: str(uuid4())} for _ in range(3)]
    claims = [{"source": source, "quote": "so it is"}]
    made = [event_body(title=f"{i}", claims=claims) | one for i, one in enumerate(named)]
    assert tally(send(api, events, lines(*made))) == {"created": 3}
    before = {one["title"]: one for one in api.walk(events)}
    made[1] |= {"when": "2013-02-26", "status": "occurred"}
    assert tally(send(api, events, lines(*made))) == {"amended": 1, "unchanged": 2}
    after = {one["title"]: one for one in api.walk(events)}
    assert after["0"] == before["0"]
    assert after["1"]["version"] == 2
    assert after["1"]["previously"][0]["when"] == "2013-02-25"
    assert after["1"]["claims"] == before["1"]["claims"]
    assert len(api.read(f"{events}/{after['1']['id']}/history")["items"]) == 2
    assert changes(api, events)[-1] == ("amended", "1")
    # in another timeline a key is another's
    assert tally(send(api, make_timeline(api), lines({"key": "k", **event_body()}, event_body()))) == {"created": 2}


def test_a_key_names_one_event_of_an_import(api: Client) -> None:
    events = make_timeline(api)
    twice = [event_body(key="one", title=title) for title in ("first", "second", "second")]
    assert tally(send(api, events, lines(*twice))) == {"created": 1, "amended": 1, "unchanged": 1}
    assert api.titles(events) == ["second"]
    assert changes(api, events) == [("created", "first"), ("amended", "second")]


def test_of_an_event_that_stands_twice_the_last_line_holds_each_time(api: Client) -> None:
    events = make_timeline(api)
    content = lines(*(event_body(key="one", title=title) for title in ("first", "second")))
    for _ in range(3):
        send(api, events, content)
        assert api.titles(events) == ["second"]


def test_what_was_deleted_or_purged_stays_so(api: Client) -> None:
    events = make_timeline(api)
    content = lines(*(event_body(key=f"{i}", title=f"{i}") for i in range(3)))
    send(api, events, content)
    found = {one["title"]: one for one in api.walk(events)}
    assert api.delete(f"{events}/{found['1']['id']}", '"1"').status_code == 204

    async def purge() -> None:
        async with api.app.state.database.transaction() as connection:
            await purge_event(connection, slug_of(events), UUID(found["2"]["id"]))

    api.portal.call(purge)
    assert tally(send(api, events, content)) == {"unchanged": 1, "deleted": 2}
    assert api.titles(events) == ["0"]


def test_an_export_is_imported_with_the_names_of_its_events(api: Client) -> None:
    here, there = make_timeline(api), make_timeline(api)
    send(api, here, lines(*bodies(api)))
    exported = api.get(here, {"Accept": NDJSON}).content
    assert tally(send(api, there, exported)) == {"created": count(api, here)}
    told, kept = ([dict(one) for one in api.walk(events)] for events in (there, here))
    clocks = ("timeline", "recorded_at", "created_at")
    assert [{**one, **dict.fromkeys(clocks)} for one in told] == [{**one, **dict.fromkeys(clocks)} for one in kept]
    assert tally(send(api, there, exported)) == {"unchanged": count(api, here)}


def test_a_line_that_is_refused_keeps_all_from_being_written_or_only_itself(api: Client) -> None:
    events = make_timeline(api)
    good = [event_body(title=f"{i}") for i in range(2 * BATCH_LINES + 10)]
    content = lines(
        *good[:BATCH_LINES],
        event_body(when="2013-02-30"),
        *good[BATCH_LINES:-1],
        event_body(participants=[{"actor": "nobody-knows"}]),
        event_body(reported_at="2999-01-01T00:00:00Z"),
        event_body() | {"titel": "a typo"},
        good[-1],
    )
    refused = [
        (BATCH_LINES + 1, "/when"),
        (len(good) + 1, "/participants/0/actor"),
        (len(good) + 2, "/reported_at"),
        (len(good) + 3, "/titel"),
    ]
    answer = send(api, events, content)
    assert is_problem(answer, 422, "import-refused")
    assert errors(answer) == refused
    assert f"line {BATCH_LINES + 1}, /when" in answer.json()["detail"]
    assert count(api, events) == 0
    answer = send(api, events, content, atomic=False)
    assert tally(answer) == {"created": len(good), "refused": 4}
    assert errors(answer) == refused
    assert count(api, events) == len(good)


def test_a_table_says_what_json_says(api: Client) -> None:
    here, there = make_timeline(api), make_timeline(api)
    actor, place, source = make_actor(api), make_place(api), make_source(api)
    table = (
        "\ufeffKey,title,summary,when,status,status_reason,kind,place,place_name,participants,topics,source,quote,"
        'reported_at\r\none,"A ""meeting"", \nin two lines",,2013-02-25,cancelled,why,meeting,'
        f"{place},There,{actor}=Someone=host; {actor}==guest,"
        f'one;two,{source},so it is,2013-02-20T08:00:00Z\r\n\r\n"two",B,,2013?,planned,,,,,,,,,2013-02-20T08:00:00Z\r\n'
    )
    same = [
        event_body(
            key="one", title='A "meeting", \nin two lines', status="cancelled", status_reason="why", kind="meeting",
            place={"place": place, "name": "There"}, topics=["one", "two"],
            participants=[{"actor": actor, "name": "Someone", "role": "host"}, {"actor": actor, "role": "guest"}],
            claims=[{"source": source, "quote": "so it is"}], reported_at="2013-02-20T08:00:00Z",
        ),
        event_body(key="two", title="B", when="2013?", reported_at="2013-02-20T08:00:00Z"),
    ]  # fmt: skip
    assert tally(send(api, here, table.encode(), CSV)) == {"created": 2}
    assert tally(send(api, there, lines(*same))) == {"created": 2}
    told, kept = ([bare(one) for one in api.walk(events)] for events in (here, there))
    for one in (*told, *kept):
        for each in one["claims"]:
            del each["reported_at"]
    assert told == kept


def test_a_trial_writes_nothing(api: Client) -> None:
    events = make_timeline(api)
    content = lines(*bodies(api))
    tried = send(api, events, content, dry_run=True)
    assert count(api, events) == 0
    assert changes(api, events) == []
    assert tally(send(api, events, content)) == tally(tried)
    assert is_problem(send(api, events, lines({}), dry_run=True), 422, "import-refused")


def test_an_import_is_repeated_under_its_idempotency_key(api: Client) -> None:
    events = make_timeline(api)
    path = events.removesuffix("/events") + "/import"
    headers = {"Content-Type": NDJSON, "Idempotency-Key": str(uuid4())}
    content = lines(event_body())
    first = api.send("POST", path, content=content, headers=headers)
    again = api.send("POST", path, content=content, headers=headers)
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    other = api.send("POST", path, content=lines(event_body(title="another")), headers=headers)
    assert is_problem(other, 422, "idempotency-key-reused")
    assert count(api, events) == 1


def test_a_claim_is_known_again_by_what_it_says(api: Client) -> None:
    events = make_timeline(api)
    source = make_source(api)
    claims = [{"source": source, "quote": f"{i}", "asserts": {"status": "planned"}} for i in range(2)]
    event = make_event(api, events, claims=claims)
    same = event_body(id=event["id"], claims=claims)
    assert tally(send(api, events, lines(same))) == {"unchanged": 1}
    more = event_body(id=event["id"], claims=[*claims, claims[0]])
    assert tally(send(api, events, lines(more))) == {"amended": 1}
    kept = api.read(f"{events}/{event['id']}")["claims"]
    assert kept[:2] == event["claims"]
    assert kept[2]["id"] not in {one["id"] for one in event["claims"]}


def test_the_identity_of_a_claim_never_changes() -> None:
    body = EventBody.model_validate(event_body(claims=[{"source": "a-paper", "quote": "so it is"}]))
    (claim,) = with_known_claims(body, UUID(int=1), None).claims
    assert claim.id == UUID("1ed2e954-844d-5a07-8242-b1da0e56ed6e")


def test_what_is_created_meanwhile_is_told_line_by_line(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    events = make_timeline(api)
    send(api, events, lines(event_body(key="3", title="before")))

    async def sees_nothing(*_: object) -> dict[UUID, Event | None]:
        return {}

    monkeypatch.setattr(Import, "_read_known", sees_nothing)
    content = lines(*(event_body(key=f"{i}", title=f"{i}") for i in range(7)))
    answer = send(api, events, content)
    assert is_problem(answer, 422, "import-refused")
    assert errors(answer) == [(4, "")]
    assert "meanwhile" in answer.json()["detail"]
    assert tally(send(api, events, content, atomic=False)) == {"created": 6, "refused": 1}
    assert sorted(api.titles(events)) == ["0", "1", "2", "4", "5", "6", "before"]


def test_a_report_from_the_past_takes_its_place(api: Client) -> None:
    events = make_timeline(api)
    event = make_event(api, events, title="now")
    earlier = event_body(id=event["id"], title="then", reported_at="2013-01-01T00:00:00Z")
    assert tally(send(api, events, lines(earlier))) == {"amended": 1}
    assert tally(send(api, events, lines(earlier))) == {"unchanged": 1}
    assert api.titles(events) == ["now"]
    assert api.titles(events, known_at="2013-01-02T00:00:00Z") == ["then"]
    assert tally(send(api, events, lines(earlier | {"supersede": True}))) == {"amended": 1}
    assert api.titles(events) == ["then"]


def test_the_documentation_names_every_column() -> None:
    told = operation_of("create_import").described["description"]
    assert all(f"`{name}`" in told for name in COLUMNS)
