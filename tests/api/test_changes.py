"""The change feed in pages: its order and horizon, its cursors, what it tells of a write, filters, retention."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from service.dates import format_instant
from service.store import changes as changes_module
from service.store.epoch import enter_epoch_at
from service.store.query import timeline_id_of
from service.store.retention import sweep_changes
from tests.client import Asked, Client, connected
from tests.factories import fresh_slug, make_actor, make_event, make_timeline, path_of, tag_of
from tests.keys import ADMIN, bearer

Json = dict[str, Any]


def feed_of(events: str) -> str:
    return events.removesuffix("/events") + "/changes"


def slug_of(events: str) -> str:
    return events.split("/")[3]


def told(item: Json) -> tuple[str, str, int]:
    return item["operation"], item["event"], item["version"]


def read(client: Client, feed: str, **parameters: Asked) -> Json:
    """Read a page once nothing waits for the horizon any more."""
    client.wait_for_feed()
    return client.read(feed, **parameters)


def walk(client: Client, feed: str, **parameters: Asked) -> list[Json]:
    """Read all that can be read, page by page."""
    items: list[Json] = []
    while True:
        page = read(client, feed, **parameters)
        items += page["items"]
        if page["next"] is None:
            return items
        parameters["after"] = page["next"]


def problem_of(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).removeprefix("/problems/")


@contextmanager
def under_way(url: str) -> Iterator[psycopg.Connection]:
    """Keep a transaction open that has a number, as any has that wrote something."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_current_xact_id()")
        yield connection
        connection.rollback()


# --- what is told


def test_every_write_is_told_with_the_event_as_it_then_stood(api: Client) -> None:
    events = make_timeline(api)
    first = make_event(api, events, title="First")
    second = api.patch(path_of(first), {"title": "Second"}, if_match=tag_of(first)).json()
    assert api.delete(path_of(first), if_match=tag_of(second)).status_code == 204
    back = api.put(path_of(first), {"title": "Back", "when": "2013", "status": "planned"})
    assert back.status_code == 201
    items = read(api, feed_of(events))["items"]
    assert [told(one) for one in items] == [
        ("created", first["id"], 1),
        ("amended", first["id"], 2),
        ("deleted", first["id"], 3),
        ("revived", first["id"], 4),
    ]
    assert [one["document"] for one in items] == [first, second, None, back.json()]
    assert all("state" not in one for one in items)
    assert items[1]["recorded_at"] == second["recorded_at"]


def test_a_late_report_says_which_state_it_recorded_and_which_stands(api: Client) -> None:
    events = make_timeline(api)
    made = make_event(api, events, title="Present", reported_at="2013-02-20T00:00:00Z")
    late = {"title": "Past", "reported_at": "2013-02-10T00:00:00Z"}
    assert api.patch(path_of(made), late, if_match=tag_of(made)).status_code == 200
    item = read(api, feed_of(events))["items"][-1]
    assert (item["operation"], item["version"], item["state"]) == ("amended", 1, 2)
    assert item["document"]["title"] == "Present"


def test_documents_are_left_out_on_request(api: Client) -> None:
    events = make_timeline(api)
    make_event(api, events)
    (item,) = read(api, feed_of(events), documents="false")["items"]
    assert set(item) == {"cursor", "operation", "event", "version", "recorded_at"}


def test_pages_follow_each_other_to_the_latest(api: Client) -> None:
    events = make_timeline(api)
    made = [make_event(api, events, title=str(n)) for n in range(7)]
    feed = feed_of(events)
    assert [one["event"] for one in walk(api, feed, limit=3)] == [one["id"] for one in made]
    page = read(api, feed, limit=3)
    answer = api.get(feed, limit=3)
    assert answer.headers["link"] == f'<{feed}?limit=3&after={page["next"]}>; rel="next"'
    assert page["next"] == page["items"][-1]["cursor"]
    whole = read(api, feed, limit=7)
    assert whole["next"] is None
    assert whole["latest"] == whole["items"][-1]["cursor"]
    assert read(api, feed, after=whole["oldest"], limit=200)["items"] == whole["items"]
    assert read(api, feed, after=whole["latest"])["items"] == []


def test_a_follower_begins_at_the_present_end(api: Client) -> None:
    events = make_timeline(api)
    make_event(api, events)
    start = read(api, feed_of(events), after="latest")
    assert start["items"] == []
    assert start["next"] is None
    later = make_event(api, events)
    assert [one["event"] for one in read(api, feed_of(events), after=start["latest"])["items"]] == [later["id"]]


def test_an_empty_feed_can_be_followed(api: Client) -> None:
    events = make_timeline(api)
    start = read(api, feed_of(events))
    assert (start["items"], start["next"]) == ([], None)
    made = make_event(api, events)
    assert [one["event"] for one in read(api, feed_of(events), after=start["latest"])["items"]] == [made["id"]]


def test_what_was_recorded_by_an_instant(api: Client) -> None:
    events = make_timeline(api)
    made = [make_event(api, events, title=str(n)) for n in range(3)]
    feed = feed_of(events)
    for limit in (1, 50):
        then = walk(api, feed, recorded_as_of=made[1]["recorded_at"], limit=limit)
        assert [one["event"] for one in then] == [one["id"] for one in made[:2]]
        then = walk(api, feed, recorded_as_of=made[1]["recorded_at"], limit=limit, status="planned")
        assert [one["event"] for one in then] == [one["id"] for one in made[:2]]
    assert walk(api, feed, recorded_as_of="2013") == []


# --- order and horizon


def test_what_commits_late_is_waited_for_and_never_skipped(api: Client, api_database_url: str) -> None:
    """The first to take a number is the last to commit: a follower by number would miss it."""
    events = make_timeline(api)
    feed = feed_of(events)
    with psycopg.connect(api_database_url) as slow:
        slow.execute(
            "INSERT INTO change (timeline_id, epoch, transaction_id, operation, event_id, state, version, recorded_at)"
            " SELECT %s, epoch, pg_current_xact_id()::text::bigint, 'amended', gen_random_uuid(), 1, 1, now()"
            " FROM feed",
            [timeline_id_of(slug_of(events))],
        )
        made = make_event(api, events)
        page = api.read(feed)
        assert (page["items"], page["next"]) == ([], None)
        assert api.read(feed, after=page["latest"])["items"] == []
        slow.commit()
    operations = [told(one)[0] for one in read(api, feed, after=page["latest"])["items"]]
    assert operations == ["amended", "created"]
    assert read(api, feed)["items"][-1]["event"] == made["id"]


def test_a_transaction_of_another_database_only_delays(api: Client, postgres: str) -> None:
    events = make_timeline(api)
    with under_way(postgres):
        made = make_event(api, events)
        assert api.read(feed_of(events))["items"] == []
        figures = api.get("/metrics").text
        assert "\ndateline_feed_changes_behind_horizon 1.0\n" in figures
        assert float(figures.split("\ndateline_feed_lag_seconds ")[1].split()[0]) > 0
    assert [one["event"] for one in read(api, feed_of(events))["items"]] == [made["id"]]


# --- filters


def test_filters_judge_the_document_and_let_tombstones_pass(api: Client) -> None:
    events, actor = make_timeline(api), make_actor(api)
    asked = make_event(api, events, title="Talks on water", when="2013-02", participants=[{"actor": actor}])
    other = make_event(api, events, title="Elections", when="2014-06", status="occurred")
    cancelled = api.patch(path_of(asked), {"status": "cancelled"}, if_match=tag_of(asked)).json()
    assert api.delete(path_of(other), if_match=tag_of(other)).status_code == 204
    feed = feed_of(events)

    def seen(**filters: str) -> list[tuple[str, str, int]]:
        return [told(one) for one in walk(api, feed, **filters)]

    tombstone = ("deleted", other["id"], 2)
    both = [("created", asked["id"], 1), ("amended", asked["id"], cancelled["version"]), tombstone]
    assert seen(actor=actor) == both
    assert seen(datetime="2013") == both
    assert seen(q="water") == both
    assert seen(datetime="2013-02", certainty="certain", relation="within") == both
    assert seen(status="cancelled") == [both[1], tombstone]
    assert seen(status="occurred") == [("created", other["id"], 1), tombstone]
    assert seen(status="planned", overdue="true") == [both[0], tombstone]
    assert seen(topic="nothing") == [tombstone]


def test_a_rare_event_is_found_over_several_pages(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes_module, "SCANNED_CHANGES", 4)
    events = make_timeline(api)
    for n in range(21):
        make_event(api, events, status="occurred" if n in (9, 17) else "planned", title=str(n))
    feed = feed_of(events)
    first = read(api, feed, status="occurred", limit=1)
    assert first["items"] == []
    assert first["next"] is not None
    for limit in (1, 2):
        found = walk(api, feed, status="occurred", limit=limit)
        assert [one["document"]["title"] for one in found] == ["9", "17"]


def test_a_misspelt_filter_is_refused(api: Client) -> None:
    answer = api.get(feed_of(make_timeline(api)), statuss="planned")
    assert (answer.status_code, problem_of(answer)) == (400, "invalid-parameter")


def test_a_stream_takes_no_limit(api: Client) -> None:
    feed = feed_of(make_timeline(api))
    for name, value in (("limit", "1"), ("recorded_as_of", "2026")):
        answer = api.get(feed, {"Accept": "text/event-stream"}, **{name: value})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["parameter"] == name


def test_other_types_are_not_to_be_had(api: Client) -> None:
    answer = api.get(feed_of(make_timeline(api)), {"Accept": "text/csv"})
    assert answer.status_code == 406
    assert "text/event-stream" in answer.json()["detail"]


# --- cursors


@pytest.mark.parametrize("stream", [False, True])
def test_a_damaged_or_foreign_cursor_is_refused(api: Client, stream: bool) -> None:  # noqa: FBT001  # a parameter
    events, others = make_timeline(api), make_timeline(api)
    make_event(api, events)
    cursor = read(api, feed_of(events))["latest"]
    middle = "A" if cursor[30] != "A" else "B"
    headers = {"Accept": "text/event-stream"} if stream else {}
    for feed, wrong in (
        (feed_of(events), cursor[:30] + middle + cursor[31:]),
        (feed_of(events), cursor[:-4]),
        (feed_of(events), "not a cursor"),
        (feed_of(others), cursor),
    ):
        answer = api.get(feed, headers, after=wrong)
        assert (answer.status_code, problem_of(answer)) == (400, "invalid-cursor")
        assert answer.json()["errors"][0]["parameter"] == "after"


@pytest.mark.parametrize("stream", [False, True])
def test_a_cursor_of_a_former_life_is_told_how_to_start_again(database_url: str, stream: bool) -> None:  # noqa: FBT001
    headers = {"Accept": "text/event-stream"} if stream else {}
    with connected(database_url) as client:
        events = make_timeline(client)
        made = make_event(client, events)
        feed = feed_of(events)
        before = read(client, feed)["latest"]
        # what a restored dump looks like: the same rows in another database
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE feed SET home = 'elsewhere'")
        enter_epoch_at(database_url)
        answer = client.get(feed, headers, after=before)
        assert (answer.status_code, problem_of(answer)) == (410, "cursor-outlived")
        assert f"{feed}?after=latest" in answer.json()["detail"]
        start = read(client, feed, after="latest")["latest"]
        later = make_event(client, events)
        assert [one["event"] for one in read(client, feed, after=start)["items"]] == [later["id"]]
        assert [one["event"] for one in read(client, feed)["items"]] == [made["id"], later["id"]]


def test_changes_of_the_former_life_come_first_though_its_transactions_had_higher_numbers(database_url: str) -> None:
    with connected(database_url) as client:
        events = make_timeline(client)
        made = [make_event(client, events, title=str(n)) for n in range(3)]
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE change SET transaction_id = transaction_id + 1000000000")
            connection.execute("UPDATE feed SET home = 'elsewhere'")
        enter_epoch_at(database_url)
        made += [make_event(client, events, title=str(n)) for n in range(3, 6)]
        assert [one["event"] for one in walk(client, feed_of(events), limit=2)] == [one["id"] for one in made]


def test_a_dump_restored_over_its_own_database_is_no_silence(database_url: str) -> None:
    """What a follower saw after the dump was made is gone, and new changes stand where it was."""
    with connected(database_url) as client:
        events = make_timeline(client)
        feed = feed_of(events)
        kept = make_event(client, events)
        before = read(client, feed)["latest"]
        lost = make_event(client, events)
        after = read(client, feed)["latest"]
        with psycopg.connect(database_url) as connection:
            for table in ("change", "event_state", "event"):
                connection.execute(f"DELETE FROM {table} WHERE event_id = %s", [lost["id"]])  # noqa: S608  # our own words
        anew = make_event(client, events)
        answer = client.get(feed, after=after)
        assert (answer.status_code, problem_of(answer)) == (410, "cursor-outlived")
        assert [one["event"] for one in read(client, feed, after=before)["items"]] == [anew["id"]]
        assert [one["event"] for one in read(client, feed)["items"]] == [kept["id"], anew["id"]]


def test_a_database_that_went_back_in_time_is_no_silence(database_url: str) -> None:
    """After a recovery to an earlier point the home is the same, and changes that were handed out are gone."""
    with connected(database_url) as client:
        events = make_timeline(client)
        make_event(client, events)
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE change SET transaction_id = transaction_id + 1000000000")
            connection.execute("UPDATE feed SET epoch = epoch + 1")
            connection.commit()
            ahead = read(client, feed_of(events), after="latest")["latest"]
            connection.execute("UPDATE feed SET epoch = epoch - 1")
            connection.execute("DELETE FROM change")
        answer = client.get(feed_of(events), after=ahead)
        assert (answer.status_code, problem_of(answer)) == (410, "cursor-outlived")


def test_an_epoch_is_entered_once_however_many_notice(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:

        def stands() -> tuple[Any, ...]:
            row = connection.execute("SELECT epoch, token, home FROM feed").fetchone()
            assert row is not None
            return row

        enter_epoch_at(database_url)
        epoch, token, home = stands()
        enter_epoch_at(database_url)
        assert stands() == (epoch, token, home)
        connection.execute("UPDATE feed SET home = 'elsewhere'")
        threads = [threading.Thread(target=enter_epoch_at, args=[database_url]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        entered, new_token, new_home = stands()
        assert entered > epoch
        assert (new_token != token, new_home) == (True, home)
        for thread in [threading.Thread(target=enter_epoch_at, args=[database_url]) for _ in range(8)]:
            thread.start()
            thread.join()
        assert stands() == (entered, new_token, home)


# --- retention


def test_what_is_older_than_kept_goes_and_is_not_missed_in_silence(database_url: str) -> None:
    with connected(database_url) as client:
        events, quiet = make_timeline(client), make_timeline(client)
        made = [make_event(client, events, title=str(n)) for n in range(5)]
        make_event(client, quiet)
        feed = feed_of(events)
        cursors = [one["cursor"] for one in read(client, feed)["items"]]
        start = read(client, feed)["oldest"]
        with psycopg.connect(database_url) as connection:
            connection.execute(
                "UPDATE change SET recorded_at = now() - interval '8 days' WHERE event_id = ANY(%s::uuid[])",
                # the fourth is old, too, but stands behind a newer one: a feed has no holes
                [[one["id"] for one in (made[0], made[1], made[3])]],
            )

        def sweep() -> int:
            return client.portal.call(lambda: sweep_changes(client.app.state.database, keep_days=7))

        assert sweep() == 2
        assert sweep() == 0
        assert [one["event"] for one in walk(client, feed)] == [one["id"] for one in made[2:]]
        assert len(walk(client, feed_of(quiet))) == 1
        for outlived in (start, cursors[0]):
            answer = client.get(feed, after=outlived)
            assert (answer.status_code, problem_of(answer)) == (410, "cursor-outlived")
            assert "kept no longer" in answer.json()["detail"]
        assert read(client, feed)["oldest"] == cursors[1]
        for kept in (cursors[1], read(client, feed)["oldest"]):
            assert len(walk(client, feed, after=kept)) == 3


def test_a_feed_of_which_nothing_is_kept_can_be_followed(database_url: str) -> None:
    with connected(database_url) as client:
        events = make_timeline(client)
        make_event(client, events)
        feed = feed_of(events)
        before = read(client, feed)
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE change SET recorded_at = now() - interval '8 days'")
        client.portal.call(lambda: sweep_changes(client.app.state.database, keep_days=7))
        empty = read(client, feed)
        assert (empty["items"], empty["next"]) == ([], None)
        assert empty["latest"] == empty["oldest"] == before["latest"]
        assert client.get(feed, after=before["oldest"]).status_code == 410
        made = make_event(client, events)
        assert [one["event"] for one in read(client, feed, after=empty["latest"])["items"]] == [made["id"]]


# --- who may follow


def test_a_private_timeline_is_not_there_for_others(database_url: str) -> None:
    with connected(database_url, key=None) as client:
        key = bearer(ADMIN)
        slug = fresh_slug("story")
        body = {"slug": slug, "title": "Ours", "visibility": "private"}
        assert client.post("/v1/timelines", body, headers=key).status_code == 201
        feed = f"/v1/timelines/{slug}/changes"
        assert client.get(feed, key).status_code == 200
        for headers in ({}, {"Accept": "text/event-stream"}):
            assert client.get(feed, headers).status_code == 404
        assert client.get("/v1/timelines/nowhere/changes", key).status_code == 404


def test_a_key_that_is_revoked_ends_the_streams_that_it_opened(database_url: str) -> None:
    with connected(database_url, stream_heartbeat_seconds=0.1) as client:
        feed = feed_of(make_timeline(client, visibility="private"))
        made = client.post("/v1/keys", {"name": "a follower", "scopes": ["read"]}).json()
        headers = bearer(made["key"])
        assert client.listen(feed, 5, headers).text.count("\n\n") >= 5, "as long as it is good, the stream goes on"
        revoke = threading.Timer(0.5, client.delete, [f"/v1/keys/{made['prefix']}"])
        revoke.start()
        assert client.listen(feed, 1_000, headers).status_code == 200, "the stream has ended by itself"
        revoke.join()
        assert client.get(feed, headers).status_code == 401


def test_instants_are_those_of_the_store(api: Client, direct: psycopg.Connection) -> None:
    events = make_timeline(api)
    made = make_event(api, events)
    row = direct.execute(
        "SELECT (extract(epoch FROM recorded_at) * 1000000)::bigint FROM change WHERE event_id = %s", [made["id"]]
    ).fetchone()
    assert row is not None
    assert read(api, feed_of(events))["items"][0]["recorded_at"] == format_instant(row[0])
