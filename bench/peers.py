"""`make bench-peers`: the nearest peer beside this service, on the same events in the same PostgreSQL, in one run.

The peer is stac-fastapi on pgstac: FastAPI over finished JSON documents in PostgreSQL, asked for by windows of time.
An event is an item there: what it says is in the item's properties, its earliest start and latest end are the item's,
and its place is the geometry, which pgstac wants of every item. pgstac needs PostGIS, so that both use the machine's
own PostgreSQL (Debian: postgresql-15-postgis-3), with its usual settings.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench.contestants import Served, ask, dateline, free_port, get, running, uvicorn
from bench.events import PLACES, TIMELINE
from bench.exchange import Request
from bench.loading import load
from bench.record import machine, write
from bench.turns import Contest, Measured, Spread, figures_of, ratios, take_turns
from bench.usage import database_process, metered
from service.embedded import EmbeddedError, EmbeddedPostgres, find_programs
from service.store.migration import migrate
from service.store.query import timeline_id_of

OURS, PEER = "dateline", "stac-fastapi"
_YEARS = range(1996, 2016)
_APPLICATION = "stac_fastapi.pgstac.app:create_app"
# Dates that the peer can hold.
_EVENTS = """
SELECT document, start_earliest, end_latest FROM event
WHERE timeline_id = %s AND start_earliest > '1000-01-01' AND end_latest < '9000-01-01'
"""
_POINTS = {one.slug: (one.longitude or 0.0, one.latitude or 0.0) for one in PLACES}
_COLLECTION = {
    "type": "Collection", "stac_version": "1.0.0", "id": TIMELINE, "description": "Made-up events.",
    "license": "other", "links": [],
    "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
}  # fmt: skip


class MissingError(Exception):
    """Say what this machine lacks for the peer."""


def main() -> None:
    """Compare as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--python", default="build/peers/bin/python", help="the Python that has the peer's packages")
    parser.add_argument("--events", type=int, default=100_000, help="how many events to load (100,000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each has its turn (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a turn is (3)")
    asked = parser.parse_args()
    try:
        figures = compare(str(Path(asked.python).absolute()), asked.events, asked.rounds, asked.seconds)
    except MissingError as error:
        print(f"The peer cannot be measured here: {error}", file=sys.stderr)
        sys.exit(1)
    text = "\n".join(report(figures))
    print(f"\n{text}\n")
    stem = write(figures, {".md": text + "\n"}, "peers-")
    print(f"Written to {stem}.json and .md.")


def compare(python: str, events: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Load both, run both, and let them take turns."""
    versions = _versions(python)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dateline-bench-")))
        url = stack.enter_context(_postgres(folder / "data"))
        print(f"loading {events:,} events …", flush=True)
        migrate(url)
        load(url, events, processes=os.cpu_count() or 1)
        count = load_peer(python, url, folder)
        ours, peer = stack.enter_context(dateline(url)), stack.enter_context(_peer(python, url, folder))
        contests = list(_contests(url, ours, peer))
        measured = take_turns(contests, rounds, seconds, partial(print, flush=True))
    return {
        "machine": machine(),
        "peer": versions,
        "events": count,
        "rounds": rounds,
        "seconds": seconds,
        "rates": measured,
    }


def item_of(document: Mapping[str, Any], starts: str, ends: str) -> dict[str, Any]:
    """Make an event an item (STAC 1.0)."""
    longitude, latitude = _POINTS[document["place"]["place"]] if document["place"] else (0.0, 0.0)
    period = {"datetime": None, "start_datetime": starts, "end_datetime": ends}
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": document["id"], "collection": TIMELINE,
        "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
        "bbox": [longitude, latitude, longitude, latitude], "properties": {**document, **period},
        "links": [], "assets": {},
    }  # fmt: skip


def load_peer(python: str, url: str, folder: Path) -> int:
    """Load the events into pgstac, in a database of its own, by its own command; answers how many it can hold."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE pgstac")
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(_EVENTS, [timeline_id_of(TIMELINE)]).fetchall()
    collections, items = folder / "collections.ndjson", folder / "items.ndjson"
    collections.write_text(json.dumps(_COLLECTION) + "\n", encoding="utf-8")
    with items.open("w", encoding="utf-8") as file:
        for document, starts, ends in rows:
            file.write(json.dumps(item_of(document, starts.isoformat(), ends.isoformat())) + "\n")
    peer_url = _peer_url(url)
    command = [str(Path(python).with_name("pypgstac"))]
    for arguments in (
        ["migrate", "--dsn", peer_url],
        ["load", "collections", str(collections), "--dsn", peer_url, "--method", "insert"],
        ["load", "items", str(items), "--dsn", peer_url, "--method", "insert"],
    ):
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"pypgstac {arguments[0]} failed:\n{done.stderr[-2000:]}")
    with psycopg.connect(peer_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    return len(rows)


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    try:
        programs = find_programs(system=True)
    except EmbeddedError as error:
        raise MissingError(str(error)) from None
    with EmbeddedPostgres(folder, programs=programs) as url:
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT FROM pg_available_extensions WHERE name = 'postgis'").fetchone()
        if found is None:
            raise MissingError(
                f"PostgreSQL in {programs.folder} has no PostGIS (postgresql-{programs.major}-postgis-3)"
            )
        yield url


@contextmanager
def _peer(python: str, url: str, folder: Path) -> Iterator[Served]:
    place = conninfo_to_dict(_peer_url(url))
    port = free_port()
    environment = {
        # its settings put these into a URL as they are
        "PGHOST": str(place["host"]).replace("/", "%2F"), "PGPORT": str(place["port"]), "PGUSER": str(place["user"]),
        "PGPASSWORD": "", "PGDATABASE": str(place["dbname"]),
    }  # fmt: skip
    with running([*uvicorn(_APPLICATION, port, python), "--factory"], environment, port, "/_mgmt/ping", folder) as one:
        yield one


def _peer_url(url: str) -> str:
    return url.replace("@/postgres?", "@/pgstac?")


def _contests(url: str, ours: Served, peer: Served) -> Iterator[Contest]:
    base = f"/v1/timelines/{TIMELINE}/events"
    collection = f"/collections/{TIMELINE}/items"
    pages = [f"{base}?datetime={year}" for year in _YEARS]
    searches = [
        f"/search?collections={TIMELINE}&limit=50&datetime={year}-01-01T00:00:00Z/{year}-12-31T23:59:59Z"
        for year in _YEARS
    ]
    found = [json.loads(get(peer, Request(path)).body)["features"] for path in searches]
    ones = [items[0]["id"] for items in found]
    asked: dict[str, dict[str, Sequence[str]]] = {
        "page of 50, a year": {OURS: pages, PEER: searches},
        "one event": {OURS: [f"{base}/{one}" for one in ones], PEER: [f"{collection}/{one}" for one in ones]},
    }
    database = database_process(url)
    for task, paths in asked.items():
        for name, served in ((OURS, ours), (PEER, peer)):
            turn = partial(ask, served, paths[name])
            yield Contest(task, name, metered(turn, {"server": served.pid, "database": database}))


def _versions(python: str) -> str:
    names = ("stac-fastapi-pgstac", "pypgstac")
    program = f"from importlib.metadata import version; print(*(one + ' ' + version(one) for one in {names}), sep=', ')"
    try:
        done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise MissingError(f"{python} has no stac-fastapi-pgstac; `make bench-peers` installs it") from None
    return str(done.stdout.strip())


def report(figures: Mapping[str, Any]) -> Iterator[str]:
    """Write what was measured as Markdown."""
    measured: Measured = figures["rates"]
    yield f"## Dateline beside {figures['peer']}, {figures['events']:,} events\n"
    yield f"{figures['machine']['processors']}; medians of {figures['rounds']} turns of {figures['seconds']:g} s.\n"
    yield "| answer | of whom | answers/s | server, CPU ms | database, CPU ms | bytes | times the peer |"
    yield "|---" * 7 + "|"
    for task, turns in measured.items():
        times = Spread.of(ratios(*(figures_of(turns[name], "per_second") for name in (OURS, PEER)))).written(".1f")
        for name in (OURS, PEER):
            cells = [Spread.of(figures_of(turns[name], "per_second")).written(",.0f")]
            for figure, form in (("server_cpu_ms", ".2f"), ("database_cpu_ms", ".2f"), ("answer_bytes", ",.0f")):
                some = [one.get(figure, 0.0) for one in turns[name]]
                cells.append(f"{Spread.of(some).median:{form}}")
            yield f"| {task} | {name} | {' | '.join(cells)} | {times if name == OURS else ''} |"


if __name__ == "__main__":
    main()
