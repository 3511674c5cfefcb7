"""Make a loaded timeline denser on the server itself: each event is cloned, which is faster than making up as many.

A clone has an identity of its own, a little later than its event's; whoever takes part, where, according to whom and in
what words stay as they are. What lies on one day lies on another one within some months, in its document too, so that
days fill up as they would; all other dates stay. So the axis of time keeps its length, and each window holds as many
times as many events.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
from psycopg import sql
from sqlalchemy import Table

from bench.loading import without_indexes
from service.recounting import rebuild_histograms
from service.tables import claim, event, event_link, event_participant, event_state, event_topic, state_facet

# The largest first: they are cloned side by side, two at a time.
CLONED = (state_facet, event_state, event, event_participant, event_topic, claim)
# Events are recorded five minutes apart; clones come in between.
_RECORDED_EVERY_MS = 300_000
_FARTHEST_DAYS = 120

# As expressions that PostgreSQL copies into the statement: a call for each row would take as long as all else.
_FUNCTIONS = """
CREATE SCHEMA IF NOT EXISTS cloning;
CREATE OR REPLACE FUNCTION cloning.identity(event_id uuid, clone integer, every_ms integer) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (
    lpad(to_hex(('x' || left(replace(event_id::text, '-', ''), 12))::bit(48)::bigint + clone * every_ms), 12, '0')
    || '7' || substr(replace(event_id::text, '-', ''), 14, 3)
    || '8' || lpad(to_hex(uuid_hash_extended(event_id, clone) & 1152921504606846975), 15, '0')
)::uuid;
CREATE OR REPLACE FUNCTION cloning.days(event_id uuid, clone integer) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN make_interval(days =>
    (CASE WHEN uuid_hash_extended(event_id, clone) & 1 = 0 THEN 1 ELSE -1 END)
    * (2 + abs(uuid_hash_extended(event_id, -clone) % {farthest}))::integer
);
CREATE OR REPLACE FUNCTION cloning.is_one_day(first timestamptz, last timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE RETURN
    first >= '0002-01-01Z' AND last < '9999-01-01Z' AND last = first + interval '1 day'
    AND first = date_trunc('day', first);
CREATE OR REPLACE FUNCTION cloning.day(instant timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE RETURN to_char(instant, 'YYYY-MM-DD');
CREATE OR REPLACE FUNCTION cloning.bounds(first timestamptz, last timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE RETURN
    '"bounds":{{"start":{{"earliest":"' || cloning.day(first) || 'T00:00:00Z","latest":"' || cloning.day(first)
    || 'T23:59:59.999999Z"}},"end":{{"earliest":"' || cloning.day(first) || 'T00:00:00.000001Z","latest":"'
    || cloning.day(last) || 'T00:00:00Z"}}}}';
"""
_IS_MOVED = "cloning.is_one_day(start_earliest, end_latest)"
_INSTANTS = ("start_earliest", "start_latest", "end_earliest", "end_latest")
_IDENTITY = "cloning.identity(event_id, clone, {every})"
_DOCUMENT = f"""
replace(CASE WHEN {_IS_MOVED} THEN
    replace(replace(document::text,
        '"when":"' || cloning.day(start_earliest), '"when":"' || cloning.day(start_earliest + days)),
        cloning.bounds(start_earliest, end_latest), cloning.bounds(start_earliest + days, end_latest + days))
    ELSE document::text END, '"id":"' || event_id, '"id":"' || {_IDENTITY})::json
"""
_CHANGED = {
    "event_id": _IDENTITY,
    "edtf": (
        f"CASE WHEN {_IS_MOVED} THEN replace(edtf, cloning.day(start_earliest), cloning.day(start_earliest + days))"
        " ELSE edtf END"
    ),
    "document": _DOCUMENT,
    **{one: f"CASE WHEN {_IS_MOVED} THEN {one} + days ELSE {one} END" for one in _INSTANTS},
}
_CLONE = """
INSERT INTO {table} ({names}) SELECT {values} FROM {table}
 CROSS JOIN generate_series(1, {clones}) clone CROSS JOIN LATERAL (SELECT cloning.days(event_id, clone) days) moved
"""


def forgo_durability(url: str) -> None:
    """Have the tables of a migrated, empty database written without a log: a crash empties them."""
    with psycopg.connect(url, autocommit=True) as connection:
        # those that refer to others first
        for table in (event_link, claim, event_topic, event_participant, state_facet, event_state, event):
            connection.execute(sql.SQL("ALTER TABLE {} SET UNLOGGED").format(sql.Identifier(table.name)))


def multiply(url: str, times: int) -> float:
    """Make so many times as many events of those that are there; `url` is a superuser's.

    Answers the seconds that it took, until the last VACUUM.
    """
    began = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FUNCTIONS.format(farthest=_FARTHEST_DAYS).encode())
        with without_indexes(connection), ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda table: _clone(url, table, times), CLONED))
        connection.execute("DROP SCHEMA cloning CASCADE")
        rebuild_histograms(url)
        connection.execute("VACUUM (FULL) histogram")  # every row of it was written anew
        connection.execute("VACUUM (ANALYZE)")
    return time.perf_counter() - began


def _clone(url: str, table: Table, times: int) -> None:
    with psycopg.connect(url, autocommit=True, options="-c TimeZone=UTC -c jit=off") as connection:
        # what a clone refers to is there, or comes at the same time
        connection.execute("SET session_replication_role = 'replica'")
        connection.execute(_statement(table, times))


def _statement(table: Table, times: int) -> sql.Composed:
    names = [one.name for one in table.columns if one.computed is None]
    every = str(_RECORDED_EVERY_MS // times)
    values = [sql.SQL(_CHANGED[one].format(every=every)) if one in _CHANGED else sql.Identifier(one) for one in names]
    return sql.SQL(_CLONE).format(
        table=sql.Identifier(table.name),
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        values=sql.SQL(", ").join(values),
        clones=sql.Literal(times - 1),
    )
