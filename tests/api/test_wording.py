"""What is wrong with a request is said in words that a person can act on, not in those of a library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from service.wire import directory, event, webhook
from service.wire.values import FORMS, Body
from service.wording import in_words
from tests.api.asking import valid
from tests.api.published import EACH, Operation
from tests.api.test_problems import JSON, NOBODY, is_problem
from tests.client import Client
from tests.factories import event_body, make_timeline

STATUS = "/status: must be 'tentative', 'planned', 'occurred', 'postponed' or 'cancelled'"
UNKNOWN = "is unknown here, or is not for clients to write"
SLUG = "must be lower-case letters a to z, digits and single hyphens between them, as in syria-2013"
UUID = "must be a UUID, as 018f3d5e-7a10-7000-8000-000000000001 is"
KNOWN = (
    "actor, certainty, count, cursor, datetime, disputed, format, kind, known_at, limit, overdue, place, q, relation, "
    "sort, source, status, topic"
)
JARGON = re.compile(r"Input should|String should|List should|Field required|[Vv]alue error|valid |parse|dictionary|\^")
ODD: list[Any] = [
    *(None, True, 5, -1e9, 1e9, 10**30, 2.5, float("inf"), "", " ", "x", "X y", "\x00", "\ud800", "2013-02-30"),
    *("x" * 30_000, [], [None], ["X y"], [5] * 300, {}, {"": 1}, {"place": 5}, [{}], [{"source": "X", "id": "x"}]),
]


def bodies(of: type[BaseModel] = Body) -> Iterator[type[BaseModel]]:
    for body in of.__subclasses__():
        yield body
        yield from bodies(body)


@pytest.mark.parametrize("body", list(bodies()), ids=lambda body: body.__name__)
def test_whatever_is_wrong_with_a_body_is_said_in_our_words(body: type[BaseModel]) -> None:
    assert {directory.ActorBody, event.EventBody, webhook.WebhookBody} <= set(bodies())
    told = 0
    for given in [*ODD, *({name: odd} for name in body.model_fields for odd in ODD)]:
        try:
            body.model_validate(given)
        except ValidationError as error:
            for one in error.errors():
                sentence = in_words(one, FORMS)
                assert not JARGON.search(sentence), sentence
                assert len(sentence) < 400
                told += 1
    assert told > len(ODD)


@EACH
def test_whatever_is_wrong_with_a_parameter_is_said_in_our_words(reading: Client, operation: Operation) -> None:
    for parameter in operation.parameters("query", "header"):
        for odd in ("x", "-5", "9" * 30, "X y", "\x00", "x" * 3000, ""):
            asked = valid(operation)
            if parameter["in"] == "query":
                asked.params[parameter["name"]] = odd
            else:
                asked.headers[parameter["name"]] = odd.replace("\x00", "")
            answer = asked.send(reading)
            if answer.status_code == 400:
                assert not JARGON.search(answer.json()["detail"]), answer.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": 5}, "/title: must be text, not a number"),
        ({"title": ""}, "/title: must not be empty"),
        ({"title": "  "}, "/title: must not be blank, nor hold a NUL character"),
        ({"title": "x" * 501}, "/title: must have at most 500 characters"),
        ({"status": "canceled"}, f"{STATUS}; did you mean 'cancelled'?"),
        ({"status": "xyz"}, STATUS),
        ({"kind": "A Kind"}, f"/kind: {SLUG}"),
        ({"place": "moscow"}, "/place: must be an object, not text"),
        ({"place": {}}, "/place/place: is missing"),
        ({"topics": "x"}, "/topics: must be a list, not text"),
        ({"supersede": "maybe"}, "/supersede: must be true or false, not text"),
        ({"supersede": "true"}, "/supersede: must be true or false, not text"),
        ({"supersede": 0}, "/supersede: must be true or false, not a number"),
        ({"claims": [{"source": "x", "id": "y"}]}, f"/claims/0/id: {UUID}"),
        ({"sumary": "x"}, f"/sumary: {UNKNOWN}; did you mean 'summary'?"),
        ({"Summary": "x"}, f"/Summary: {UNKNOWN}; did you mean 'summary'?"),
        ({"claims": [{"source": "x", "qoute": "y"}]}, f"/claims/0/qoute: {UNKNOWN}; did you mean 'quote'?"),
        (
            {"claims": [{"source": "x", "asserts": {"wen": "2013"}}]},
            f"/claims/0/asserts/wen: {UNKNOWN}; did you mean 'when'?",
        ),
        # what is there already is not what was meant
        ({"titel": "x"}, f"/titel: {UNKNOWN}"),
        # nor is what is wrong as a whole compared word by word
        (
            {"sumary": 1, "titl": 1, "stat": 1, "kin": 1},
            f"/sumary: {UNKNOWN}; /titl: {UNKNOWN}; /stat: {UNKNOWN}; /kin: {UNKNOWN}",
        ),
        ({"version": 1}, f"/version: {UNKNOWN}"),
        ({"x" * 30_000: 1}, f"/{'x' * 499}: {UNKNOWN}"),
    ],
)
def test_a_wrong_member(api: Client, changes: dict[str, Any], said: str) -> None:
    problem = is_problem(api.post(make_timeline(api), event_body(**changes)), 422, "invalid-body")
    assert problem["detail"] == said


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "limit: must be at least 1"),
        ("limit=500", "limit: must be at most 200"),
        ("limit=x", "limit: must be a whole number"),
        ("overdue=ja", "overdue: must be true or false"),
        ("sort=dates", "sort: must be 'date', '-date', '-recorded' or 'relevance'; did you mean 'date'?"),
        ("q=", "q: must not be empty"),
        ("Sort=date", f"Sort: is unknown here; known are: {KNOWN}; did you mean 'sort'?"),
        (
            "a=1&b=1&c=1&Sort=date",
            "; ".join(f"{name}: is unknown here; known are: {KNOWN}" for name in ["a", "b", "c", "Sort"]),
        ),
        ("x=1", f"x: is unknown here; known are: {KNOWN}"),
        ("q=%ff", "q: is not UTF-8"),
        ("limit=5&actor=%E9t%E9&q=%EF%BF%BD", "actor: is not UTF-8"),
        ("q=%00", "q: must not hold a NUL character"),
    ],
)
def test_a_wrong_parameter(api: Client, query: str, said: str) -> None:
    assert is_problem(api.get(f"/v1/events?{query}"), 400, "invalid-parameter")["detail"] == said


PLUS = "; a + in a query string is a space: write %2B"


@pytest.mark.parametrize(
    ("path", "name", "is_told"),
    [
        ("/v1/events?known_at=2013-02-15T00:00:00+01:00", "known_at", True),
        ("/v1/events?limit=5&known%5Fat=2013-02-15T00:00:00+01:00", "known_at", True),
        ("/v1/events?datetime=2013-02-15T00:00:00+01:00/..", "datetime", True),
        ("/v1/dates?edtf=2013-02-15T00:00:00+01:00", "edtf", True),
        ("/v1/timelines/x/diff?to=2013&from=2013-02-15T00:00:00+01:00", "from", True),
        ("/v1/timelines/x/diff?to=+12013-02-15T00:00:00Z&from=2013-02-15T00:00:00Z", "to", True),
        ("/v1/events?known_at=2013-02-15T00:00:00%2001:00", "known_at", False),
        ("/v1/events?known_at=soon&q=1+2", "known_at", False),
        ("/v1/events?q=peace+war%00", "q", False),
        ("/v1/events?limit=+500", "limit", False),
    ],
)
def test_a_plus_that_came_as_a_space(api: Client, path: str, name: str, *, is_told: bool) -> None:
    problem = is_problem(api.get(path), 400, "invalid-parameter")
    (found,) = problem["errors"]
    assert found["parameter"] == name
    assert found["detail"].endswith(PLUS) == problem["detail"].endswith(PLUS) == is_told


def test_a_plus_that_is_written_as_one(api: Client) -> None:
    assert api.get("/v1/events?known_at=2013-02-15T00:00:00%2B01:00").status_code == 200


def test_a_misspelt_member_of_what_a_patch_is_made_of(api: Client) -> None:
    events = make_timeline(api)
    where = f"{events}/{api.post(events, event_body()).json()['id']}"
    answer = api.send("PATCH", where, json={"wehn": "2014"}, headers={"If-Match": '"1"'})
    assert is_problem(answer, 422, "invalid-body")["detail"] == f"/wehn: {UNKNOWN}; did you mean 'when'?"
    steps = [{"op": "add", "path": "/sumary", "value": "x"}]
    headers = {"If-Match": '"1"', "Content-Type": "application/json-patch+json"}
    answer = api.send("PATCH", where, json=steps, headers=headers)
    assert is_problem(answer, 422, "invalid-body")["detail"] == f"/sumary: {UNKNOWN}; did you mean 'summary'?"


def test_a_misspelt_member_of_an_operation_of_a_batch(api: Client) -> None:
    operations = [{"operation": "create", "body": event_body() | {"sumary": "x"}}]
    answer = api.post(f"{make_timeline(api)}:batch", {"operations": operations})
    detail = is_problem(answer, 422, "batch-refused")["errors"][0]["detail"]
    assert detail == f"{UNKNOWN}; did you mean 'summary'?"


@pytest.mark.parametrize(
    ("operation", "hint"),
    [
        ({"operation": "ammend"}, "; did you mean 'amend'?"),
        ({"operation": "Create"}, "; did you mean 'create'?"),
        *(({"operation": "spread"}, ""), ({"operation": 5}, ""), ({"operation": None}, ""), ({}, "")),
    ],
)
def test_a_misspelt_operation_of_a_batch(api: Client, operation: dict[str, object], hint: str) -> None:
    answer = api.post(f"{make_timeline(api)}:batch", {"operations": [operation]})
    (error,) = is_problem(answer, 422, "batch-refused")["errors"]
    assert error == {"pointer": "/operations/0/operation", "detail": f"is one of create, put, amend, delete{hint}"}


def test_a_missing_parameter(api: Client) -> None:
    assert is_problem(api.get("/v1/dates"), 400, "invalid-parameter")["detail"] == "edtf: is missing"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/timelines/x/events/abc", f"event in the path {UUID}"),
        (f"/v1/timelines/A_B/events/{NOBODY}", f"timeline in the path {SLUG}"),
        ("/v1/keys/x", "key in the path must be a key's prefix, as dl_4k2m9xq7wz is"),
        (f"/v1/actors/{'x' * 81}", "slug in the path must have at most 80 characters"),
    ],
)
def test_a_path_of_another_form(api: Client, path: str, said: str) -> None:
    assert is_problem(api.get(path), 404, "not-found")["detail"] == f"no such thing: {said}"


def test_a_body_that_is_no_json_says_where(api: Client) -> None:
    answer = api.send("POST", make_timeline(api), content=b'{"title": x}', headers=JSON)
    detail = is_problem(answer, 400, "malformed-body")["detail"]
    assert detail == "the body is no JSON text: Expecting value at position 10"
