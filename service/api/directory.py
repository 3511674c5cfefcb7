"""Timelines, actors, places and sources over HTTP: four lists of entries with the same five operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from service.api import answers
from service.api.access import Reader, Store, check_write
from service.api.etag import IfMatch, IfNoneMatch, etag, expectation, is_known
from service.api.freshness import ReadStore
from service.api.parameters import PAGE_EVENTS, Cursor, Limit
from service.api.strict import StrictRoute
from service.api.writing import AddingWrite, UncheckedWrite, Writing
from service.errors import AlreadyExists, Forbidden
from service.store import directory
from service.store.cursor import Cursors
from service.store.database import Database
from service.store.directory import ACTORS, PLACES, SOURCES, TIMELINES, Kind
from service.store.statement import Connection
from service.wire.directory import (
    ActorPage,
    ActorPatch,
    Page,
    PlaceEntryPage,
    PlaceEntryPatch,
    SourcePage,
    SourcePatch,
    TimelinePage,
    TimelinePatch,
)
from service.wire.values import SLUG_PATTERN, Body

EntrySlug = Annotated[str, Path(max_length=80, pattern=SLUG_PATTERN, description="Its slug.")]
Called = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=300,
        pattern=r"^[^\x00]*$",
        description="Its whole name or title, whatever the case; an actor's alias too.",
        examples=["Kerry"],
    ),
]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A list of entries as it stands in the API: its path, how its entries are called, what may be changed."""

    path: str
    kind: Kind[Any]
    patch: type[Body]
    page: type[Page[Any]]
    tag: str
    what: str
    in_use: str
    visible: str = ""
    kept: str = " Events keep the names that they were written with."

    @property
    def one(self) -> str:
        """Name one entry."""
        return self.kind.called


SHELVES = (
    Shelf(
        "timelines",
        TIMELINES,
        TimelinePatch,
        TimelinePage,
        "Timelines",
        "a timeline",
        "While it holds events, or keeps the history of any, it stays",
        visible=", those alone that you may read",
        kept="",
    ),
    Shelf(
        "actors",
        ACTORS,
        ActorPatch,
        ActorPage,
        "Directory",
        "an actor",
        "While it takes part in events, it stays",
    ),
    Shelf(
        "places",
        PLACES,
        PlaceEntryPatch,
        PlaceEntryPage,
        "Directory",
        "a place",
        "While events take place there, it stays",
    ),
    Shelf(
        "sources",
        SOURCES,
        SourcePatch,
        SourcePage,
        "Directory",
        "a source",
        "While claims rest on it, it stays",
    ),
)


@contextmanager
def _telling_where(location: str) -> Iterator[None]:
    """Tell where to find what exists already."""
    try:
        yield
    except AlreadyExists as error:
        raise AlreadyExists(f"{error}: {location}") from error


def _writes_of(shelf: Shelf) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """Make what creates, amends and deletes an entry.

    A timeline is written by those who may write it, what timelines share by those who may write all of them; whoever
    writes at all may add to it.
    """
    kind = shelf.kind

    async def check(store: Database, write: Writing, slug: str) -> None:
        await check_write(store, write.caller, slug if kind is TIMELINES else None)

    async def create_entry(body: Body, write: AddingWrite) -> Response:
        slug = body.model_dump(include={"slug"})["slug"]
        if kind is TIMELINES and not write.caller.may_write(slug):
            raise Forbidden(f"the key is limited to other timelines than {slug!r}")
        location = f"/v1/{shelf.path}/{slug}"

        async def create(connection: Connection) -> Response:
            made, version = await directory.create_entry(connection, kind, body)
            return answers.entry(made, etag(version), status=201, headers={"Location": location})

        with _telling_where(location):
            return await write.do(create)

    async def amend_entry(
        slug: EntrySlug, body: Body, store: Store, write: UncheckedWrite, if_match: IfMatch = None
    ) -> Response:
        await check(store, write, slug)
        patch = body.model_dump(mode="json", exclude_unset=True)

        async def amend(connection: Connection) -> Response:
            expected = expectation(if_match)
            made, version = await directory.amend_entry(connection, kind, slug, patch, expected, write.caller)
            return answers.entry(made, etag(version))

        return await write.do(amend)

    async def delete_entry(slug: EntrySlug, store: Store, write: UncheckedWrite, if_match: IfMatch = None) -> Response:
        await check(store, write, slug)

        async def delete(connection: Connection) -> Response:
            await directory.remove_entry(connection, kind, slug, expectation(if_match), write.caller)
            return Response(status_code=204)

        return await write.do(delete)

    # FastAPI reads the body's shape from the annotation, which differs from list to list
    create_entry.__annotations__["body"] = kind.body
    amend_entry.__annotations__["body"] = shelf.patch

    return create_entry, amend_entry, delete_entry


def router_of(shelf: Shelf) -> APIRouter:
    """Make the five operations of a list of entries."""
    router = APIRouter(tags=[shelf.tag], route_class=StrictRoute)
    kind, one = shelf.kind, shelf.one

    async def list_entries(
        request: Request,
        store: ReadStore,
        caller: Reader,
        limit: Limit = PAGE_EVENTS,
        cursor: Cursor = None,
        name: Called = None,
    ) -> Response:
        cursors = Cursors.of(await store.cursor_key(), "directory", shelf.path, name)
        (after,) = cursors.read(cursor, str) or (None,)
        async with store.read() as connection:
            entries = await directory.list_entries(connection, kind, caller, after=after, limit=limit, name=name)
        following = cursors.write(None if entries.end is None else (entries.end,))
        items = [entry.model_dump_json().encode() for entry in entries.items]
        return answers.page(request, items, following, headers={})

    async def get_entry(
        slug: EntrySlug, store: ReadStore, caller: Reader, if_none_match: IfNoneMatch = None
    ) -> Response:
        async with store.read() as connection:
            found, version = await directory.get_entry(connection, kind, slug, caller)
        if is_known(if_none_match, version):
            return answers.not_modified(etag(version))
        return answers.entry(found, etag(version))

    create_entry, amend_entry, delete_entry = _writes_of(shelf)

    def add(method: str, path: str, endpoint: Callable[..., Any], name: str, text: str, **options: object) -> None:
        described: dict[str, Any] = {"name": name, "description": text, **options}
        router.add_api_route(path, endpoint, methods=[method], **described)

    writes = (400, 401, 403, 413, 415, 422)
    collection, item = f"/{shelf.path}", f"/{shelf.path}/{{slug}}"
    tagged, created = answers.headers("ETag"), answers.headers("ETag", "Location")
    add(
        "GET",
        collection,
        list_entries,
        f"list_{shelf.path}",
        f"List the {shelf.path}.\n\nThey come in the order of their slugs{shelf.visible}.",
        response_model=shelf.page,
        responses=answers.problems(400, 401)
        | {200: {"description": f"A page of {shelf.path}.", **answers.headers("Link")}},
    )
    add(
        "POST",
        collection,
        create_entry,
        f"create_{one}",
        f"Add {shelf.what}.\n\nIts slug is chosen here, and never changes.",
        status_code=201,
        response_model=kind.answer,
        responses=answers.problems(*writes, 409) | {201: {"description": "Created.", **created}},
    )
    add(
        "GET",
        item,
        get_entry,
        f"get_{one}",
        f"Read {shelf.what}.\n\nIts `ETag` is its version; with `If-None-Match` you are told if you hold that already.",
        response_model=kind.answer,
        responses=answers.problems(400, 401, 404)
        | {200: {"description": f"The {one}.", **tagged}, 304: {"description": "You hold it already."}},
    )
    add(
        "PATCH",
        item,
        amend_entry,
        f"amend_{one}",
        f"Change {shelf.what}.\n\nThe body is a JSON Merge Patch (RFC 7396): `null` clears, what is absent stays."
        f"{shelf.kept}",
        response_model=kind.answer,
        responses=answers.problems(*writes, 404, 412, 428) | {200: {"description": "Changed.", **tagged}},
    )
    add(
        "DELETE",
        item,
        delete_entry,
        f"delete_{one}",
        f"Remove {shelf.what}.\n\n{shelf.in_use}.",
        status_code=204,
        response_class=Response,
        responses=answers.problems(400, 401, 403, 404, 409, 412, 428) | {204: {"description": "Removed."}},
    )
    return router
