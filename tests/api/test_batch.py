"""Many events are written in one request: all or nothing, or each for itself."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from service.api import batch as batch_module
from service.api import batch_problems
from service.wire.batch import MOST_OPERATIONS
from tests.api.test_preconditions import at_once
from tests.api.test_problems import is_problem
from tests.client import Client, connected
from tests.factories import event_body, make_actor, make_event, make_path, make_timeline, path_of

Json = dict[str, Any]


def create(**members: object) -> Json:
    return {"operation": "create", "body": event_body(**members)}


def put(event: str, if_match: int | None = None, **members: object) -> Json:
    return {"operation": "put", "event": event, "if_match": if_match, "body": event_body(**members)}


def amend(event: Json, if_match: int | None = None, **members: object) -> Json:
    return {"operation": "amend", "event": event["id"], "if_match": if_match or event["version"], "patch": members}


def delete(event: Json) -> Json:
    return {"operation": "delete", "event": event["id"], "if_match": event["version"]}


def batch(client: Client, events: str, *operations: Any, **parameters: bool) -> httpx.Response:  # noqa: ANN401
    return client.send("POST", f"{events}:batch", json={"operations": list(operations)}, params=parameters)


def items(answer: httpx.Response) -> list[Json]:
    assert answer.status_code == 200, answer.text
    read: list[Json] = answer.json()["items"]
    return read


def mixed(api: Client, events: str) -> tuple[list[Json], list[Json]]:
    """Make three events, and operations of each kind on them and on others."""
    made = [make_event(api, events, title=f"{i}") for i in range(3)]
    new = str(uuid4())
    operations = [create(title="new"), put(new, title="own"), put(made[0]["id"], 1, title="replaced")]
    return made, [*operations, amend(made[1], title="amended"), delete(made[2])]


@pytest.mark.parametrize("atomic", [True, False])
def test_each_operation_is_answered_as_it_would_be_alone(api: Client, *, atomic: bool) -> None:
    events = make_timeline(api)
    made, operations = mixed(api, events)
    told = items(batch(api, events, *operations, atomic=atomic))
    assert [one["status"] for one in told] == [201, 201, 200, 200, 204]
    assert [one["problem"] for one in told] == [None] * 5
    assert [one["version"] for one in told] == [1, 1, 2, 2, None]
    assert [one["event"] for one in told[1:]] == [one["event"] for one in operations[1:]]
    assert told[4]["document"] is None
    for one in told[:4]:
        assert one["document"] == api.read(f"{events}/{one['event']}")
        assert (one["document"]["id"], one["document"]["version"]) == (one["event"], one["version"])
    assert [one["document"]["title"] for one in told[:4]] == ["new", "own", "replaced", "amended"]
    assert api.get(path_of(made[2])).status_code == 410
    assert len(api.walk(events)) == 4


def test_all_are_done_unless_said_otherwise(api: Client) -> None:
    events = make_timeline(api)
    assert batch(api, events, create(), {"operation": "spread"}).status_code == 422
    assert api.walk(events) == []


def test_all_are_one_commit_in_the_feed(api: Client) -> None:
    events = make_timeline(api)
    _, operations = mixed(api, events)
    feed = events.removesuffix("/events") + "/changes"
    batch(api, events, *operations)
    api.wait_for_feed()
    told = [one["operation"] for one in api.walk(feed)][3:]
    assert told == ["created", "created", "amended", "amended", "deleted"]


def test_later_operations_see_what_earlier_ones_did(api: Client) -> None:
    events, own = make_timeline(api), str(uuid4())
    told = items(
        batch(
            api,
            events,
            put(own, title="a"),
            {"operation": "amend", "event": own, "if_match": 1, "patch": {"title": "b"}},
            {"operation": "delete", "event": own, "if_match": 2},
            put(own, title="c"),
        )
    )
    assert [one["status"] for one in told] == [201, 200, 204, 201]
    assert [one["version"] for one in told] == [1, 2, None, 4]
    assert api.read(f"{events}/{own}")["title"] == "c"
    assert len(api.walk(f"{events}/{own}/history")) == 4


# Refusals


def refused_operations(api: Client, events: str) -> list[tuple[Json, int, str, str]]:
    """List operations that are refused: with which status, as which kind, and where."""
    event = make_event(api, events)
    gone = make_event(api, events)
    api.delete(path_of(gone), "*")
    nobody = str(uuid4())
    return [
        (create(titel="x"), 422, "invalid-body", "/body/titel"),
        (create(when="2013-02-30"), 422, "invalid-body", "/body/when"),
        (create(participants=[{"actor": "no-such"}]), 422, "invalid-body", "/body/participants/0/actor"),
        (put(event["id"]), 428, "version-required", "/if_match"),
        (put(event["id"], 7), 412, "version-conflict", ""),
        (put(nobody, 1), 412, "version-conflict", ""),
        ({"operation": "put", "event": "x", "body": event_body()}, 422, "invalid-body", "/event"),
        (amend(event, 9, title="x"), 412, "version-conflict", ""),
        (amend(event, title=None), 422, "invalid-body", "/patch/title"),
        (amend(event, place={"name": "x"}), 422, "invalid-body", "/patch/place/place"),
        (amend(event, reported_at="2999-01-01T00:00:00Z"), 422, "invalid-body", "/patch/reported_at"),
        (amend(gone, title="x"), 410, "gone", ""),
        (amend({"id": nobody, "version": 1}, title="x"), 404, "not-found", ""),
        (delete({"id": nobody, "version": 1}), 404, "not-found", ""),
        ({"operation": "delete", "event": event["id"]}, 428, "version-required", "/if_match"),
        ({"operation": "delete", "event": event["id"], "if_match": "1"}, 422, "invalid-body", "/if_match"),
        ({"operation": "delete", "event": event["id"], "if_match": 0}, 422, "invalid-body", "/if_match"),
        ({"operation": "delete", "event": event["id"], "if_match": 10**30}, 422, "invalid-body", "/if_match"),
        ({"operation": "delete", "event": event["id"], "body": {}}, 422, "invalid-body", "/body"),
        ({"operation": "spread"}, 422, "invalid-body", "/operation"),
        ({"operation": "x" * 5000}, 422, "invalid-body", "/operation"),
        ({"operation": None}, 422, "invalid-body", "/operation"),
        ({}, 422, "invalid-body", "/operation"),
    ]


def test_what_is_refused_undoes_all(api: Client) -> None:
    events = make_timeline(api)
    cases = refused_operations(api, events)
    before = api.walk(events)
    for operation, status, kind, where in cases:
        answer = batch(api, events, create(), operation, create())
        problem = is_problem(answer, 422, "batch-refused")
        assert len(answer.content) < 5_000
        ((index, told),) = [(one["index"], one["problem"]) for one in problem["operations"]]
        assert (index, told["status"], told["type"]) == (1, status, f"/problems/{kind}"), operation
        assert told["request_id"] == problem["request_id"]
        assert told["instance"] == problem["instance"] == f"{events}:batch"
        assert [error["pointer"] for error in problem["errors"]] == [f"/operations/1{where}"], operation
        assert [error["pointer"] for error in told.get("errors", [])] in ([], [f"/operations/1{where}"])
        assert "current" not in told
        assert "If-Match" not in answer.text, "a batch has no such header"
        assert api.walk(events) == before


def test_what_is_refused_leaves_the_others(api: Client) -> None:
    events = make_timeline(api)
    cases = refused_operations(api, events)
    there = len(api.walk(events))
    operations = [each for operation, *_ in cases for each in (operation, create())]
    told = items(batch(api, events, *operations, atomic=False))
    assert [one["status"] for one in told] == [status for case in cases for status in (case[1], 201)]
    assert len(api.walk(events)) == there + len(cases)
    for i, (operation, status, kind, where) in enumerate(cases):
        one = told[2 * i]
        assert (one["version"], one["document"]) == (None, None)
        assert (one["problem"]["type"], one["problem"]["status"]) == (f"/problems/{kind}", status)
        pointers = [error["pointer"] for error in one["problem"].get("errors", [])]
        assert pointers == ([f"/operations/{2 * i}{where}"] if where else []), operation
        if status == 412:
            assert "current" not in one["problem"], "of a thousand operations that could be any length"


def test_all_that_cannot_be_read_is_told_at_once(api: Client) -> None:
    events = make_timeline(api)
    answer = batch(api, events, {"operation": "spread"}, create(), create(titel=1, when="x"), 5, *[[]] * 100)
    problem = is_problem(answer, 422, "batch-refused")
    assert [one["index"] for one in problem["operations"]][:3] == [0, 2, 3]
    pointers = [error["pointer"] for error in problem["errors"]]
    assert {"/operations/0/operation", "/operations/2/body/titel", "/operations/2/body/when"} <= set(pointers)
    assert len(pointers) == 20
    assert len(answer.content) < 30_000


def test_an_event_that_others_are_tied_to_is_kept(api: Client) -> None:
    events = make_timeline(api)
    one, other = make_event(api, events), make_event(api, events)
    assert api.put(f"{path_of(one)}/links/follows/{other['id']}", None).status_code == 201
    told = items(batch(api, events, delete(other), create(), atomic=False))
    assert [item["status"] for item in told] == [409, 201]
    assert told[0]["problem"]["type"] == "/problems/in-use"
    assert api.get(path_of(other)).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        *(({}, "/operations"), ({"operations": []}, "/operations"), ({"operations": {}}, "/operations")),
        ({"operations": [create()] * (MOST_OPERATIONS + 1)}, "/operations"),
        ({"operations": [create()], "atomic": True}, "/atomic"),
    ],
)
def test_what_is_no_batch_is_refused(api: Client, body: Json, pointer: str) -> None:
    events = make_timeline(api)
    problem = is_problem(api.post(f"{events}:batch", body), 422, "invalid-body")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert api.walk(events) == []


def test_a_batch_of_no_timeline(api: Client) -> None:
    for atomic in (True, False):
        is_problem(batch(api, "/v1/timelines/none/events", create(), atomic=atomic), 404, "not-found")


def test_a_batch_may_be_as_long_as_allowed(api: Client) -> None:
    events = make_timeline(api)
    operations = [create(title=f"{i}") for i in range(MOST_OPERATIONS)]
    told = items(batch(api, events, *operations))
    assert [one["document"]["title"] for one in told] == [f"{i}" for i in range(MOST_OPERATIONS)]
    assert api.read(events, count="exact", limit=1)["count"] == MOST_OPERATIONS
    amended = [amend(one["document"], title="new") for one in told[: MOST_OPERATIONS // 2]]
    assert {one["status"] for one in items(batch(api, events, *amended, atomic=False))} == {200}


@pytest.mark.parametrize("atomic", [True, False])
def test_the_answer_of_a_batch_has_its_limit(api: Client, monkeypatch: pytest.MonkeyPatch, *, atomic: bool) -> None:
    events = make_timeline(api)
    event = make_event(api, events, summary="x" * 20_000)
    before = api.walk(events)
    amended = [amend(event, i + 1, title=f"{i}") for i in range(20)]
    monkeypatch.setattr(batch_module, "MOST_ANSWER_BYTES", 250_000)
    answer = batch(api, events, create(), *amended, atomic=atomic)
    assert "250000 bytes" in is_problem(answer, 413, "too-large")["detail"]
    assert api.walk(events) == before
    assert {one["status"] for one in items(batch(api, events, *amended[:10], atomic=atomic))} == {200}


def test_what_is_there_instead_makes_no_answer_long(api: Client) -> None:
    events = make_timeline(api)
    event = make_event(api, events, summary="x" * 20_000)
    told = batch(api, events, *[amend(event, 9, title="x")] * 100, atomic=False)
    assert {one["status"] for one in items(told)} == {412}
    assert len(told.content) < 100_000


# Together with keys, trials, and others


@pytest.mark.parametrize("atomic", ["true", "false"])
def test_a_batch_under_a_key_is_done_once(api: Client, atomic: str) -> None:
    events = make_timeline(api)
    operations = [create(), *([create(titel="x")] if atomic == "false" else [])]
    request = {"params": {"atomic": atomic}, "json": {"operations": operations}}
    headers = {"Idempotency-Key": f"{uuid4()}"}
    first, again = (api.send("POST", f"{events}:batch", headers=headers, **request) for _ in range(2))  # type: ignore[arg-type]
    assert (first.status_code, first.content) == (200, again.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert len(api.walk(events)) == 1


def test_a_trial_of_a_batch_writes_nothing(api: Client) -> None:
    events = make_timeline(api)
    made, operations = mixed(api, events)
    for atomic in (True, False):
        told = items(batch(api, events, *operations, atomic=atomic, dry_run=True))
        assert [one["status"] for one in told] == [201, 201, 200, 200, 204]
        assert sorted(event["id"] for event in api.walk(events)) == sorted(event["id"] for event in made)


def test_batches_of_the_same_events_in_any_order_do_not_block_each_other(api: Client) -> None:
    events = make_timeline(api)
    made = [make_event(api, events) for _ in range(12)]

    def shuffled(number: int) -> httpx.Response:
        order = random.Random(number).sample(made, len(made))  # noqa: S311  # the same each time
        return batch(api, events, *(amend(event, title=f"{number}") for event in order), atomic=number % 2 == 0)

    answers = at_once(8, shuffled)
    done = [one for one in answers if one.status_code == 200]
    assert {one.status_code for one in answers} <= {200, 422}, [one.text[:300] for one in answers]
    assert done
    after = api.walk(events)
    assert {event["version"] for event in after} == {2}
    assert len({event["title"] for event in after}) == 1, "one of them did them all"


def test_long_batches_leave_connections_to_others(module_database_url: str) -> None:
    with connected(module_database_url, pool_size=4) as client, psycopg.connect(module_database_url) as holding:
        events = make_timeline(client)
        holding.execute("LOCK TABLE change IN ACCESS EXCLUSIVE MODE")

        async def flood() -> int:
            body = {"operations": [create()]}
            posts = [asyncio.create_task(client._http.post(f"{events}:batch", json=body)) for _ in range(6)]
            await asyncio.sleep(0.3)
            read = await client._http.get("/v1/actors")
            holding.rollback()
            assert {one.status_code for one in await asyncio.gather(*posts)} == {200}
            return read.status_code

        assert client.portal.call(flood) == 200


def test_a_private_timeline_is_not_there(database_url: str) -> None:
    with connected(database_url) as client:
        events = make_timeline(client, visibility="private")
        make_actor(client)
    with connected(database_url, key=None) as stranger:
        assert batch(stranger, events, create()).status_code == 401
        assert stranger.get(make_path(events)).status_code == 404


def test_others_have_their_turn_between_what_is_refused(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []

    def answered(*given: Any) -> Any:  # noqa: ANN401  # as it is
        turns.append(ticks)
        return batch_problems.answer_refusal(*given)

    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async def start() -> asyncio.Task[None]:
        return asyncio.create_task(tick())

    monkeypatch.setattr(batch_module, "answer_refusal", answered)
    ticking = api.portal.call(start)
    try:
        batch(api, make_timeline(api), *[{"operation": "spread"}] * 50, atomic=False)
    finally:
        api.portal.call(ticking.cancel)
    assert len(set(turns)) == len(turns) == 50
