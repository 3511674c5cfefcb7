"""`python -m bench.importing`: an import against PostgreSQL's own COPY of the same rows, and against single writes.

COPY gets the finished rows of all tables, into the same indexes, constraints and all; what it saves is the work of
making them, of which parsing the dates is counted. The contestants take turns, each in a fresh database of one server.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from bench.contestants import dateline
from bench.events import TIMELINE, made_up_events
from bench.loading import load_directory
from service import intake, keyring
from service.dates import parse
from service.embedded import EmbeddedPostgres
from service.formats.ndjson import MEDIA_TYPE
from service.store.adapters import register
from service.store.migration import migrate
from service.tables import (
    change,
    claim,
    event,
    event_participant,
    event_state,
    event_topic,
    histogram_change,
    state_facet,
)
from service.wire.document import body_of
from service.wire.key import KeyBody

# In an order in which each finds what it refers to.
TABLES = (event, event_participant, event_topic, claim, event_state, state_facet, change, histogram_change)
_BLOCK_BYTES = 1024 * 1024
_POSTS = 500


class Server(NamedTuple):
    """A server with a template database that holds the directory and no event."""

    url: str
    folder: Path

    def fresh(self, name: str) -> str:
        """Make a database of the template."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE empty").format(sql.Identifier(name)))
            connection.execute("CHECKPOINT")
        return self.url.replace("@/postgres?", f"@/{name}?")


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.importing", description=__doc__)
    parser.add_argument("--events", type=int, default=50_000, help="how many events to import (50,000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each contestant has its turn (3)")
    parser.add_argument("--jobs", type=int, default=2, help="processes of the import (2)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dateline-bench-") as name, EmbeddedPostgres(Path(name) / "data") as url:
        server = Server(url, Path(name))
        _prepare(server)
        file, whens = _write_lines(server.folder / "events.ndjson", asked.events)
        turns = _take_turns(server, file, whens, asked.rounds, asked.jobs)
    _report(asked.events, turns)


def _prepare(server: Server) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty")
    url = server.url.replace("@/postgres?", "@/empty?")
    migrate(url)
    with psycopg.connect(url) as connection:
        register(connection)
        load_directory(connection)


def _write_lines(path: Path, events: int) -> tuple[Path, list[str]]:
    whens = []
    with path.open("w", encoding="utf-8") as file:
        for one in made_up_events(TIMELINE, 0, events):
            file.write(body_of(one).model_dump_json(exclude_none=True) + "\n")
            whens.append(one.when)
    return path, whens


def _take_turns(server: Server, file: Path, whens: list[str], rounds: int, jobs: int) -> dict[str, list[float]]:
    """Give the events a second of each contestant, round by round."""
    imported = server.fresh("rows")
    _import(imported, file, jobs)
    rows = {table.name: _copy_out(imported, server.folder, table.name, _columns(table.name)) for table in TABLES}
    contestants: dict[str, Callable[[str], float]] = {
        "COPY of the rows": lambda url: _timed(lambda: _copy_in(url, rows)),
        "parsing the dates": lambda _: _timed(lambda: [parse(one) for one in whens]),
        "import": lambda url: _timed(lambda: _import(url, file, jobs)),
        "import, one process": lambda url: _timed(lambda: _import(url, file, 1)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in (*contestants, "one POST each")}
    for number in range(rounds):
        for name, run in contestants.items():
            seconds[name].append(run(server.fresh("turn")))
        seconds["one POST each"].append(_post_each(server.fresh("turn"), file) * len(whens) / _POSTS)
        print(f"round {number + 1} of {rounds}", flush=True)
    return seconds


def _timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _import(url: str, file: Path, jobs: int) -> None:
    refused = []
    intake.bring_in(
        url, intake.Order(TIMELINE), [(file, MEDIA_TYPE)], jobs=jobs, told=lambda one: refused.extend(one.rejected)
    )
    assert not refused, refused[0].errors  # noqa: S101  # a benchmark of refusals would be another


def _columns(table: str) -> sql.Composed:
    (found,) = (one for one in TABLES if one.name == table)
    return sql.SQL(", ").join(sql.Identifier(one.name) for one in found.columns if one.computed is None)


def _copy_out(url: str, folder: Path, table: str, columns: sql.Composed) -> Path:
    path = folder / f"{table}.copy"
    statement = sql.SQL("COPY {} ({}) TO STDOUT (FORMAT BINARY)").format(sql.Identifier(table), columns)
    with psycopg.connect(url) as connection, path.open("wb") as file, connection.cursor().copy(statement) as copy:
        for block in copy:
            file.write(block)
    return path


def _copy_in(url: str, rows: dict[str, Path]) -> None:
    with psycopg.connect(url) as connection:
        for table, path in rows.items():
            statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
                sql.Identifier(table), _columns(table)
            )
            with path.open("rb") as file, connection.cursor().copy(statement) as copy:
                while block := file.read(_BLOCK_BYTES):
                    copy.write(block)


def _post_each(url: str, file: Path) -> float:
    """Time a number of single writes by one client, over a connection that is kept."""
    _, key = keyring.create(url, KeyBody(name="bench", scopes=["write"]))
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    with file.open("rb") as lines, dateline(url) as served:
        bodies = [next(lines).strip() for _ in range(_POSTS)]
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)

        def post() -> None:
            for body in bodies:
                connection.request("POST", f"/v1/timelines/{TIMELINE}/events", body, headers)
                answer = connection.getresponse()
                assert answer.status == 201, answer.read()  # noqa: S101  # as above
                answer.read()

        taken = _timed(post)
        connection.close()
    return taken


def _report(events: int, seconds: dict[str, list[float]]) -> None:
    print(f"\n{events:,} events; medians of {len(seconds['import'])} turns, least and most in brackets.\n")
    print("| | events/s | times COPY and parsing |\n|---|---|---|")
    floor = [a + b for a, b in zip(seconds["COPY of the rows"], seconds["parsing the dates"], strict=True)]
    for name, taken in seconds.items():
        ratios = [one / least for one, least in zip(taken, floor, strict=True)]
        rates = [events / one for one in taken]
        print(
            f"| {name} | {statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f}) "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |"
        )


if __name__ == "__main__":
    main()
