"""What an archive may not be, and what it may not change: it is told in words, line by line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from service import recounting, rerendering
from service.formats.reading import UnreadableFileError
from service.purging import purge
from service.wire import shape
from tests.archive.going_and_coming import brought, written
from tests.client import Client, connected
from tests.factories import Json, make_actor, make_event, make_timeline, path_of
from tests.store.older_shape import UPGRADES


@pytest.fixture(scope="module")
def event(here: Client) -> Json:
    """Make an event of two states, that names an actor."""
    actor = make_actor(here, aliases=["Another"])
    made = make_event(here, make_timeline(here), participants=[{"actor": actor}], reported_at="2013-02-01T00:00:00Z")
    changed: Json = here.patch(path_of(made), {"title": "Changed", "reason": "known better"}, '"1"').json()
    return changed


@pytest.fixture(scope="module")
def archive(here_url: str, event: Json) -> bytes:
    return written(here_url, event["timeline"])


def with_line(archive: bytes, number: int, change: Callable[[Json], object]) -> bytes:
    """Change what a line says, counted from 1."""
    lines = archive.splitlines()
    said = json.loads(lines[number - 1])
    change(said)
    lines[number - 1] = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    return b"\n".join(lines) + b"\n"


FIRST, SECOND, LAST = 4, 5, 6  # after the header, the timeline and the actor
OTHER: Json = {"state": {"event": "018f3d5e-7a1b-7c3d-8e4f-5a6b7c8d9e0f"}}


def link_to(state: Json) -> Json:
    return {"rel": "follows", "event": state["state"]["event"]}


def test_it_is_lines_of_json_that_say_what_they_are(archive: bytes, event: Json) -> None:
    header, timeline, actor, *states, end = (json.loads(line) for line in archive.splitlines())
    assert header == {"dateline": "archive", "format": 1}
    assert (timeline["timeline"]["slug"], actor["actor"]["aliases"]) == (event["timeline"], ["Another"])
    assert [one["state"]["version"] for one in states] == [1, 2]
    assert states[1]["document"] == event
    assert states[1]["state"] == {
        "event": event["id"],
        "version": 2,
        "reported_at": event["reported_at"],
        "recorded_at": event["recorded_at"],
        "supersedes": False,
        "author": "dl_testadmin0",
        "reason": "known better",
        "shape": 1,
    }
    assert end == {"end": {"timelines": 1, "events": 1, "states": 2}}


@pytest.mark.parametrize(
    ("number", "change", "line", "said"),
    [
        (FIRST, lambda one: one["state"].update(version=2), FIRST, "the document's version is 1"),
        (SECOND, lambda one: one["document"].update(timeline="other"), SECOND, "the document's timeline is other"),
        (SECOND, lambda one: one["document"].update(when="soon"), SECOND, "is no date"),
        (SECOND, lambda one: one["document"].update(title=""), SECOND, "must not be empty"),
        (SECOND, lambda one: one["document"].update(links=[link_to(one)]), SECOND, "a link twice, or one to"),
        (SECOND, lambda one: one["document"].update(links=[link_to(OTHER)] * 2), SECOND, "a link twice, or one to"),
        (SECOND, lambda one: one["document"]["participants"][0].update(actor="nobody"), FIRST, "no such actor"),
        (SECOND, lambda one: one["document"].update(created_at="2099-01-01T00:00:00Z"), FIRST, "the database refuses"),
        (SECOND, lambda one: one["state"].update(recorded_at="2099-01-01T00:00:00Z"), SECOND, "yet to come"),
        (SECOND, lambda one: one["state"].update(shape=9), SECOND, "which a later release wrote"),
        (SECOND, lambda one: one["state"].update(mood="good"), SECOND, "is unknown here"),
        (SECOND, lambda one: one["state"].update(reported_at="soon"), SECOND, "expected an instant"),
        (SECOND, lambda one: one.pop("document"), SECOND, "is no line of an archive"),
        (3, lambda one: one["actor"].update(kind="ghost"), 3, "must be"),
        (3, lambda one: one.update(actor=None), 3, "must be an object"),
        (3, lambda one: one.update(ghost=one.pop("actor")), 3, "is no line of an archive"),
    ],
)  # fmt: skip
def test_a_line_that_is_wrong_is_told(
    archive: bytes,
    database_url: str,
    tmp_path: Path,
    number: int,
    change: Callable[[Json], object],
    line: int,
    said: str,
) -> None:
    outcome = brought(database_url, with_line(archive, number, change), tmp_path)
    assert outcome.created == 0
    assert outcome.errors[0][0] == line
    assert said in outcome.errors[0][1]
    with psycopg.connect(database_url) as connection:
        for table in ("event", "event_state", "state_facet", "change", "histogram_change"):
            assert connection.execute(f"SELECT FROM {table}".encode()).fetchall() == []
    assert brought(database_url, archive, tmp_path).created == 1, "once it is mended"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda _: b"", "not that of an archive"),
        (lambda text: text.replace(b'"format":1', b'"format":2', 1), "is of format 2, and this release reads 1"),
        (lambda text: text[: text.rindex(b'{"end"')], "cut off"),
        (lambda text: text[:-20], "cut off"),
        (lambda text: text + b"{}\n", "something follows"),
        (lambda text: text.replace(b'"states":2', b'"states":3'), "more than there is, or of less"),
        (lambda text: text.replace(b'{"timelines":', b'{"stories":'), "does not say how much"),
        (lambda text: b"\n".join([text.splitlines()[0], *text.splitlines()[3:], b""]), "is of no timeline"),
    ],
)
def test_a_file_that_is_no_whole_archive_is_told(
    archive: bytes, database_url: str, tmp_path: Path, spoil: Callable[[bytes], bytes], said: str
) -> None:
    with pytest.raises(UnreadableFileError, match=said):
        brought(database_url, spoil(archive), tmp_path)


def test_it_may_be_written_otherwise(archive: bytes, database_url: str, tmp_path: Path) -> None:
    lines = archive.splitlines()
    spaced = b"\r\n".join([*lines[:-1], b'{"end": ' + lines[-1][len('{"end":') :], b""])
    spaced = spaced.replace(b',"document":', b' , "document" :').replace(b'{"state":', b'{"state": ')
    outcome = brought(database_url, spaced.replace(b'{"state": ', b'{"state":'), tmp_path)
    assert (outcome.created, outcome.errors) == (1, [])
    assert written(database_url) == archive


def test_what_is_private_does_not_come_into_a_public_timeline(
    archive: bytes, event: Json, database_url: str, tmp_path: Path
) -> None:
    with connected(database_url) as client:
        slug = make_timeline(client, slug=event["timeline"]).split("/")[3]
        private = with_line(archive, 2, lambda one: one["timeline"].update(visibility="private"))
        came = brought(database_url, private, tmp_path)
        assert came.errors[1:] == [(FIRST, "its timeline has another visibility here")]
        assert "visibility" in came.errors[0][1]
        assert (came.created, client.get(f"/v1/timelines/{slug}/events").json()["items"]) == (0, [])


def test_what_is_there_otherwise_stays(archive: bytes, event: Json, database_url: str, tmp_path: Path) -> None:
    brought(database_url, archive, tmp_path)
    with connected(database_url) as client:
        client.patch(f"/v1/timelines/{event['timeline']}", {"title": "Mine"}, "*")
        actor = event["participants"][0]["actor"]
        client.patch(f"/v1/actors/{actor}", {"name": "Renamed"}, "*")
        client.patch(path_of(event), {"title": "Mine"}, "*")
        before = written(database_url)
        more = brought(database_url, archive, tmp_path)
        assert more.errors == [
            (2, f"the timeline '{event['timeline']}' is there already, with another title and version, and stays so"),
            (3, f"the actor '{actor}' is there already, with another name and version, and stays so"),
            (4, f"event {event['id']} has another history here: 1 more state"),
        ]
        assert (more.created, more.unchanged) == (0, 0)
        shorter = b"".join(
            archive.replace(b'"states":2', b'"states":1').splitlines(keepends=True)[i] for i in (0, 1, 2, 3, 5)
        )
        assert brought(database_url, shorter, tmp_path).errors[2][1].endswith("2 more states")
        other = with_line(archive, SECOND, lambda one: one["state"].update(author="somebody", reason=None))
        assert brought(database_url, other, tmp_path).errors[2][1].endswith("version 2 differs in author and reason")
        assert written(database_url) == before


def test_what_was_purged_stays_away(archive: bytes, event: Json, database_url: str, tmp_path: Path) -> None:
    brought(database_url, archive, tmp_path)
    purge(database_url, event["timeline"], UUID(event["id"]))
    again = brought(database_url, archive, tmp_path)
    assert again.errors == [(FIRST, f"event {event['id']} was purged here")]
    assert again.created == 0


def test_a_tie_to_what_does_not_come_is_told(here: Client, here_url: str, database_url: str, tmp_path: Path) -> None:
    events = make_timeline(here)
    one, other = make_event(here, events), make_event(here, events)
    here.put(f"{path_of(one)}/links/causes/{other['id']}", None)
    lines = written(here_url, one["timeline"]).splitlines(keepends=True)
    kept = [line for line in lines if f'{{"state":{{"event":"{other["id"]}"'.encode() not in line]
    kept[-1] = kept[-1].replace(b'"events":2,"states":3', b'"events":1,"states":2')
    outcome = brought(database_url, b"".join(kept), tmp_path)
    assert outcome.errors == [(None, f"event {one['id']} is linked to {other['id']} (causes), which is not there")]


def test_an_event_without_states_is_its_only_one(
    here: Client, here_url: str, database_url: str, tmp_path: Path
) -> None:
    """A release before states wrote it: it is exported as the next write of it would adopt it."""
    made = make_event(here, make_timeline(here), reported_at="2013-02-05T00:00:00Z")
    with psycopg.connect(here_url) as connection:
        for table in ("event_state", "state_facet", "change"):
            connection.execute(f"DELETE FROM {table} WHERE event_id = %s".encode(), [made["id"]])  # noqa: S608  # this file's words
    archive = written(here_url, made["timeline"])
    assert b'"author":"unknown","reason":null' in archive
    assert brought(database_url, archive, tmp_path).created == 1
    assert written(database_url) == archive
    assert brought(here_url, archive, tmp_path).unchanged == 1


def test_documents_of_an_older_shape_stay_so(
    here: Client, here_url: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_event(here, make_timeline(here), topics=["talks"])
    with connected(database_url) as client:
        make_timeline(client)
    archive = written(here_url, made["timeline"]).replace(b'"topics":', b'"tags":')
    monkeypatch.setattr(shape, "UPGRADES", UPGRADES)
    assert brought(database_url, archive, tmp_path).created == 1
    assert written(database_url, made["timeline"]) == archive
    assert rerendering.count(database_url) == 2
    assert rerendering.rerender(database_url) == 2
    again = brought(database_url, archive, tmp_path)
    assert (again.unchanged, again.errors) == (1, []), "it says the same in another shape"
    assert set(recounting.check_histograms(database_url).values()) == {0}


def test_http_takes_none(here: Client, archive: bytes) -> None:
    """An archive says who wrote and when it was recorded, which is not for clients to say."""
    answer = here.send(
        "POST",
        make_timeline(here).replace("/events", "/import"),
        content=archive,
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert answer.status_code == 422
    assert "`dateline import`" in answer.text


@pytest.mark.parametrize("place", [10, -8], ids=["its content", "its sum"])
def test_a_packed_file_that_is_damaged_is_told(archive: bytes, database_url: str, tmp_path: Path, place: int) -> None:
    packed = bytearray(gzip.compress(archive))
    packed[place] ^= 0xFF
    with pytest.raises(UnreadableFileError, match="cannot be read behind line"):
        brought(database_url, bytes(packed), tmp_path)


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (SECOND, lambda line: line.replace(b'"known better"', b'"\\ud800"').replace(b'"document":', b' "document":')),
        (SECOND, lambda _: b'{"state":' + b"[" * 100_000),
        (2, lambda line: line.replace(b'"version":1', b'"version":1099511627776')),
        (FIRST, lambda line: line.replace(b'"version":1,', b'"version":4294967297,')),
    ],
    ids=["no text", "too deep", "an entry's version too great", "a state's version too great"],
)
def test_what_no_column_and_no_reader_takes_is_refused(
    archive: bytes, database_url: str, tmp_path: Path, number: int, change: Callable[[bytes], bytes]
) -> None:
    lines = archive.splitlines()
    changed = change(lines[number - 1])
    assert changed != lines[number - 1]
    lines[number - 1] = changed
    try:
        outcome = brought(database_url, b"\n".join(lines) + b"\n", tmp_path)
    except UnreadableFileError:  # so many events there are not
        return
    assert number in [line for line, _ in outcome.errors]


def test_a_line_of_two_events_is_of_none(archive: bytes, database_url: str, event: Json, tmp_path: Path) -> None:
    other = OTHER["state"]["event"]
    lines = archive.splitlines()
    second = lines[SECOND - 1].replace(f'"id":"{event["id"]}"'.encode(), f'"id":"{other}"'.encode())
    lines[SECOND - 1] = second.replace(b',"version":2', f',"event":"{other}","version":2'.encode(), 1)
    outcome = brought(database_url, b"\n".join(lines) + b"\n", tmp_path)
    assert (outcome.created, [line for line, _ in outcome.errors]) == (0, [SECOND])
