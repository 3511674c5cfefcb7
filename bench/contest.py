"""The comparison: what is asked of this service, and the same of others beside it, in turns."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import export
from bench.contestants import CONNECTIONS, Served, ask, ask_database, constant, dateline, get, yardstick
from bench.events import TIMELINE
from bench.exchange import Request
from bench.known import make_comparisons
from bench.sample import Task, write_scripts
from bench.turns import Contest
from bench.usage import Figures, database_process, metered
from service.embedded import find_programs
from service.store.query import timeline_id_of

OURS, YARDSTICK, DATABASE, BUILDING, CONSTANT, COPY = (
    "dateline", "idiomatic", "pgbench", "pgbench, building", "constant", "COPY",
)  # fmt: skip
PRESENT, PAST = "present", "known_at"
EXPORT = "export of all events"
# Twice as many clients as the two processes' share of a small machine: answers wait for each other.
MANY_CONNECTIONS = 16
ENCODINGS = ("zstd", "gzip")
_PIECE_BYTES = 1 << 20
UNCHANGED, MANY = ", unchanged", f", {MANY_CONNECTIONS} clients"


class Field(NamedTuple):
    """The servers that are asked, and the database's process, if it runs here."""

    url: str
    ours: Served
    theirs: Served
    constant: Served
    database: int | None


def opened(stack: ExitStack, url: str, tasks: Sequence[Task]) -> Field:
    """Start the servers; they end with the stack. The constant is a document that the service answers with."""
    ours = stack.enter_context(dateline(url))
    theirs = stack.enter_context(yardstick(url))
    document = get(ours, Request(tasks[0].paths[0])).body
    return Field(url, ours, theirs, stack.enter_context(constant(document)), database_process(url))


def list_contests(field: Field, tasks: Sequence[Task], folder: Path, told: list[str]) -> Iterator[Contest]:
    """Yield what is measured; `told` takes what the service does not offer, and why it is left out."""
    for task in tasks:
        yield _asking(field, task.name, task.paths)
        if task.yardstick_paths:
            yield _asking(field, task.name, task.yardstick_paths, YARDSTICK)
        for contestant, statements in ((DATABASE, task.statements), (BUILDING, task.building)):
            if statements:
                scripts = write_scripts(folder, f"{contestant}-{task.name}", statements)
                turn = metered(partial(ask_database, field.url, scripts), {"database": field.database})
                yield Contest(task.name, contestant, turn)
    one, page = tasks[0], tasks[1]
    yield _asking(field, one.name, one.paths, CONSTANT)
    for task in (one, page):
        unchanged = list(_conditional(field.ours, task.paths))
        if len(unchanged) == len(task.paths):
            yield _asking(field, task.name + UNCHANGED, unchanged, status=304)
        else:
            told.append(f"{task.name}{UNCHANGED}: the answer has no ETag")
        yield _asking(field, task.name + MANY, task.paths, connections=MANY_CONNECTIONS)
    for encoding in ENCODINGS:
        asked = [Request(path, {"Accept-Encoding": encoding}) for path in page.paths]
        if get(field.ours, asked[0]).headers.get("content-encoding") == encoding:
            yield _asking(field, f"{page.name}, {encoding}", asked)
        else:
            told.append(f"{page.name}, {encoding}: the answer comes uncompressed")


def list_known(field: Field) -> Iterator[Contest]:
    """Yield the same questions of the present, and of what was known back then."""
    for comparison in make_comparisons(field.url):
        yield _asking(field, comparison.name, comparison.present, named=PRESENT)
        yield _asking(field, comparison.name, comparison.past, named=PAST)


def list_exports(field: Field) -> Iterator[Contest]:
    """Yield an export of everything, and COPY of the same documents; a turn takes as long as it takes."""
    taking = partial(export.take, field.ours)
    yield Contest(EXPORT, OURS, metered(taking, _processes(field, field.ours), watched=field.ours.pid))
    yield Contest(EXPORT, COPY, metered(partial(_copy, field.url), {"database": field.database}))


def _asking(
    field: Field,
    name: str,
    asked: Sequence[str | Request],
    contestant: str = OURS,
    *,
    named: str | None = None,
    connections: int = CONNECTIONS,
    status: int = 200,
) -> Contest:
    served = {OURS: field.ours, YARDSTICK: field.theirs, CONSTANT: field.constant}[contestant]
    turn = partial(ask, served, asked, connections=connections, status=status)
    return Contest(name, named or contestant, metered(turn, _processes(field, served), watched=served.pid))


def _processes(field: Field, served: Served) -> dict[str, int | None]:
    return {"server": served.pid} | ({} if served is field.constant else {"database": field.database})


def _conditional(served: Served, paths: Sequence[str]) -> Iterator[Request]:
    """Yield requests by one who holds the answers already."""
    for path in paths:
        tag = get(served, Request(path)).headers.get("etag")
        if tag is not None:
            yield Request(path, {"If-None-Match": tag})


def _copy(url: str, _seconds: float) -> Figures:
    statement = f"COPY (SELECT document FROM event WHERE timeline_id = '{timeline_id_of(TIMELINE)}') TO STDOUT"
    command = [str(find_programs().folder / "psql"), "--no-psqlrc", "--quiet", "--command", statement, url]
    began = time.perf_counter()
    lines = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as copying:
        assert copying.stdout is not None  # noqa: S101  # it was asked for
        while piece := copying.stdout.read(_PIECE_BYTES):
            lines += piece.count(b"\n")
    if copying.returncode != 0:
        raise RuntimeError(f"COPY ended with status {copying.returncode}")
    seconds = time.perf_counter() - began
    return {"answers": float(lines), "per_second": lines / seconds}
