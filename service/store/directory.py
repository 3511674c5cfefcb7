"""Timelines, and the directory that they share: entries that are listed, read, created, amended, removed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from service.dates import format_instant
from service.errors import NotFound
from service.store.expectation import Expectation
from service.store.failures import creating, removing
from service.store.query import Caller, owner, timeline_id_of
from service.store.selection import is_visible
from service.store.statement import Connection, Row, Statement, compiled, is_distributed
from service.store.window import Condition
from service.tables import actor, actor_alias, place, source, timeline
from service.wire.directory import (
    Actor,
    ActorBody,
    Coordinates,
    PlaceEntry,
    PlaceEntryBody,
    Source,
    SourceBody,
    Timeline,
    TimelineBody,
)
from service.wire.merge import amended
from service.wire.values import Answer, Body

AnswerT = TypeVar("AnswerT", bound=Answer)

_SLUG: ColumnElement[Any] = bindparam("slug", type_=Text(collation="C"))
_AFTER: ColumnElement[Any] = bindparam("after", type_=Text(collation="C"))
_LIMIT: ColumnElement[Any] = bindparam("limit", type_=Integer)
_NAME: ColumnElement[Any] = func.lower(bindparam("name", type_=Text))
_ALIASES = (
    select(func.array_agg(aggregate_order_by(actor_alias.c.alias, actor_alias.c.position)))
    .where(actor_alias.c.actor == actor.c.slug)
    .scalar_subquery()
    .label("aliases")
)
_INSERT_ALIAS: Statement = compiled(
    insert(actor_alias).values(
        {column.name: bindparam(column.name, type_=column.type) for column in actor_alias.columns}
    )
)
_LOCK: Statement = compiled(
    select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("entry", type_=Text), literal_column("0"))))
)
_DELETE_ALIASES: Statement = compiled(delete(actor_alias).where(actor_alias.c.actor == _SLUG))


class Kind(Generic[AnswerT]):
    """A kind of entry: what a client writes, what it reads, and the statements in between.

    `called` names it in errors. `table` holds them. Entries are told apart by slug, which never changes.
    """

    def __init__(self, called: str, table: Table, body: type[Body], answer: type[AnswerT]) -> None:
        self.called = called
        self.table = table
        self.body = body
        self.answer = answer
        self.members = tuple(name for name in answer.model_fields if name != "version")
        written = {name: bindparam(name, type_=table.c[name].type) for name in body.model_fields if name in table.c} | {
            "version": bindparam("version", type_=Integer)
        }
        made: dict[str, Any] = {}
        if table is timeline:
            made = {"timeline_id": bindparam("timeline_id", type_=timeline.c.timeline_id.type)}
            made["created_at"] = func.now()
        amended = {name: value for name, value in written.items() if name != "slug"}
        is_entry = table.c.slug == _SLUG
        self.get = compiled(self.chosen(table).where(is_entry))
        self.lock = compiled(self.chosen(table).where(is_entry).with_for_update(of=table))
        self.list = compiled(self._listed(table))
        self.list_named = compiled(self._listed(table).where(_is_called(table)))
        self.insert = compiled(insert(table).values(written | made))
        self.update = compiled(update(table).where(is_entry).values(amended))
        self.delete = compiled(delete(table).where(is_entry))

    def chosen(self, table: Table) -> Select[Any]:
        """Select what `read` makes an entry of."""
        columns = [_ALIASES if name == "aliases" else table.c[name] for name in self.members]
        visible = is_visible() if table is timeline else true()
        return select(*columns, table.c.version).where(visible)

    def _listed(self, table: Table) -> Select[Any]:
        return self.chosen(table).where(table.c.slug > _AFTER).order_by(table.c.slug).limit(_LIMIT)

    def read(self, row: Row) -> tuple[AnswerT, int]:
        """Make what a client reads of a row, and the version."""
        members: dict[str, Any] = dict(zip(self.members, row, strict=False))
        if "created_at" in members:
            members["created_at"] = format_instant(members["created_at"])
        if "aliases" in members:
            members["aliases"] = members["aliases"] or []
        version = cast("int", row[-1])
        return self.answer.model_validate(members | {"version": version}), version


def _is_called(table: Table) -> Condition:
    """Compare with the name or title, and with an actor's aliases, whatever the case."""
    called = func.lower(table.c.title if "title" in table.c else table.c.name) == _NAME
    if table is not actor:
        return called
    alias = select(actor_alias.c.actor).where(func.lower(actor_alias.c.alias) == _NAME)
    return or_(called, table.c.slug.in_(alias))


_COORDINATES: Statement = compiled(
    select(place.c.slug, place.c.latitude, place.c.longitude).where(
        place.c.slug == func.any(bindparam("slugs", type_=ARRAY(Text(collation="C")))), place.c.latitude.is_not(None)
    )
)

TIMELINES = Kind("timeline", timeline, TimelineBody, Timeline)
ACTORS = Kind("actor", actor, ActorBody, Actor)
PLACES = Kind("place", place, PlaceEntryBody, PlaceEntry)
SOURCES = Kind("source", source, SourceBody, Source)


@dataclass(frozen=True, slots=True)
class Entries(Generic[AnswerT]):
    """Entries in the order of their slugs, and the last slug if more follow."""

    items: list[AnswerT]
    end: str | None


async def list_entries(
    connection: Connection,
    kind: Kind[AnswerT],
    caller: Caller,
    *,
    after: str | None,
    limit: int,
    name: str | None = None,
) -> Entries[AnswerT]:
    """Read at most `limit` entries whose slug comes after `after`; `name` keeps those that are called so."""
    values = {"after": after or "", "limit": limit + 1, **caller.sight}
    if name is None:
        cursor = await kind.list.run(connection, values)
    else:
        cursor = await kind.list_named.run(connection, values | {"name": name}, prepare=False)
    rows = await cursor.fetchall()
    end = rows[limit - 1][kind.members.index("slug")] if len(rows) > limit else None
    return Entries([kind.read(row)[0] for row in rows[:limit]], end)


async def get_entry(connection: Connection, kind: Kind[AnswerT], slug: str, caller: Caller) -> tuple[AnswerT, int]:
    """Read an entry and its version. Raises NotFound."""
    return await _read_one(connection, kind, kind.get, slug, caller)


async def read_coordinates(connection: Connection, slugs: Collection[str]) -> dict[str, Coordinates]:
    """Read where some places are; those whose coordinates are not known are left out."""
    if not slugs:
        return {}
    rows = await (await _COORDINATES.run(connection, {"slugs": list(slugs)})).fetchall()
    return {slug: Coordinates(latitude, longitude) for slug, latitude, longitude in rows}


async def create_entry(connection: Connection, kind: Kind[AnswerT], body: Body) -> tuple[AnswerT, int]:
    """Create an entry. Raises AlreadyExists where its slug is taken."""
    values = body.model_dump()
    slug = values["slug"]
    if kind.answer is Timeline:
        values["timeline_id"] = timeline_id_of(slug)
    if is_distributed(connection):
        # where each server has a copy, two who wait for each other's would both be in the way
        await _LOCK.run(connection, {"entry": f"{kind.called} {slug}"})
    with creating(f"{kind.called} {slug!r}"):
        await kind.insert.run(connection, values | {"version": 1})
    await _write_aliases(connection, kind, values)
    return await get_entry(connection, kind, slug, owner("directory"))


async def amend_entry(
    connection: Connection,
    kind: Kind[AnswerT],
    slug: str,
    patch: Mapping[str, Any],
    expected: Expectation,
    caller: Caller,
) -> tuple[AnswerT, int]:
    """Change an entry by a merge patch (RFC 7396).

    Raises NotFound, VersionConflict, VersionRequired, and InvalidMerge where the result is no such entry.
    """
    present, version = await _lock_expected(connection, kind, slug, expected, caller)
    before = present.model_dump(mode="json", include=set(kind.body.model_fields))
    values = amended(kind.body, before, dict(patch)).model_dump()
    await kind.update.run(connection, values | {"version": version + 1})
    await _write_aliases(connection, kind, values)
    return await get_entry(connection, kind, slug, caller)


async def remove_entry(
    connection: Connection, kind: Kind[AnswerT], slug: str, expected: Expectation, caller: Caller
) -> None:
    """Remove an entry. Raises InUse while something refers to it."""
    await _lock_expected(connection, kind, slug, expected, caller)
    with removing():
        await kind.delete.run(connection, {"slug": slug})


async def _lock_expected(
    connection: Connection, kind: Kind[AnswerT], slug: str, expected: Expectation, caller: Caller
) -> tuple[AnswerT, int]:
    present, version = await _read_one(connection, kind, kind.lock, slug, caller)
    expected.check_present(version, present.model_dump_json().encode())
    return present, version


async def _read_one(
    connection: Connection, kind: Kind[AnswerT], statement: Statement, slug: str, caller: Caller
) -> tuple[AnswerT, int]:
    cursor = await statement.run(connection, {"slug": slug, **caller.sight})
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"no {kind.called} {slug!r}")
    return kind.read(row)


async def _write_aliases(connection: Connection, kind: Kind[AnswerT], values: Mapping[str, Any]) -> None:
    if kind.answer is not Actor:
        return
    slug, aliases = values["slug"], dict.fromkeys(values["aliases"])
    await _DELETE_ALIASES.run(connection, {"slug": slug})
    rows = [{"actor": slug, "position": i, "alias": one} for i, one in enumerate(aliases)]
    await _INSERT_ALIAS.run_many(connection, rows)
