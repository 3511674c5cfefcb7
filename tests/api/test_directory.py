"""Timelines, actors, places and sources: four lists with the same five operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.client import Client
from tests.factories import (
    actor_body,
    fresh_slug,
    make_actor,
    make_event,
    make_place,
    make_source,
    make_timeline,
    place_body,
    source_body,
    timeline_body,
)

BODIES: dict[str, Callable[..., dict[str, Any]]] = {
    "timelines": timeline_body,
    "actors": actor_body,
    "places": place_body,
    "sources": source_body,
}
FULL: dict[str, dict[str, Any]] = {
    "timelines": {"title": "Syria, 2013", "description": "What happened.\nWhat did not.", "visibility": "private"},
    "actors": {
        "name": "John Kerry",
        "kind": "person",
        "aliases": ["Kerry", "Secretary Kerry"],
        "same_as": ["https://example.org/kerry"],
    },
    "places": {
        "name": "Moscow",
        "country": "RU",
        "latitude": 55.7558,
        "longitude": 37.6173,
        "same_as": ["https://example.org/moscow"],
    },
    "sources": {
        "title": "Rapprochement",
        "publisher": "A paper",
        "author": "A writer",
        "url": "https://example.org/article?x=1",
        "published": "2013-02-20",
        "language": "en-GB",
    },
}
LEAST: dict[str, dict[str, Any]] = {
    "timelines": {"description": None, "visibility": "public"},
    "actors": {"aliases": [], "same_as": []},
    "places": {"country": None, "latitude": None, "longitude": None, "same_as": []},
    "sources": {"publisher": None, "author": None, "url": None, "published": None, "language": None},
}
SHELVES = tuple(BODIES)
CALLED = {"timelines": "title", "actors": "name", "places": "name", "sources": "title"}


def shown(made: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the service adds to a timeline."""
    return {name: value for name, value in made.items() if name not in ("version", "created_at")}


@pytest.mark.parametrize("shelf", SHELVES)
def test_an_entry_is_created_whole(api: Client, shelf: str) -> None:
    body = BODIES[shelf](**FULL[shelf])
    answer = api.post(f"/v1/{shelf}", body)
    assert answer.status_code == 201
    assert shown(answer.json()) == body
    assert answer.headers["location"] == f"/v1/{shelf}/{body['slug']}"
    assert answer.headers["etag"] == '"1"'
    read = api.get(answer.headers["location"])
    assert (read.json(), read.headers["etag"]) == (answer.json(), '"1"')


@pytest.mark.parametrize("shelf", SHELVES)
def test_what_is_left_out_has_its_default(api: Client, shelf: str) -> None:
    body = BODIES[shelf]()
    assert shown(api.post(f"/v1/{shelf}", body).json()) == body | LEAST[shelf]


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_taken_slug_is_a_conflict(api: Client, shelf: str) -> None:
    body = BODIES[shelf]()
    api.post(f"/v1/{shelf}", body)
    again = api.post(f"/v1/{shelf}", body | {CALLED[shelf]: "Another"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/already-exists")
    assert again.json()["detail"].endswith(f"'{body['slug']}' exists already: /v1/{shelf}/{body['slug']}")
    assert api.read(f"/v1/{shelf}/{body['slug']}")[CALLED[shelf]] != "Another"


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_patch_changes_what_it_names_and_null_clears(api: Client, shelf: str) -> None:
    body = BODIES[shelf](**FULL[shelf])
    api.post(f"/v1/{shelf}", body)
    path = f"/v1/{shelf}/{body['slug']}"
    renamed = api.patch(path, {CALLED[shelf]: "Another"}, '"1"')
    assert (renamed.status_code, renamed.headers["etag"]) == (200, '"2"')
    assert shown(renamed.json()) == body | {CALLED[shelf]: "Another"}
    cleared = api.patch(path, dict.fromkeys(LEAST[shelf]), '"2"')
    assert shown(cleared.json()) == {**body, CALLED[shelf]: "Another", **LEAST[shelf]}
    assert api.read(path) == cleared.json()


@pytest.mark.parametrize("shelf", SHELVES)
def test_what_an_entry_needs_cannot_be_cleared_and_its_slug_never_changes(api: Client, shelf: str) -> None:
    body = BODIES[shelf]()
    api.post(f"/v1/{shelf}", body)
    path = f"/v1/{shelf}/{body['slug']}"
    for patch, pointer in (({CALLED[shelf]: None}, f"/{CALLED[shelf]}"), ({"slug": fresh_slug("new")}, "/slug")):
        answer = api.patch(path, patch, "*")
        assert (answer.status_code, [e["pointer"] for e in answer.json()["errors"]]) == (422, [pointer])


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_deleted_entry_is_gone_and_its_slug_is_free(api: Client, shelf: str) -> None:
    body = BODIES[shelf](**FULL[shelf])
    api.post(f"/v1/{shelf}", body)
    path = f"/v1/{shelf}/{body['slug']}"
    assert api.delete(path, '"1"').status_code == 204
    assert api.get(path).status_code == 404
    assert api.patch(path, {CALLED[shelf]: "x"}, "*").status_code == 404
    assert api.delete(path, "*").status_code == 404
    assert api.post(f"/v1/{shelf}", body).status_code == 201


@pytest.mark.parametrize("shelf", SHELVES)
@pytest.mark.parametrize(
    "slug", ["", "A", "a b", "-a", "a-", "a--b", "é", "a/b", "a" * 81, "a\n", "\x00", 5, None, ["a"]]
)
def test_a_slug_has_its_form(api: Client, shelf: str, slug: object) -> None:
    answer = api.post(f"/v1/{shelf}", BODIES[shelf](slug=slug))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/slug")
    assert api.post(f"/v1/{shelf}", BODIES[shelf](slug=fresh_slug("a" * 70))).status_code == 201


def test_what_is_in_use_stays(api: Client) -> None:
    actor, place, source = make_actor(api), make_place(api), make_source(api)
    events = make_timeline(api)
    event = make_event(
        api, events, participants=[{"actor": actor}], place={"place": place}, claims=[{"source": source}]
    )
    paths = [events.removesuffix("/events"), f"/v1/actors/{actor}", f"/v1/places/{place}", f"/v1/sources/{source}"]
    for path in paths:
        refused = api.delete(path, "*")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/in-use"), path
        assert api.get(path).status_code == 200
    api.delete(f"{events}/{event['id']}", "*")
    timeline, *entries = paths
    for path in entries:
        assert api.delete(path, "*").status_code == 204, path
    kept = api.delete(timeline, "*")
    assert (kept.status_code, kept.json()["detail"]) == (409, "it is in use: it keeps the history of events")


@pytest.mark.one_server
def test_what_is_in_use_stays_whatever_language_the_database_speaks(api: Client, direct: psycopg.Connection) -> None:
    actor = make_actor(api)
    direct.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE 'Aktualisieren oder Löschen in Tabelle »actor« verletzt Fremdschlüssel-Constraint'"
        " USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'event_participant_actor_fkey'; END $$"
    )
    direct.execute("CREATE TRIGGER refuse BEFORE DELETE ON actor FOR EACH ROW EXECUTE FUNCTION refuse()")
    try:
        refused = api.delete(f"/v1/actors/{actor}", "*")
    finally:
        direct.execute("DROP FUNCTION refuse CASCADE")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/in-use")
    assert "events" in refused.json()["detail"]


# Lists


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_list_is_walked_in_the_order_of_slugs_whatever_is_written_meanwhile(api: Client, shelf: str) -> None:
    prefix = fresh_slug("zz")
    for name in ("d", "b", "c", "a", "e"):
        assert api.post(f"/v1/{shelf}", BODIES[shelf](slug=f"{prefix}-{name}")).status_code == 201
    seen = []
    for page in api.pages(f"/v1/{shelf}", limit=2):
        assert len(page["items"]) <= 2
        seen += [one["slug"] for one in page["items"]]
        if seen[-1] == f"{prefix}-b":
            api.delete(f"/v1/{shelf}/{prefix}-b", "*")
            api.post(f"/v1/{shelf}", BODIES[shelf](slug=f"{prefix}-aa"))
            api.post(f"/v1/{shelf}", BODIES[shelf](slug=f"{prefix}-bb"))
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen))
    ours = [slug.removeprefix(f"{prefix}-") for slug in seen if slug.startswith(f"{prefix}-")]
    assert set("abcde") <= set(ours)


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_list_holds_fifty_unless_asked_otherwise(api: Client, shelf: str) -> None:
    for _ in range(51):
        api.post(f"/v1/{shelf}", BODIES[shelf]())
    assert len(api.read(f"/v1/{shelf}")["items"]) == 50
    assert len(api.read(f"/v1/{shelf}", limit=51)["items"]) == 51
    for wrong in (0, 201, "x"):
        answer = api.get(f"/v1/{shelf}", limit=wrong)
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "limit")


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_list_is_searched_by_name_whatever_the_case(api: Client, shelf: str) -> None:
    name = f"Ærø, {fresh_slug('so')} 'called'; --"
    slugs = [api.post(f"/v1/{shelf}", BODIES[shelf](**{CALLED[shelf]: name})).json()["slug"] for _ in range(3)]
    for asked in (name, name.upper(), name.lower()):
        # the letters beyond ASCII have a case only where the database's locale knows one
        written = asked.replace("ÆRØ", "Ærø").replace("ærø", "Ærø")
        found = api.walk(f"/v1/{shelf}", name=written, limit=1)
        assert [one["slug"] for one in found] == sorted(slugs)
    assert api.walk(f"/v1/{shelf}", name=name[:-1]) == []
    for wrong in ("", "x" * 301, "a\x00"):
        answer = api.get(f"/v1/{shelf}", name=wrong)
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "name")


def test_a_page_of_a_list_links_to_the_next(api: Client) -> None:
    make_actor(api), make_actor(api)
    page = api.get("/v1/actors", limit=1)
    target = page.headers["link"].partition(">")[0][1:]
    assert api.send("GET", target).json() == api.read("/v1/actors", limit=1, cursor=page.json()["next"])


def test_an_actor_is_found_by_its_aliases(api: Client) -> None:
    alias = fresh_slug("alias")
    slug = make_actor(api, aliases=[alias, "Other", alias, "other"])
    assert api.read(f"/v1/actors/{slug}")["aliases"] == [alias, "Other", "other"]
    assert [one["slug"] for one in api.walk("/v1/actors", name=alias.upper())] == [slug]
    api.patch(f"/v1/actors/{slug}", {"aliases": ["third", "Other"]}, "*")
    assert api.read(f"/v1/actors/{slug}")["aliases"] == ["third", "Other"]
    assert api.walk("/v1/actors", name=alias) == []


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(90, 180), (-90, -180), (0, 0), (-0.0, 1e-300), (55.755812345678901, 37.6)]
)
def test_coordinates_are_kept(api: Client, latitude: float, longitude: float) -> None:
    place = api.read(f"/v1/places/{make_place(api, latitude=latitude, longitude=longitude)}")
    assert (place["latitude"], place["longitude"]) == (latitude, longitude)


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"latitude": 90.0001, "longitude": 0}, "/latitude"),
        ({"latitude": 0, "longitude": -180.0001}, "/longitude"),
        ({"latitude": "55", "longitude": 0}, "/latitude"),
        ({"latitude": True, "longitude": 0}, "/latitude"),
        ({"latitude": 55}, ""),
        ({"longitude": 37}, ""),
        ({"country": "ru"}, "/country"),
        ({"country": "RUS"}, "/country"),
        ({"same_as": ["javascript:alert(1)"]}, "/same_as/0"),
        ({"same_as": ["https://example.org/", "ftp://example.org"]}, "/same_as/1"),
    ],
)
def test_a_place_is_somewhere(api: Client, members: dict[str, object], pointer: str) -> None:
    slug = make_place(api, latitude=1, longitude=2)
    for answer in (
        api.post("/v1/places", place_body(**members)),
        api.patch(f"/v1/places/{slug}", members if pointer else dict.fromkeys(members), "*"),
    ):
        assert answer.status_code == 422, answer.text
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"published": "2013-02-30"}, "/published"),
        ({"language": "english language"}, "/language"),
        ({"url": "example.org"}, "/url"),
        ({"url": "https://example.org/a b"}, "/url"),
        ({"title": " \t\n"}, "/title"),
        ({"title": "x" * 501}, "/title"),
    ],
)
def test_a_source_is_described_honestly(api: Client, members: dict[str, object], pointer: str) -> None:
    slug = make_source(api)
    for answer in (api.post("/v1/sources", source_body(**members)), api.patch(f"/v1/sources/{slug}", members, "*")):
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
