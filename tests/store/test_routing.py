"""Every statement of the store is held to one timeline, so that a cluster has one server do it; a few say why not."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import ClauseElement, bindparam, exists, func, insert, select, union_all, update

import service.store
from service.dates import Answer, Relation, Unit, parse_window
from service.store import comparison, counting, histogram, paging, plans, stream, walks
from service.store.directory import Kind
from service.store.distribution import LOCAL, SHARED, SPREAD
from service.store.feed_selection import FeedShape, reading
from service.store.query import FACETS, EventQuery
from service.store.selection import TIMELINE_ID, Shape, is_event
from service.store.statement import Statement
from service.store.walks import TEXT, Lead
from service.tables import change, claim, event, event_state, feed, metadata, timeline
from service.wire.plans import PlanState
from tests.store.routing import Routing

STORE = Path(service.store.__path__[0])
MODULES = [importlib.import_module(f"service.store.{one.name}") for one in pkgutil.iter_modules(service.store.__path__)]

# Those that are of all timelines, or whose rows say of which they are.
OF_ALL = {
    "backlog._BACKLOG": "figures of all webhooks; each server counts its own",
    "bulk._WRITE": "rows that were copied in, each with its timeline",
    "contents._COUNTS[event]": "how much there is in all, after a backup was put back",
    "contents._COUNTS[state]": "how much there is in all, after a backup was put back",
    "dispatch._DUE": "which webhooks have work, asked now and then",
    "dispatch._OLD": "which webhooks have something to be forgotten, asked once an hour",
    "documents._COUNTS[0]": "how many documents are of an older shape, up to a limit",
    "documents._COUNTS[1]": "how many documents are of an older shape, up to a limit",
    "fanout._WAITING": "which webhooks have work, asked now and then",
    "histogram_upkeep._WAITING": "which timelines have changes to be folded, asked now and then",
    "lag._LAG": "how far all feeds lag, for the figures",
    "tail._LOOK": "never asked of a cluster, where each feed's end is asked for by itself",
}
# What builds statements while the service runs; `built` has each of them build some.
BUILDERS = {
    "comparison._comparing", "counting._matching", "counting.count_statement", "feed_selection.reading",
    "histogram._statement", "paging.page_statement", "plans._page", "stream._streamed", "stream.merged_walks",
    "walks._everything", "walks._having", "walks._probe",
}  # fmt: skip
# What builds those that stand in their modules.
AT_IMPORT = {
    "archive._lines", "archive._used", "archived._tying",
    "bulk._statement", "directory.Kind.__init__", "dispatch.timed", "documents._batch", "documents._counted",
    "documents._rewritten", "events._read_state", "feed_selection.up_to_horizon", "importing._names", "wal._position",
}  # fmt: skip
COMPILING = {"compiled", "explained", "timed", "up_to_horizon"}
# Where SQL is written out.
WRITTEN_OUT = {
    "archive": "statements of this house, in a cursor",
    "connection": "each statement of this house",
    "bulk": "the table that rows are copied into, which is the connection's own",
    "contents": "a backup's own way to the database",
    "database": "settings of a transaction; whether there is Citus",
    "distribution": "spreading the tables",
    "epoch": "a statement of this house, run without a pool",
    "migration": "whose turn it is to migrate",
    "pooler": "whether prepared statements are kept: of the pooler, not of a table",
    "roles": "what the service's role is granted",
    "statement": "each statement of this house",
    "stream": "a statement of this house, in a cursor",
}


def standing() -> Iterator[tuple[str, Statement]]:
    """Yield all statements that stand in the store's modules."""
    seen: set[int] = set()

    def walk(value: object, name: str) -> Iterator[tuple[str, Statement]]:
        if isinstance(value, Statement) and id(value) not in seen:
            seen.add(id(value))
            yield name, value
        elif isinstance(value, dict):
            for key, one in value.items():
                yield from walk(one, f"{name}[{key}]")
        elif isinstance(value, list | tuple):
            for i, one in enumerate(value):
                yield from walk(one, f"{name}[{i}]")
        elif isinstance(value, Kind):
            yield from walk(vars(value), name)

    for module in MODULES:
        home = module.__name__.rpartition(".")[2]
        for name, value in vars(module).items():
            yield from walk(value, f"{home}.{name}")


def faults_of(statement: Statement) -> list[str]:
    return [fault for one in statement.distributed or (statement.element,) for fault in Routing(one).faults]


MONTH = EventQuery("a-story", parse_window("2013-02"))
QUERIES = [
    EventQuery("a-story"),
    EventQuery("a-story", parse_window("2013-02/.."), Relation.CONTAINS, Answer.CERTAIN, sort="-date"),
    *(replace(MONTH, facets={name: ("a", "b")}) for name in FACETS),
    replace(MONTH, facets=dict.fromkeys(FACETS, ("a",)), disputed=True),
    replace(MONTH, text="words", facets={"actor": ("a",)}),
    replace(MONTH, overdue=True),
    replace(MONTH, sort="-recorded", overdue=False),
    EventQuery("a-story", text="words", sort="relevance", facets={"source": ("a",)}),
]


def shapes() -> Iterator[Shape]:
    """Yield the shapes of representative queries."""
    for query in QUERIES:
        yield Shape.of(query)
        yield Shape.of(replace(query, known_at=10**15))


def leads(shape: Shape) -> Iterator[Lead | None]:
    yield None
    for name in shape.leads:
        yield Lead(name, several=len(shape.leads) == 1, past=shape.past)
    if shape.text and not shape.past:
        yield Lead(TEXT, several=False)


def built() -> Iterator[tuple[str, Statement]]:
    """Yield statements of all builders, of one timeline."""
    for shape in shapes():
        for lead in leads(shape):
            page = paging.PageShape(shape, is_continued=True, lead=lead if "date" in shape.sort else None)
            yield "paging.page_statement", paging.page_statement.__wrapped__(page)
            yield "counting.count_statement", counting.count_statement.__wrapped__(shape, lead, bounded=True)
            form = histogram._Form(Unit.WEEK, is_begun=True, is_ended=True, query=shape, lead=lead)
            yield "histogram._statement", histogram._statement.__wrapped__(form)
        yield "counting._matching", counting._matching.__wrapped__(shape)
        yield "stream._streamed", stream._streamed.__wrapped__(shape)
        if "date" in shape.sort:
            yield "stream.merged_walks", stream.merged_walks.__wrapped__(shape)
        for documents in (False, True):
            yield "feed_selection.reading", reading.__wrapped__(FeedShape(shape, documents, by_record=documents))
        if shape.leads:
            yield "walks._probe", walks._probe.__wrapped__(shape.leads, past=shape.past)
    for past in (False, True):
        yield "walks._everything", walks._everything.__wrapped__(past=past)
        for name in (*FACETS, TEXT):
            yield "walks._having", walks._having.__wrapped__(name, past=past)
    whole = histogram._Form(Unit.DAY, is_begun=True, is_ended=False)
    yield "histogram._statement", histogram._statement.__wrapped__(whole)
    for is_continued in (False, True):
        yield "comparison._comparing", comparison._comparing.__wrapped__(is_continued=is_continued)
        for state in get_args(PlanState):
            yield "plans._page", plans._page.__wrapped__(state, is_continued=is_continued)


def test_each_table_has_its_place() -> None:
    assert sorted((*SHARED, *LOCAL, *SPREAD)) == sorted(metadata.tables)
    assert {name for name in metadata.tables if "timeline_id" in metadata.tables[name].columns} == {*SPREAD, "timeline"}
    for name in SPREAD:
        first = next(iter(metadata.tables[name].primary_key.columns))
        assert first.name == "timeline_id", f"a key of {name} that does not begin so cannot be checked by one server"


def test_what_stands_in_the_store_can_be_put_into_words() -> None:
    """Not only once it is needed."""
    for name, statement in standing():
        for one in (statement, *statement.steps):
            assert one.sql, name


def test_what_stands_in_the_store_is_held_to_one_timeline() -> None:
    faults = {name: faults_of(one) for name, one in standing() if name != "listening._LISTEN"}
    assert {name: one for name, one in faults.items() if one and name not in OF_ALL} == {}
    assert {name for name in OF_ALL if not faults[name]} == set()


def test_what_the_store_builds_is_held_to_one_timeline() -> None:
    seen: dict[str, int] = {}
    for name, statement in built():
        seen[name] = seen.get(name, 0) + 1
        assert faults_of(statement) == [], f"{name}: {statement.element}"
    assert seen.keys() == BUILDERS


def test_every_builder_is_known() -> None:
    found = set()
    for path in STORE.glob("*.py"):
        for name, function in functions(ast.parse(path.read_text(encoding="utf-8")), path.stem):
            if any(called(node) in COMPILING for node in ast.walk(function)):
                found.add(name)
    found -= {"statement.Statement.steps"}
    # which joins what `page_statement` selects, and is not run on a cluster
    assert found - {"paging.joined_statement"} == BUILDERS | AT_IMPORT


def test_no_other_sql_is_written() -> None:
    found = {
        path.stem
        for path in STORE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if called(node) in ("execute", "executemany", "copy")
    }
    assert found == WRITTEN_OUT.keys()


def functions(node: ast.AST, home: str) -> Iterator[tuple[str, ast.AST]]:
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{home}.{one.name}", one
        elif isinstance(one, ast.ClassDef):
            yield from functions(one, f"{home}.{one.name}")


def called(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)


_given = select(event_state).where(event_state.c.timeline_id == TIMELINE_ID).cte("given")


@pytest.mark.parametrize(
    "statement",
    [
        select(event.c.title).where(event.c.event_id == bindparam("event_id")),
        select(event.c.title).join(timeline, timeline.c.timeline_id == event.c.timeline_id),
        select(event.c.title).join(claim, claim.c.event_id == event.c.event_id).where(*is_event(event)),
        union_all(select(event.c.title).where(*is_event(event)), select(event.c.title)),
        select(event.c.title).where(*is_event(event), exists(select(1).where(claim.c.event_id == event.c.event_id))),
        select(event.c.title).where((event.c.timeline_id == TIMELINE_ID) | (event.c.title == "x")),
        select(event.c.title).join(_given, _given.c.event_id == event.c.event_id),
        select(func.coalesce(select(func.count()).select_from(event).scalar_subquery(), 0)),
        update(event).values(title="x").where(event.c.event_id == _given.c.event_id, _given.c.event_id.is_not(None)),
        update(event).values(recorded_at=func.clock_timestamp()).where(*is_event(event)),
        insert(change).values(timeline_id=TIMELINE_ID, epoch=select(feed.c.epoch).scalar_subquery()),
        insert(event).from_select(["timeline_id"], select(event_state.c.timeline_id)),
    ],
)
def test_what_is_not_would_be_seen(statement: ClauseElement) -> None:
    assert Routing(statement).faults


@pytest.mark.parametrize(
    "statement",
    [
        select(event.c.title).where(*is_event(event)),
        select(event.c.title)
        .join(timeline, timeline.c.timeline_id == event.c.timeline_id)
        .where(timeline.c.timeline_id == TIMELINE_ID),
        select(event.c.title).join(_given, _given.c.timeline_id == event.c.timeline_id),
        insert(event).from_select(["timeline_id"], select(_given.c.timeline_id)),
        select(timeline.c.title),
    ],
)
def test_what_is_would_be_let_pass(statement: ClauseElement) -> None:
    assert Routing(statement).faults == []


def test_a_query_of_all_timelines_is_one_too() -> None:
    """The allow-list is of names: what is built for all timelines is not held to one."""
    page = paging.PageShape(Shape.of(EventQuery(None)), is_continued=False, lead=None)
    assert faults_of(paging.page_statement(page))
