"""An import that cannot be read, or asks for too much, is refused in words, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import gzip
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from service import importing as importing_module
from service import wording
from service.formats.reading import MOST_BLANK_LINES
from service.importing import MOST_ERRORS
from service.store import importing
from service.store.importing import Import
from tests.api.test_changes import slug_of
from tests.api.test_import import CSV, NDJSON, count, lines, send, tally
from tests.api.test_problems import is_problem
from tests.client import Client, connected
from tests.conftest import missing
from tests.factories import event_body, make_timeline


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"title": ', "is no JSON text: EOF while parsing a value at column 9"),
        (b"[]", "must be an object"),
        (b'"text"', "must be an object"),
        (b"\xff\xfe", "is no JSON text"),
        (b"[" * 10_000, "is no JSON text"),
        (b'{"title": "a\\u0000b", "when": "2013", "status": "planned"}', "NUL"),
        (b'{"title": "\\ud800", "when": "2013", "status": "planned"}', "is no JSON text"),
        (b'{"title": "t", "when": "2013", "status": "planned", "id": "7"}', "must be a UUID"),
        (b'{"title": "t", "when": "2013", "status": "planned", "key": ""}', "must not be empty"),
        (lines(event_body(key="k", id=str(uuid4()))).strip(), "one of them says which event it is"),
        (b'{"title": "%b"}' % (b"x" * 1024 * 1024), "is longer than 1048576 bytes"),
        (lines({f"m{i}": 1 for i in range(200)}).strip(), "more than 100 members"),
    ],
    ids=range(12),
)
def test_a_line_that_is_no_event_is_told_and_the_next_one_read(api: Client, line: bytes, said: str) -> None:
    events = make_timeline(api)
    content = b"\n  \n" + line + b"\n" + lines(event_body(title="after it")).replace(b"\n", b"\r\n")
    answer = send(api, events, content, atomic=False)
    assert tally(answer) == {"created": 1, "refused": 1}
    (error,) = answer.json()["errors"]
    assert error["line"] == 3
    assert said in error["detail"]
    assert api.titles(events) == ["after it"]


def test_no_more_is_told_than_anyone_reads(api: Client) -> None:
    events = make_timeline(api)
    content = b"nonsense\n" * 5_000 + lines(event_body())
    answer = send(api, events, content)
    assert is_problem(answer, 422, "import-refused")
    assert len(answer.json()["errors"]) == 20
    answer = send(api, events, content, atomic=False)
    assert tally(answer) == {"created": 1, "refused": 5_000}
    assert len(answer.json()["errors"]) == 100


@pytest.mark.parametrize(
    ("table", "line", "said"),
    [
        (b"", 1, "names no columns"),
        (b"title,datum\nA,2013\n", 1, "'datum' is unknown"),
        (b"title,when,title\n", 1, "stands twice"),
        (b"title,when,status\nA,2013\n", 2, "has 2 cells where the first line has 3"),
        (b'title,when,status\n"A\nB",2013,planed\n', 3, "did you mean"),
        (b"title,when,status\nA,2013,planned\n\xff,2013,planned\n", 3, "is not UTF-8"),
        (b"title;when;status\nA;2013;planned\n", 1, "not semicolons"),
        (b'title,when,status\n"A"B,2013,planned\n', 2, "is no CSV"),
    ],
    ids=range(8),
)
def test_a_table_that_cannot_be_read_says_where(api: Client, table: bytes, line: int, said: str) -> None:
    answer = send(api, make_timeline(api), table, CSV)
    assert is_problem(answer, 422, "import-refused")
    (error,) = answer.json()["errors"]
    assert error["line"] == line
    assert said in error["detail"]


def test_another_type_is_refused(api: Client) -> None:
    assert is_problem(send(api, make_timeline(api), b"{}", "application/json"), 415, "unsupported-media-type")


async def _in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for i in range(0, len(content), 1000):
        yield content[i : i + 1000]


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_body_may_be_longer_than_others_and_no_longer_than_is_said(database_url: str, *, is_chunked: bool) -> None:
    fits = lines(*(event_body(title=f"{i}") for i in range(100)))
    with connected(database_url, body_bytes=2_000, import_bytes=len(fits)) as client:
        events = make_timeline(client)
        answer = send(client, events, _in_pieces(fits) if is_chunked else fits)
        assert tally(answer) == {"created": 100}
        answer = send(client, events, _in_pieces(fits + b"\n") if is_chunked else fits + b"\n")
        assert is_problem(answer, 413, "too-large")
        assert f"at most {len(fits)} bytes" in answer.json()["detail"]
        assert is_problem(client.post(events, event_body(summary="x" * 2_000)), 413, "too-large")


def test_one_import_is_done_at_a_time(database_url: str) -> None:
    with connected(database_url) as client, ThreadPoolExecutor(1) as pool:
        events = make_timeline(client)
        turn = client.app.state.database.imports
        client.portal.call(turn.acquire)
        waiting = pool.submit(send, client, events, lines(event_body()))
        while client.portal.call(lambda: not turn._waiters):
            time.sleep(0.01)
        assert count(client, events) == 0
        client.portal.call(turn.release)
        assert tally(waiting.result(timeout=60)) == {"created": 1}


def test_bodies_on_their_way_have_only_so_much_room(database_url: str) -> None:
    async def held(release: asyncio.Event, begun: asyncio.Event) -> AsyncIterator[bytes]:
        yield b" " * 800
        begun.set()
        await release.wait()
        yield lines(event_body())

    with connected(database_url, import_bytes=1024) as client, ThreadPoolExecutor(1) as pool:
        events = make_timeline(client)
        release, begun = asyncio.Event(), asyncio.Event()
        first = pool.submit(send, client, events, held(release, begun))
        client.portal.call(begun.wait)
        answer = send(client, events, b" " * 400)
        assert is_problem(answer, 503, "unavailable")
        assert "no room for this one" in answer.json()["detail"]
        client.portal.call(release.set)
        assert tally(first.result(timeout=60)) == {"created": 1}
        assert tally(send(client, events, b" " * 900)) == {}


@pytest.mark.parametrize("size", [1, 300_000])
def test_a_full_disk_is_no_fault(api: Client, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    if not Path("/dev/full").exists():
        missing("/dev/full")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb"))  # noqa: PTH123, SIM115
    answer = send(api, make_timeline(api), b" " * size)
    assert is_problem(answer, 503, "unavailable")
    assert "no room to keep the body" in answer.json()["detail"]


def test_a_compressed_body_is_not_taken_for_text(api: Client) -> None:
    path = make_timeline(api).removesuffix("/events") + "/import"
    headers = {"Content-Type": NDJSON, "Content-Encoding": "gzip"}
    answer = api.send("POST", path, content=gzip.compress(lines(event_body())), headers=headers)
    assert is_problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("media_type", [NDJSON, CSV])
def test_nobody_waits_for_lines_that_say_nothing(api: Client, media_type: str) -> None:
    head = b"title,when,status\n" if media_type == CSV else b""
    answer = send(api, make_timeline(api), head + b"\n" * 5_000_000, media_type)
    assert is_problem(answer, 422, "import-refused")
    assert "blank lines" in answer.json()["detail"]
    assert tally(send(api, make_timeline(api), head + b"\n" * MOST_BLANK_LINES, media_type)) == {}


def test_a_record_has_an_end(api: Client) -> None:
    answer = send(api, make_timeline(api), b"title,when,status\nA,2013,planned\n" + b'"a\n",' * 1_000_000, CSV)
    assert is_problem(answer, 422, "import-refused")
    assert "is longer than 4194304 bytes" in answer.json()["detail"]


def test_events_that_are_refused_take_no_more_locks_than_others(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    events = make_timeline(api)
    monkeypatch.setattr(importing, "MOST_AMENDED", 2)
    made = [event_body(key=f"{i}") for i in range(5)]
    assert tally(send(api, events, lines(*made))) == {"created": 5}
    future = [one | {"reported_at": "2999-01-01T00:00:00Z"} for one in made]
    assert tally(send(api, events, lines(*future), atomic=False)) == {"refused": 5}
    older = [one | {"reported_at": "2013-01-01T00:00:00Z", "kind": "meeting"} for one in made]
    assert is_problem(send(api, events, lines(*older), atomic=False), 413, "too-large")


def test_a_timeline_that_is_deleted_meanwhile_is_not_there(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    events = make_timeline(api)
    looked = Import._look_around

    async def then_deleted(self: Import, connection: Any, some: Any) -> Any:  # noqa: ANN401
        around = await looked(self, connection, some)
        await connection.execute("DELETE FROM timeline WHERE slug = %s", [slug_of(events)])
        return around

    monkeypatch.setattr(Import, "_look_around", then_deleted)
    assert is_problem(send(api, events, lines(event_body()), atomic=False), 404, "not-found")


def test_a_transaction_changes_only_so_many_events(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    events = make_timeline(api)
    monkeypatch.setattr(importing, "MOST_AMENDED", 2)
    made = [event_body(key=f"{i}") for i in range(3)]
    assert tally(send(api, events, lines(*made))) == {"created": 3}
    answer = send(api, events, lines(*(one | {"title": "another"} for one in made)))
    assert is_problem(answer, 413, "too-large")
    assert api.titles(events) == ["A meeting"] * 3


def test_no_more_is_put_into_words_than_is_told(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large import that would keep all others waiting."""
    said = []

    def in_words(error: Mapping[str, Any], forms: Mapping[str, str]) -> str:
        said.append(error)
        return wording.in_words(error, forms)

    monkeypatch.setattr(importing_module, "in_words", in_words)
    line = event_body(claims=[{"sourse": "paper"}] * 30)
    answer = send(api, make_timeline(api), lines(*[line] * 300), atomic=False)
    assert (answer.json()["refused"], len(answer.json()["errors"])) == (300, MOST_ERRORS)
    assert len(said) == MOST_ERRORS
