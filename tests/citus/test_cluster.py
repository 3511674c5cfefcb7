"""On a cluster: each timeline is one server's work, nothing that is of all of them is missed, and upkeep goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from service.backup import BackupError, back_up
from service.purging import purge
from service.store import dispatch, fanout
from service.store.database import Database
from service.store.distribution import SPREAD, distribute
from service.store.documents import count_older
from service.store.histogram_upkeep import count_faults, fold_all, mend
from service.store.idempotency import sweep_answers
from service.store.query import timeline_id_of
from service.store.retention import sweep_changes
from tests.client import Client
from tests.factories import amend, event_body, make_actor, make_event, make_source, make_timeline, path_of, tag_of

Json = dict[str, Any]
Using = Callable[[Callable[[Database], Any]], Any]
WRITERS, TIMELINES, ROUNDS = 6, 3, 8
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$
"""


def slug_of(events: str) -> str:
    return events.split("/")[3]


def feed_of(events: str) -> str:
    return events.removesuffix("/events") + "/changes"


def two_phase_commits(cluster: str) -> set[str]:
    """Name the commits in two phases that the coordinator still remembers."""
    with psycopg.connect(cluster) as connection:
        return {row[0] for row in connection.execute("SELECT gid FROM pg_dist_transaction")}


def test_what_was_there_before_was_spread_with_its_history(api: Client, cluster: str) -> None:
    events = "/v1/timelines/syria-2013/events"
    found = api.walk(events)
    assert len(found) == 36
    assert api.read(f"{path_of(found[0])}/history")["items"]
    amend(api, found[0], title="Written since")
    assert "Written since" in api.titles(events)
    assert distribute(cluster) == []


def test_all_of_a_timeline_is_on_one_server(api: Client, cluster: str) -> None:
    timelines = [timeline_id_of(slug_of(make_timeline(api))) for _ in range(20)]
    place = (
        "SELECT nodename, nodeport FROM pg_dist_shard_placement"
        " WHERE shardid = get_shard_id_for_distribution_column(%s::regclass, %s::uuid)"
    )
    with psycopg.connect(cluster) as connection:
        places = [{connection.execute(place, [table, one]).fetchone() for table in SPREAD} for one in timelines]
    assert all(len(one) == 1 for one in places)
    assert len({frozenset(one) for one in places}) > 1


def test_a_write_is_committed_by_one_server_and_the_coordinator(api: Client, cluster: str) -> None:
    events = make_timeline(api)
    actor, source = make_actor(api), make_source(api)
    body = event_body(
        when="[2013-02-24..2013-02-28]", participants=[{"actor": actor}], topics=["a"], claims=[{"source": source}]
    )
    before = two_phase_commits(cluster)
    made = api.post(events, body, headers={"Idempotency-Key": str(uuid4())})
    assert made.status_code == 201, made.text
    other = make_event(api, events, when="{2013-02-21,2013-02-28}")
    changed = amend(api, made.json(), when="2013-04")
    assert api.put(f"{path_of(changed)}/links/follows/{other['id']}", None).status_code == 201
    changed = api.read(path_of(changed))
    assert api.delete(f"{path_of(changed)}/links/follows/{other['id']}").status_code in (200, 204)
    assert api.delete(path_of(other), tag_of(other)).status_code == 204
    assert api.put(path_of(other), event_body()).status_code == 201
    assert two_phase_commits(cluster) - before == set()


def test_followers_miss_nothing_however_many_write(api: Client) -> None:
    """Single writes, batches and imports, whose commits are in one phase and in two."""
    timelines = [make_timeline(api) for _ in range(TIMELINES)]
    seen: dict[str, list[tuple[str, int]]] = {events: [] for events in timelines}
    done = threading.Event()

    def follow(events: str) -> None:
        cursor = None
        while True:
            was_done = done.is_set()
            page = api.read(feed_of(events), limit=7, **({} if cursor is None else {"after": cursor}))
            seen[events] += [(one["event"], one["version"]) for one in page["items"]]
            cursor = page["items"][-1]["cursor"] if page["items"] else cursor
            if was_done and not page["items"] and page["next"] is None:
                return

    def write(number: int) -> list[tuple[str, str, int]]:
        written = []
        for i in range(ROUNDS):
            events = timelines[(number + i) % TIMELINES]
            if i % 3 == 0:
                ids = [str(uuid4()) for _ in range(5)]
                lines = "".join(json.dumps(event_body(id=one)) + "\n" for one in ids).encode()
                answer = api.send(
                    "POST",
                    events.removesuffix("/events") + "/import",
                    content=lines,
                    headers={"Content-Type": "application/x-ndjson"},
                )
                assert answer.json()["created"] == len(ids), answer.text
                written += [(events, one, 1) for one in ids]
            else:
                made = make_event(api, events)
                changed = amend(api, made, title="Changed")
                written += [(events, made["id"], 1), (events, changed["id"], 2)]
        return written

    with ThreadPoolExecutor(WRITERS + TIMELINES) as pool:
        followers = [pool.submit(follow, events) for events in timelines]
        try:
            written = [one for many in pool.map(write, range(WRITERS)) for one in many]
        finally:
            api.wait_for_feed()
            done.set()
        for one in followers:
            one.result(60)
    for events in timelines:
        expected = sorted((event, version) for where, event, version in written if where == events)
        assert sorted(seen[events]) == expected


def test_a_commit_that_a_server_has_not_finished_is_waited_for(api: Client, cluster: str) -> None:
    """As after the death of a server between the phases: the coordinator is done with it long since."""
    events = make_timeline(api)
    first = make_event(api, events)
    api.wait_for_feed()
    place = api.read(feed_of(events))["items"][0]["cursor"]
    timeline_id = timeline_id_of(slug_of(events))
    with psycopg.connect(cluster, autocommit=True) as connection:
        row = connection.execute(
            "SELECT nodename, nodeport, shardid, pg_current_xact_id()::text::bigint FROM pg_dist_shard_placement"
            " WHERE shardid = get_shard_id_for_distribution_column('change', %s)",
            [timeline_id],
        ).fetchone()
    assert row is not None
    host, port, shard, transaction_id = row
    with psycopg.connect(make_conninfo(cluster, host=host, port=port), autocommit=True) as server:
        server.execute("SET citus.enable_manual_changes_to_shards = on")
        server.execute("BEGIN")
        server.execute(
            sql.SQL(
                "INSERT INTO {} (timeline_id, epoch, transaction_id, sequence, operation, event_id, state, version,"
                " recorded_at) OVERRIDING SYSTEM VALUE SELECT timeline_id, epoch, %s, sequence + 1, 'amended',"
                " event_id, 1, 1, recorded_at FROM {} WHERE timeline_id = %s"
            ).format(*[sql.Identifier(f"change_{shard}")] * 2),
            [transaction_id, timeline_id],
        )
        server.execute("PREPARE TRANSACTION 'citus_0_1_1_1'")
        try:
            second = make_event(api, events)
            assert api.get(feed_of(events), after=place).status_code == 503
        finally:
            server.execute("COMMIT PREPARED 'citus_0_1_1_1'")
    api.wait_for_feed()
    told = [one["event"] for one in api.read(feed_of(events), after=place)["items"]]
    assert told == [first["id"], second["id"]]


def test_a_query_of_all_timelines_is_the_sum_of_its_parts(api: Client) -> None:
    actor, word = make_actor(api), "kerfuffle"
    timelines = [make_timeline(api) for _ in range(4)]
    for i in range(24):
        event = make_event(
            api, timelines[i % 4], when=f"2013-0{1 + i % 3}-1{i % 7}", participants=[{"actor": actor}],
            title=f"{word} {i}", reported_at="2013-01-01T00:00:00Z", status="planned",
        )  # fmt: skip
        if i % 5 == 0:
            amend(api, event, when="[2013-02-20..2013-03-02]", reported_at="2013-02-01T00:00:00Z")
    for asked in (
        {"actor": actor},
        {"actor": [actor, "nobody"], "sort": "-date"},
        {"actor": actor, "datetime": "2013-02"},
        {"actor": actor, "datetime": "2013-02", "certainty": "certain"},
        {"actor": actor, "known_at": "2013-01-15"},
        {"q": word, "overdue": "true", "sort": "-recorded"},
        {"q": word, "known_at": "2013-01-15", "sort": "-date"},
    ):
        parts = [event["id"] for events in timelines for event in api.walk(events, **asked)]
        whole = [event["id"] for event in api.walk("/v1/events", **asked, limit=5)]
        assert sorted(whole) == sorted(parts), asked
        assert len(whole) > 0
        dated = [event["bounds"]["start"]["earliest"] for event in api.walk("/v1/events", **asked, limit=5)]
        if "recorded" not in asked.get("sort", ""):
            assert dated == sorted(dated, reverse=asked.get("sort") == "-date")
        for how in ("exact", "estimated"):
            assert api.read("/v1/events", **asked, count=how)["count"] == len(parts)
    ranked = api.walk("/v1/events", q=word, sort="relevance", limit=5)
    assert len(ranked) == 24


def test_histograms_are_folded_checked_and_mended(api: Client, cluster: str, using: Using) -> None:
    events = make_timeline(api)
    for when in ("2013-02", "{2013-02-21,2013-02-28}", "2012-09/.."):
        make_event(api, events, when=when)
    first = api.read(events.replace("/events", "/histogram"), by="month")

    async def keep(database: Database) -> tuple[int, int, int]:
        await fold_all(database)
        async with database.transaction() as connection:
            after_fold = await count_faults(connection, slug_of(events))
            await connection.execute(
                "UPDATE histogram SET possible_from = 7 WHERE timeline_id = %s", [timeline_id_of(slug_of(events))]
            )
            spoilt = await count_faults(connection, slug_of(events))
            return after_fold, spoilt, await mend(connection, slug_of(events))

    after_fold, spoilt, mended = using(keep)
    assert after_fold == 0
    assert spoilt == mended > 0
    assert api.read(events.replace("/events", "/histogram"), by="month") == first
    with psycopg.connect(cluster) as connection:
        left = connection.execute(
            "SELECT FROM histogram_change WHERE timeline_id = %s", [timeline_id_of(slug_of(events))]
        )
        assert left.rowcount == 0


def test_webhooks_get_their_messages(api: Client, using: Using) -> None:
    events = make_timeline(api)
    made = api.post(
        events.replace("/events", "/webhooks"), {"url": "https://receiver.example/", "operations": ["created"]}
    )
    assert made.status_code == 201, made.text
    event = make_event(api, events)
    api.wait_for_feed()

    async def send(database: Database) -> list[str]:
        async with database.read() as connection:
            waiting = [one for one in await fanout.list_waiting(connection) if str(one.webhook_id) == made.json()["id"]]
        async with database.transaction() as connection:
            assert not await fanout.fan_out(connection, waiting[0])
        async with database.read() as connection:
            assert waiting[0] in await dispatch.list_due(connection)
        async with database.transaction() as connection:
            batch = await dispatch.claim_messages(connection, waiting[0], count=5, lease=uuid4(), lease_seconds=60)
        assert batch is not None
        async with database.transaction() as connection:
            await dispatch.note_delivered(connection, batch, batch.messages[0], 200)
            await dispatch.forget(connection, waiting[0], kept_days=0)
            await dispatch.list_forgettable(connection, kept_days=1)
        return [str(one.change.event_id) for one in batch.messages]

    assert using(send) == [event["id"]]


def test_what_is_purged_is_gone_from_every_server(api: Client, cluster: str) -> None:
    events = make_timeline(api)
    event = make_event(api, events)
    assert purge(cluster, slug_of(events), UUID(event["id"])) == 1
    with psycopg.connect(cluster) as connection:
        for table in ("event", "event_state"):
            assert connection.execute(f"SELECT FROM {table} WHERE event_id = %s", [event["id"]]).rowcount == 0
    api.wait_for_feed()
    assert [one["operation"] for one in api.read(feed_of(events))["items"]] == ["created", "purged"]


def test_what_is_old_is_swept(api: Client, using: Using) -> None:
    events = make_timeline(api)
    make_event(api, events)
    api.wait_for_feed()

    async def sweep(database: Database) -> tuple[int, int, int]:
        async with database.read() as connection:
            older = await count_older(connection)
        return older, await sweep_answers(database, kept_hours=0), await sweep_changes(database, keep_days=0)

    older, _, swept = using(sweep)
    assert older == 0
    assert swept > 0
    assert api.read(feed_of(events))["items"] == []


def test_a_backup_is_refused_in_words(cluster: str, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="spread over a cluster"):
        back_up(cluster, tmp_path / "backup")


def test_a_reference_that_is_not_there_is_told_as_on_one_server(api: Client) -> None:
    events, actor = make_timeline(api), make_actor(api)
    make_event(api, events, participants=[{"actor": actor}])
    entry = api.get(f"/v1/actors/{actor}")
    answer = api.delete(f"/v1/actors/{actor}", entry.headers["ETag"])
    assert (answer.status_code, answer.json()["detail"]) == (409, "it is in use: it takes part in events")


def test_what_keeps_a_server_from_taking_an_import_is_unavailability_as_on_one_server(
    api: Client, cluster: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows are copied to their server, of whose refusal the coordinator passes on the words alone."""
    events = make_timeline(api)
    with psycopg.connect(cluster) as connection:
        row = connection.execute(
            "SELECT nodename, nodeport, format('event_state_%%s', shardid) FROM pg_dist_shard_placement"
            " WHERE shardid = get_shard_id_for_distribution_column('event_state', %s)",
            [timeline_id_of(slug_of(events))],
        ).fetchone()
    assert row is not None
    host, port, shard = row
    with psycopg.connect(make_conninfo(cluster, host=host, port=port), autocommit=True) as server:
        server.execute("SET citus.enable_ddl_propagation = off")
        server.execute("SET citus.enable_manual_changes_to_shards = on")
        server.execute("SET citus.enable_unsafe_triggers = on")
        server.execute(FULL)
        on = sql.Identifier(shard)
        server.execute(sql.SQL("CREATE TRIGGER full_disk BEFORE INSERT ON {} EXECUTE FUNCTION full_disk()").format(on))
        try:
            answer = api.send(
                "POST",
                events.removesuffix("/events") + "/import",
                content=json.dumps(event_body()).encode(),
                headers={"Content-Type": "application/x-ndjson"},
            )
        finally:
            server.execute(sql.SQL("DROP TRIGGER full_disk ON {}").format(on))
            server.execute("DROP FUNCTION full_disk")
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "a server of the cluster cannot take what is written now",
    )
    assert "a server of the cluster reports: no space left" in caplog.text
