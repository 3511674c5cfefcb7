"""A table says the same when it is read again, and nothing that a spreadsheet would execute."""

from __future__ import annotations

import csv
import json
from io import BytesIO, StringIO
from typing import Any

import pytest
from hypothesis import example, given
from pydantic import ValidationError

from service.formats.csv import COLUMNS, CsvWriter, read_csv
from service.formats.reading import ReadLine, UnreadableLine
from service.wire.event import Event
from service.wire.line import EventLine
from tests.formats.making import batch, events, make, thorough, written

# When it was reported is said in a column that is not read: who changes a row reports it now.
NOT_WRITTEN = {"key", "reason", "supersede", "reported_at"}
WRITABLE = EventLine.model_fields.keys() - NOT_WRITTEN
# Those that a spreadsheet takes for the begin of a formula, in Japan the wide ones, and what it passes over before it.
FORMULA_SIGNS = tuple("=+-@＝＋－＠ \t\r\n\xa0")
LINE_BYTES = 1024 * 1024


def read(content: bytes) -> list[ReadLine | UnreadableLine]:
    """Read a table."""
    return list(read_csv(BytesIO(content), line_bytes=LINE_BYTES))


def cells_of(content: bytes) -> list[list[str]]:
    """Read cells as anybody's reader does."""
    return list(csv.reader(StringIO(content.decode(), newline=""), strict=True))


def said(event: Event) -> dict[str, Any]:
    """Tell what a client would write of an event; a cell cannot tell an empty text from none."""
    members = event.model_dump(include=set(WRITABLE))
    return members | {name: members[name] or None for name in ("summary", "status_reason")}


def line_of(**cells: str) -> ReadLine | UnreadableLine:
    """Read a record of these cells, and of what an event needs."""
    cells = {"title": "Talks", "when": "2013", "status": "planned"} | cells
    text = StringIO()
    csv.writer(text).writerows([cells.keys(), cells.values()])
    (line,) = read(text.getvalue().encode())
    return line


@thorough
@given(events())
@example(make(title="\x1c", summary=" ", status_reason="", place={"place": "a", "name": "\x1d"}))
@example(make(title="'=1", summary="'' =1", status_reason="'"))
@example(make(when="-0043-03-15", title="\n=1", claims=[{"source": "a", "quote": " "}]))
@example(make(participants=[{"actor": "a", "name": "b=c; d"}, {"actor": "a", "name": " b", "role": "c=d"}]))
def test_what_is_written_is_read_as_the_same_event(event: Event) -> None:
    (line,) = read(written(CsvWriter(), batch(event)))
    assert isinstance(line, ReadLine), line
    assert line.event.model_dump(include=set(WRITABLE)) == said(event)
    assert line.event.model_dump(include=NOT_WRITTEN) == dict.fromkeys(NOT_WRITTEN) | {"supersede": False}


@thorough
@given(events())
@example(make(title="＝1", summary="＋1", status_reason="－1", place={"place": "a", "name": "＠1"}))
def test_no_cell_begins_as_a_formula_does_and_all_records_have_the_same_columns(event: Event) -> None:
    header, cells = cells_of(written(CsvWriter(), batch(event)))
    assert len(cells) == len(header) == len(set(header))
    assert not [cell for cell in cells if cell.startswith(FORMULA_SIGNS)]
    named = dict(zip(header, cells, strict=True))
    assert named["title"] in (event.title, f"'{event.title}")


def test_the_columns_are_the_same_whatever_there_is_to_write() -> None:
    empty = written(CsvWriter())
    (header,) = cells_of(empty)
    full = make(summary="A", place={"place": "a"}, topics=["b"], claims=[{"source": "c"}])
    assert written(CsvWriter(), batch(), batch(full)).startswith(empty)
    assert set(header) < set(COLUMNS)
    assert header[0] == "id"
    assert {"claims", "participants", "topics", "place_name", "start_earliest", "end_latest"} < set(header)


def test_several_batches_are_one_table() -> None:
    first, second, third = make(title="1"), make(title="2"), make(title="3")
    content = written(CsvWriter(), batch(first, second), batch(), batch(third))
    lines = [line for line in read(content) if isinstance(line, ReadLine)]
    assert [line.event.title for line in lines] == ["1", "2", "3"]
    assert content.endswith(b"\r\n")


def test_participants_are_written_to_be_read_by_people_where_they_can_be() -> None:
    header, plain, odd = cells_of(
        written(
            CsvWriter(),
            batch(
                make(participants=[{"actor": "a", "name": "Ann"}, {"actor": "b", "name": "Ben", "role": "host"}]),
                make(participants=[{"actor": "a", "name": "Ann; Ben"}]),
            ),
        )
    )
    place = header.index("participants")
    assert plain[place] == "a=Ann; b=Ben=host"
    assert json.loads(odd[place]) == [{"actor": "a", "name": "Ann; Ben"}]


@pytest.mark.parametrize(
    ("cell", "read_as"),
    [
        ("a", [("a", None, None)]),
        ("a=Ann", [("a", "Ann", None)]),
        ("a=Ann=host", [("a", "Ann", "host")]),
        ("a==host", [("a", None, "host")]),
        (" a = Ann = host=ess ;; b ; ", [("a", "Ann", "host=ess"), ("b", None, None)]),
        ('[{"actor": "a", "name": "Ann; Ben"}]', [("a", "Ann; Ben", None)]),
        ("[]", []),
        (" ", []),
    ],
)
def test_participants_are_read_in_every_form(cell: str, read_as: list[tuple[str, str | None, str | None]]) -> None:
    line = line_of(participants=cell)
    assert isinstance(line, ReadLine)
    assert [(one.actor, one.name, one.role) for one in line.event.participants] == read_as


def test_claims_in_a_column_and_one_claim_in_columns_are_not_taken_together() -> None:
    line = line_of(claims='[{"source": "a"}]', source="b")
    assert isinstance(line, UnreadableLine)
    assert "claims" in str(line.why)
    alone = line_of(claims='[{"source": "a"}]', source=" ")
    assert isinstance(alone, ReadLine)
    assert [one.source for one in alone.event.claims] == ["a"]


@pytest.mark.parametrize("column", ["claims", "participants", "topics"])
@pytest.mark.parametrize(
    "cell",
    [
        "[",
        "[1,]",
        '["a"',
        "[NaN]",
        "[{}]",
        "[[]]",
        "[null]",
        "[Infinity, 1e999]",
        '["\\ud800"]',
        f"[{'9' * 5_000}]",
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        "[" * 900 + "]" * 900,
        '[{"a":' * 400 + "1" + "}]" * 400,
        '{"source": "a"}',
        '"a"',
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_list_of_what_it_should_be_is_an_unreadable_line(column: str, cell: str) -> None:
    line = line_of(**{column: cell})
    assert isinstance(line, UnreadableLine)
    assert isinstance(line.why, ValidationError)
    assert {error["loc"][0] for error in line.why.errors()} == {column}


@pytest.mark.parametrize("cell", ["null", "5", "a", "true"])
def test_claims_are_a_list_and_no_other_json(cell: str) -> None:
    line = line_of(claims=cell)
    assert isinstance(line, UnreadableLine)
    assert isinstance(line.why, ValidationError)


def test_a_record_that_cannot_be_read_is_told_as_it_could_have_stood_there() -> None:
    line = line_of(title='A "title"\nof two, or\r three lines', when="never")
    assert isinstance(line, UnreadableLine)
    assert cells_of(line.text) == [['A "title"\nof two, or\r three lines', "never", "planned"]]
    assert not line.text.endswith((b"\r", b"\n"))


@pytest.mark.parametrize("title", ["'-ism' is born", "' a", "'=1"])
def test_a_table_of_somebody_else_keeps_its_apostrophes(title: str) -> None:
    line = line_of(title=title)
    assert isinstance(line, ReadLine)
    assert line.event.title == title
    ours = line_of(title=title, recorded_at="2013-02-20T00:00:00Z")
    assert isinstance(ours, ReadLine)
    assert ours.event.title == title[1:]


def test_a_record_may_be_longer_than_a_line_of_json() -> None:
    """A quote within JSON takes two bytes, and each of them two within a cell."""
    quotes = [{"source": "a", "quote": '"' * 20_000}] * 25
    (line,) = read(written(CsvWriter(), batch(make(claims=quotes))))
    assert isinstance(line, ReadLine)
    assert [one.quote for one in line.event.claims] == ['"' * 20_000] * 25
