"""Importing events over HTTP: a body of any length, kept in a file of its own until it has come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response
from starlette.exceptions import HTTPException

from service.api import answers
from service.api.access import Store
from service.api.parameters import TimelineSlug
from service.api.problems import IMPORT_REFUSED, MOST_ERRORS, problem, summary_of
from service.api.spool import Spools
from service.api.strict import StrictRoute, as_one_of, check_coding, media_type
from service.api.writing import RepeatableWrite
from service.formats import csv, ndjson
from service.formats.reading import Lines, ReadLine, UnreadableFileError, UnreadableLine
from service.importing import Refusals, write_lines
from service.settings import Settings
from service.store.importing import Import
from service.store.statement import Connection
from service.wire.importing import ImportResult
from service.wire.problem import ProblemError

router = APIRouter(tags=["Events"], route_class=StrictRoute)

_READERS: Mapping[str, Callable[..., Lines]] = {
    ndjson.MEDIA_TYPE: ndjson.read_ndjson,
    csv.MEDIA_TYPE: csv.read_csv,
}
_CONTENT: dict[str, Any] = {name: {"schema": {"type": "string", "format": "binary"}} for name in _READERS}
_REQUEST = {"requestBody": {"required": True, "content": _CONTENT}}
Atomic = Annotated[
    bool,
    Query(
        description="`true`: all lines are written, or none; `false`: those that can be.",
        examples=[False],
    ),
]


class ImportRefused(Exception):
    """Say what is wrong with lines of an import, so that none is written."""

    def __init__(self, errors: list[ProblemError]) -> None:
        super().__init__("the import is refused")
        self.errors = errors


@router.post(
    "/timelines/{timeline}/import",
    response_model=ImportResult,
    responses=answers.problems(400, 401, 403, 404, 409, 413, 415, 422)
    | {200: {"description": "What became of the lines."}},
    openapi_extra=_REQUEST,
)
async def create_import(
    request: Request, timeline: TimelineSlug, store: Store, write: RepeatableWrite, *, atomic: Atomic = True
) -> Response:
    """Import events, as many as there are: create them, or change those that are there.

    The body is newline-delimited JSON, an event a line as `POST …/events` takes it, or CSV, whose first line names
    the columns: `id`, `key`, `title`, `summary`, `when`, `status`, `status_reason`, `kind`, `reported_at`,
    `reason`, `place`, `place_name`, `topics` (slugs with `;` between them), `participants` (`slug`, `slug=name` or
    `slug=name=role`, with `;` between them), and of one claim `source`, `source_title`, `attributed_to` and
    `quote`, or of all of them `claims`, a JSON array. What the service writes of events as CSV it takes again; of
    that, `timeline`, `start_earliest`, `start_latest`, `end_earliest`, `end_latest`, `known_from`, `version`,
    `recorded_at` and `created_at` are left aside, and an apostrophe that keeps a cell from being a formula (`'=`,
    `'+`, `'-`, `'@`) is taken away. A line may bear an `id`, or a `key` of your own, which is the event's only name
    in its timeline: an event that is there already is changed to what the line says, and one that is so already is
    left alone. What the service answers of an event, such as `bounds`, may stand there and is left aside. A line
    without either has a name made of the whole body and the line's number: the same import, done again, writes
    nothing. What was deleted stays so.

    All is written in one transaction. With `atomic=true` a line that is refused keeps all from being written; the
    answer is a 422 that says which and why. With `atomic=false` the others are written, and the answer is a 200.
    """
    read = _READERS.get(media_type(request.headers))
    if read is None:
        raise HTTPException(415, as_one_of([*_READERS]))
    check_coding(request.headers)
    settings: Settings = request.app.state.settings
    spools: Spools = request.app.state.spools
    async with spools.keep(request.stream()) as body:
        lines = read(body.file, line_bytes=settings.body_bytes)

        async def do(connection: Connection) -> Response:
            refusals = Refusals()
            into = Import(timeline, write.caller, body.digest)

            def refuse(line: ReadLine | UnreadableLine, why: Iterable[ProblemError]) -> None:
                refusals.note(line, why)
                if atomic and refusals.are_enough:
                    raise ImportRefused(refusals.errors)

            try:
                tally = await write_lines(connection, lines, into, refuse)
            except UnreadableFileError as error:
                raise ImportRefused([ProblemError(line=1, pointer="", detail=str(error))]) from error
            if atomic and refusals.lines:
                raise ImportRefused(refusals.errors)
            result = ImportResult(**asdict(tally), refused=refusals.lines, errors=refusals.errors)
            return Response(result.model_dump_json(exclude_none=True), 200, media_type=answers.JSON)

        async with store.imports:
            return await write.do(do, sent=body.digest)


def _on_import_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ImportRefused)  # noqa: S101  # registered for these
    named = error.errors[:MOST_ERRORS]
    return problem(request, IMPORT_REFUSED, f"nothing was written: {summary_of(named)}", found=named)


def register(app: FastAPI) -> None:
    """Have an import that is refused answered as problem details."""
    app.add_exception_handler(ImportRefused, _on_import_refused)
