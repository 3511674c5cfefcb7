"""After any sequence of writes the copies agree: bounds beside each part, and the document with the tables."""

# ruff: noqa: S608  # the statements are made of this file's own words

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

from service.dates import format_instant
from service.store.adapters import register
from tests.client import Client, connected
from tests.factories import event_body, make_actor, make_place, make_source, make_timeline
from tests.prove import IS_LONG

WHEN = (
    "2013-02-25",
    "2013-02",
    "2013-02~",
    "?2013-?02",
    "2012-09/..",
    "2012-09/",
    "../2013",
    "[..2013-02-20]",
    "{2013-02-21,2013-02-28}",
    "1560-X2",
    "-0043-03-15",
    "Y170000002",
    "1985-04-12T23:20:30+04:30",
)
STATUSES = ("tentative", "planned", "occurred", "postponed", "cancelled")
RELS = ("causes", "prevents", "follows", "part_of", "responds_to")
PARTS = ("event_participant", "event_topic", "claim")


class Writer:
    """Someone who writes this and that, always the same for the same seed."""

    def __init__(self, client: Client, seed: int) -> None:
        self.client = client
        self.chance = random.Random(seed)  # noqa: S311  # a test's, no secret
        self.events = make_timeline(client)
        self.actors = [make_actor(client, name=f"Actor {i}") for i in range(3)]
        self.places = [make_place(client, name=f"Place {i}") for i in range(3)]
        self.sources = [make_source(client, title=f"Source {i}") for i in range(3)]

    def some(self, values: list[Any]) -> list[Any]:
        return self.chance.sample(values, self.chance.randint(0, len(values)))

    def members(self) -> dict[str, Any]:
        pick = self.chance.choice
        return {
            "title": pick(["Talks", 'A "quoted" title', "Überraschung\n😀", "\\ / \u2028"]),
            "summary": pick([None, "", "Something happened."]),
            "when": pick(WHEN),
            "status": pick(STATUSES),
            "status_reason": pick([None, "so it was said"]),
            "kind": pick(["event", "meeting"]),
            "participants": [
                {"actor": actor, "role": pick([None, "host"])} | pick([{}, {"name": "As credited"}])
                for actor in self.some(self.actors * 2)
            ],
            "place": pick([None, {"place": pick(self.places)}, {"place": pick(self.places), "name": "As credited"}]),
            "topics": self.some(["war", "peace", "talks"]),
            "claims": [
                {"source": source, "quote": pick([None, "They said so."]), "asserts": pick([None, {"when": "2013"}])}
                for source in self.some(self.sources)
            ],
            "reported_at": pick([None, "2013-02-20T00:00:00.000001Z", "-0043-03-15T00:00:00Z"]),
        }

    def write(self) -> httpx.Response:
        """Do one thing or another to an event that is there, or make a new one."""
        there = self.client.read(self.events, limit=200)["items"]
        if len(there) < 3:
            return self.client.post(self.events, event_body(**self.members()))
        event, other = self.chance.sample(there, 2)
        path = f"{self.events}/{event['id']}"
        members = self.members()
        changed = {name: members[name] for name in self.some(sorted(members)) if members[name] is not None}
        acts: list[Callable[[], httpx.Response]] = [
            lambda: self.client.put(path, event_body(**members), if_match="*"),
            lambda: self.client.patch(path, changed, "*"),
            lambda: self.client.patch(path, changed, "*"),
            lambda: self.client.post(f"{path}/claims", {"source": self.chance.choice(self.sources)}),
            lambda: self.client.put(f"{path}/links/{self.chance.choice(RELS)}/{other['id']}", None),
            lambda: self.client.delete(path, "*"),
        ]
        parts = [f"{path}/claims/{claim['id']}" for claim in event["claims"]]
        parts += [f"{path}/links/{link['rel']}/{link['event']}" for link in event["links"]]
        if parts:
            acts.append(lambda: self.client.delete(self.chance.choice(parts)))
        return self.chance.choice(acts)()


def rendered(connection: psycopg.Connection, event_id: str) -> dict[str, Any]:
    """Write an event's document anew, from the tables alone."""

    def rows(select: str) -> list[tuple[Any, ...]]:
        return connection.cursor(binary=True).execute(select.encode(), [event_id]).fetchall()

    ((columns),) = rows(
        "SELECT event_id, slug, e.title, summary, edtf, start_earliest, start_latest, end_earliest, end_latest, status,"
        " status_reason, previously, kind, place, place_name, e.version, reported_at, recorded_at, e.created_at"
        " FROM event e JOIN timeline USING (timeline_id) WHERE event_id = %s"
    )
    (identity, slug, title, summary, edtf, *bounds) = columns[:9]
    status, reason, previously, kind, place, place_name, version, *clocks = columns[9:]
    earliest, latest, end_earliest, end_latest = map(format_instant, bounds)
    reported_at, recorded_at, created_at = map(format_instant, clocks)
    return {
        "id": str(identity),
        "timeline": slug,
        "title": title,
        "summary": summary,
        "when": edtf,
        "bounds": {
            "start": {"earliest": earliest, "latest": latest},
            "end": {"earliest": end_earliest, "latest": end_latest},
        },
        "status": status,
        "status_reason": reason,
        "previously": json.loads(previously),
        "kind": kind,
        "participants": [
            {"actor": actor, "name": name, "role": role}
            for actor, name, role in rows(
                "SELECT actor, name, role FROM event_participant WHERE event_id = %s ORDER BY position"
            )
        ],
        "place": None if place is None else {"place": place, "name": place_name},
        "topics": [topic for (topic,) in rows("SELECT topic FROM event_topic WHERE event_id = %s ORDER BY position")],
        "claims": [
            {
                "id": str(claim),
                "source": source,
                "title": claim_title,
                "attributed_to": attributed_to,
                "quote": quote,
                "asserts": {"status": asserts_status, "when": asserts_when},
                "reported_at": format_instant(reported),
            }
            for claim, source, claim_title, attributed_to, quote, asserts_status, asserts_when, reported in rows(
                "SELECT claim_id, source, title, attributed_to, quote, asserts_status, asserts_edtf, reported_at"
                " FROM claim WHERE event_id = %s ORDER BY position"
            )
        ],
        "links": [
            {"rel": rel, "event": str(other)}
            for rel, other in rows("SELECT rel, other_id FROM event_link WHERE event_id = %s ORDER BY 1, 2")
        ],
        "version": version,
        "reported_at": reported_at,
        "recorded_at": recorded_at,
        "created_at": created_at,
    }


@pytest.mark.parametrize("seed", range(12 if IS_LONG else 2))
def test_the_copies_agree_after_any_sequence_of_writes(module_database_url: str, seed: int) -> None:
    with connected(module_database_url) as client, psycopg.connect(module_database_url, autocommit=True) as direct:
        register(direct)
        writer = Writer(client, seed)
        statuses = [writer.write().status_code for _ in range(120)]
        assert set(statuses) <= {200, 201, 204, 409}
        assert {200, 201, 204} <= set(statuses)
        documents = client.read(writer.events, limit=200)["items"]
        assert documents
        for document in documents:
            explained = client.read("/v1/dates", edtf=document["when"])
            derived = {name: explained[name] for name in ("precision", "approximate", "uncertain")}
            assert rendered(direct, document["id"]) | derived == document
        for table in PARTS:
            assert copied_columns(direct, table) >= {"start_earliest", "end_latest"}
            for column in copied_columns(direct, table):
                wrong = direct.execute(
                    f"SELECT count(*), count(*) FILTER (WHERE part.{column} IS DISTINCT FROM event.{column})"
                    f" FROM {table} part JOIN event USING (timeline_id, event_id)".encode()
                ).fetchone()
                assert wrong is not None
                assert wrong[0] > 0, table
                assert wrong[1] == 0, (table, column)
        assert differing_facets(direct) == (True, 0)


def differing_facets(connection: psycopg.Connection) -> tuple[bool, int]:
    """Tell whether any state has something that filters find it by, and count what is not as the state says."""
    columns = "timeline_id, event_id, version, reach, start_earliest, end_latest, known, gapped"
    states = f"SELECT {columns}, unnest(facets) AS facet FROM event_state"
    copies = f"SELECT {columns}, facet FROM state_facet"
    found = connection.execute(
        f"SELECT EXISTS ({copies}), (SELECT count(*) FROM (({states} EXCEPT {copies}) UNION ALL"
        f" ({copies} EXCEPT {states})) AS differing)".encode()
    ).fetchone()
    assert found is not None
    return bool(found[0]), int(found[1])


def copied_columns(connection: psycopg.Connection, table: str) -> set[str]:
    """Name the columns of time that a table of parts shares with its event."""
    found = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
        " INTERSECT SELECT column_name FROM information_schema.columns WHERE table_name = 'event'",
        [table],
    ).fetchall()
    return {name for (name,) in found} & {"start_earliest", "end_latest", "possible", "reach"}
