"""Every error is a problem (RFC 9457): named, explained, and silent about our insides."""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from psycopg import sql

from service import errors
from service.api import problems
from tests.client import Client
from tests.factories import event_body, make_event, make_timeline, path_of

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}
NOBODY = "00000000-0000-4000-8000-000000000000"


def is_problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """Hold an answer to what every problem has."""
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"/problems/{name}"
    assert problem["status"] == status
    assert problem["title"] == problems.KINDS[name].title
    assert problem["detail"]
    assert problem["instance"] == answer.request.url.raw_path.decode().partition("?")[0]
    assert problem["request_id"] == answer.headers["x-request-id"] != ""
    assert problem.keys() <= {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "request_id",
        "errors",
        "operations",
        "current",
    }
    for error in problem.get("errors", []):
        assert error["detail"]
        assert ("pointer" in error) != ("parameter" in error)
    return problem


def domain_errors() -> list[type[errors.DatelineError]]:
    found = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.DatelineError)]
    return [one for one in found if one is not errors.DatelineError]


@pytest.mark.parametrize("error", domain_errors())
def test_each_error_of_the_domain_has_its_problem(error: type[errors.DatelineError]) -> None:
    assert error in problems.OF_ERROR


def test_no_domain_error_hides_elsewhere() -> None:
    def below(error: type[errors.DatelineError]) -> set[type[errors.DatelineError]]:
        return {error}.union(*(below(child) for child in error.__subclasses__()))

    assert below(errors.DatelineError) == {errors.DatelineError, *domain_errors()}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    assert sorted(drawn) == sorted(error.__name__ for error in domain_errors())


def test_each_kind_of_problem_is_explained_where_its_type_says(api: Client) -> None:
    listed = api.get("/problems")
    assert listed.status_code == 200
    assert len(problems.KINDS) >= 17
    for kind in problems.KINDS.values():
        page = api.get(kind.path)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert str(kind.status) in page.text
        assert kind.path in listed.text or kind.name in listed.text
    is_problem(api.get("/problems/no-such-kind"), 404, "not-found")


@pytest.mark.parametrize(
    "path",
    [
        *("/nothing", "/v1", "/v1/", "/v1/timelines/", "/v1/events/", "/v2/events", "/v1//events", "/.env"),
        *("/docs-assets/none.js", "/v1/a%3Fb%23c", "/v1/a%20b", "/v1/%E2%82%AC", "/v1/events%00", "/v1/" + "x" * 5000),
    ],
)
def test_an_unknown_path(api: Client, path: str) -> None:
    is_problem(api.get(path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/timelines/x/events", {"GET", "HEAD", "POST"}),
        ("POST", f"/v1/timelines/x/events/{NOBODY}", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        ("PUT", "/v1/actors", {"GET", "HEAD", "POST"}),
        ("PUT", "/v1/actors/x", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("POST", "/v1/events", {"GET", "HEAD"}),
        ("POST", "/health/live", {"GET", "HEAD"}),
        ("OPTIONS", "/v1/dates", {"GET", "HEAD"}),
        ("TRACE", "/v1/dates", {"GET", "HEAD"}),
        ("BREW", "/v1/dates", {"GET", "HEAD"}),
        ("GET", "/v1/timelines/x/events/y/links/causes/z", {"PUT", "DELETE"}),
        ("DELETE", "/openapi.json", {"GET", "HEAD"}),
        ("POST", "/docs-assets/none.js", {"GET", "HEAD"}),
    ],
)
def test_a_method_that_a_path_does_not_take(api: Client, method: str, path: str, allowed: set[str]) -> None:
    answer = api.send(method, path)
    is_problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


# Bodies


def test_a_large_body_is_refused_when_its_length_is_told(api: Client) -> None:
    events = make_timeline(api)
    for size in (MIB + 1, 10 * MIB):
        answer = api.send("POST", events, content=b" " * size, headers=JSON)
        is_problem(answer, 413, "too-large")


def test_a_large_body_is_refused_when_it_comes_in_pieces(api: Client) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b" " * 65536

    event = f"/v1/timelines/x/events/{NOBODY}"
    for method, path in (("POST", make_timeline(api)), ("PATCH", "/v1/actors/x"), ("PUT", event)):
        answer = api.send(method, path, content=pieces(), headers=JSON)
        is_problem(answer, 413, "too-large")


def test_a_body_up_to_the_limit_is_read(api: Client) -> None:
    events = make_timeline(api)
    body = b'{"title": "x", "when": "2013", "status": "planned"}'
    answer = api.send("POST", events, content=body + b" " * (MIB - len(body)), headers=JSON)
    assert answer.status_code == 201


@pytest.mark.parametrize("length", ["-1", "x", "9" * 100, "1e3"])
def test_an_odd_length_is_no_fault_of_ours(api: Client, length: str) -> None:
    answer = api.send(
        "POST",
        make_timeline(api),
        content=b"{}",
        headers={"Content-Type": "application/json", "Content-Length": length},
    )
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/xml", "multipart/form-data", "application/jsonx", ""]
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_another_type(api: Client, media_type: str, *, chunked: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"title": "x", "when": "2013", "status": "planned"}'

    events = make_timeline(api)
    content = pieces() if chunked else b'{"title": "x", "when": "2013", "status": "planned"}'
    answer = api.send("POST", events, content=content, headers={"Content-Type": media_type})
    is_problem(answer, 415, "unsupported-media-type")
    assert api.read(events)["items"] == []


@pytest.mark.parametrize("media_type", ["application/json-seq", "application/ld+json", "text/json"])
def test_json_of_another_kind_is_another_type(api: Client, media_type: str) -> None:
    events = make_timeline(api)
    event = make_event(api, events)
    headers = {"Content-Type": media_type, "If-Match": "*"}
    patched = api.send("PATCH", path_of(event), content=b'{"title": "New"}', headers=headers)
    is_problem(patched, 415, "unsupported-media-type")
    assert (
        patched.headers["accept-patch"] == "application/merge-patch+json, application/json, application/json-patch+json"
    )
    posted = api.send("POST", events, content=json.dumps(event_body()).encode(), headers=headers)
    is_problem(posted, 415, "unsupported-media-type")
    assert api.walk(events) == [event]


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=utf-8", "application/json ;x"])
def test_json_by_any_other_spelling_is_read(api: Client, media_type: str) -> None:
    content = json.dumps(event_body(title="é")).encode()
    answer = api.send("POST", make_timeline(api), content=content, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["title"]) == (201, "é")


def test_a_merge_patch_is_no_whole(api: Client) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = api.send("POST", make_timeline(api), content=json.dumps(event_body()).encode(), headers=headers)
    is_problem(answer, 415, "unsupported-media-type")


MERGES = "application/merge-patch+json"


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}])
def test_what_is_taken_is_told(api: Client, headers: dict[str, str]) -> None:
    events = make_timeline(api)
    for method, path, taken in (
        ("POST", events, "application/json"),
        ("PATCH", path_of(make_event(api, events)), f"{MERGES}, application/json or application/json-patch+json"),
        ("PATCH", events.removesuffix("/events"), f"{MERGES} or application/json"),
    ):
        answer = api.send(method, path, content=b"{}", headers=headers | {"If-Match": "*"})
        problem = is_problem(answer, 415, "unsupported-media-type")
        assert problem["detail"] == f"send the body as {taken}"


def test_a_body_without_a_type(api: Client) -> None:
    is_problem(api.send("POST", make_timeline(api), content=b'{"title": "x"}'), 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "text",
    [b"{", b"{'title': 'x'}", b'{"title": "x",}', b"\xff\xfe", b'{"title": "\xff"}', b"nonsense", b"\x00", b'"\\ud800'],
)
def test_a_body_that_is_no_json(api: Client, text: bytes) -> None:
    answer = api.send("POST", make_timeline(api), content=text, headers=JSON)
    is_problem(answer, 400, "malformed-body")


@pytest.mark.parametrize("text", [b"\xff\xfe\xff", b'{"title": "\xff"}', b"\x1f\x8b\x08\x00"])
def test_a_body_that_is_not_utf8(api: Client, text: bytes) -> None:
    problem = is_problem(api.send("POST", make_timeline(api), content=text, headers=JSON), 400, "malformed-body")
    assert problem["detail"] == "the body is no JSON text in UTF-8"


def test_a_number_that_is_too_long_to_be_read(api: Client) -> None:
    text = b'{"title": %b}' % (b"1" * 5000)
    problem = is_problem(api.send("POST", make_timeline(api), content=text, headers=JSON), 400, "malformed-body")
    assert problem["detail"] == "the body has a number of too many digits"


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b'"text"', b"5", b"true", b"[{}]"])
def test_a_body_that_is_no_object(api: Client, text: bytes) -> None:
    answer = api.send("POST", make_timeline(api), content=text, headers=JSON)
    problem = is_problem(answer, 422, "invalid-body")
    assert [error["pointer"] for error in problem["errors"]] == [""]


# Members


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"titel": "x"}, "/titel"),
        ({"a/b~c": 1}, "/a~1b~0c"),
        ({"": 1}, "/"),
        ({"\x00": 1}, "/\x00"),
        ({"place": {"place": "x", "naem": "y"}}, "/place/naem"),
        ({"participants": [{"actor": "x"}, {"actor": "x", "rôle": "y"}]}, "/participants/1/rôle"),
        ({"claims": [{"source": "x", "asserts": {"where": "y"}}]}, "/claims/0/asserts/where"),
    ],
)
def test_an_unknown_member_is_named(api: Client, body: dict[str, Any], pointer: str) -> None:
    events = make_timeline(api)
    event = make_event(api, events)
    for answer in (
        api.post(events, event_body(**body)),
        api.put(path_of(event), event_body(**body), if_match="*"),
        api.patch(path_of(event), body, "*"),
    ):
        problem = is_problem(answer, 422, "invalid-body")
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
        assert pointer in problem["detail"]
    assert api.read(path_of(event)) == event


def test_all_that_is_wrong_is_named_at_once(api: Client) -> None:
    body = {"title": "", "when": "2013-02-30", "status": "done", "kind": "A kind", "topics": ["ok", "Not ok"], "x": 1}
    problem = is_problem(api.post(make_timeline(api), body), 422, "invalid-body")
    wrong = {"/title", "/when", "/status", "/kind", "/topics/1", "/x"}
    assert {error["pointer"] for error in problem["errors"]} == wrong


@pytest.mark.parametrize(
    ("when", "position"), [("2013-02-30", 8), ("2013-2", 6), ("2013 ", 4), ("Y1985", 5), ("2004/2003", 5), ("x", 0)]
)
def test_a_wrong_date_says_where_and_what_was_expected(api: Client, when: str, position: int) -> None:
    problem = is_problem(api.post(make_timeline(api), event_body(when=when)), 422, "invalid-body")
    (error,) = problem["errors"]
    assert error["pointer"] == "/when"
    assert re.search(rf"position {position}\b.*expected ", error["detail"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"participants": [{"actor": "no-such-actor"}]}, "/participants/0/actor"),
        ({"place": {"place": "no-such-place"}}, "/place/place"),
        ({"claims": [{"source": "no-such-source"}]}, "/claims/0/source"),
        # a name or title of its own does not make up for the entry that is not there
        ({"participants": [{"actor": "no-such-actor", "name": "x"}]}, "/participants/0/actor"),
        ({"place": {"place": "no-such-place", "name": "x"}}, "/place/place"),
        ({"claims": [{"source": "no-such-source", "title": "x"}]}, "/claims/0/source"),
    ],
)
def test_what_the_directory_lacks_is_named(api: Client, body: dict[str, Any], pointer: str) -> None:
    events = make_timeline(api)
    event = make_event(api, events)
    for answer in (api.post(events, event_body(**body)), api.patch(path_of(event), body, "*")):
        problem = is_problem(answer, 422, "invalid-body")
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
        assert "no-such" in problem["detail"]


def test_a_very_long_name_is_not_sent_back(api: Client) -> None:
    for body in ({"x" * 900_000: 1}, {"kind": "x" * 900_000}, {f"x{i}": 1 for i in range(50_000)}):
        answer = api.post(make_timeline(api), body)
        is_problem(answer, 422, "invalid-body")
        assert len(answer.content) < 20_000


# Request ids


@pytest.mark.parametrize("given", ["abc", "A.b_c-1", "x" * 100])
def test_a_harmless_request_id_is_kept(api: Client, given: str) -> None:
    for path in ("/health/live", "/nothing"):
        answer = api.send("GET", path, headers={"X-Request-Id": given})
        assert answer.headers["x-request-id"] == given
    assert answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 101, "a b", "<script>", "a\tb"])
def test_another_is_replaced(api: Client, given: str) -> None:
    answer = api.send("GET", "/health/live", headers={"X-Request-Id": given})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


# What is our own fault


def test_a_fault_of_ours_is_a_problem_without_insides(
    api: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    events = make_timeline(api)

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("SELECT secret FROM insides")

    monkeypatch.setattr("service.api.listing.read_joined_page", fail)
    with caplog.at_level(logging.ERROR):
        answer = api.get(events)
    is_problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "RuntimeError" not in answer.text
    assert answer.json()["request_id"] in caplog.text


def test_a_document_that_cannot_be_read_is_not_blamed_on_the_client(api: Client) -> None:
    """What the store holds is ours: if it is not what we expect, no member of the request is to blame."""
    events = make_timeline(api)
    event = make_event(api, events)

    async def spoil() -> None:
        async with api.app.state.database.transaction() as connection:
            for table in ("event", "event_state"):
                spoiling = "UPDATE {} SET document = jsonb_set(document::jsonb, ARRAY['status'], '\"odd\"')::json"
                await connection.execute(
                    sql.SQL(spoiling + " WHERE event_id = %s").format(sql.Identifier(table)), [event["id"]]
                )

    api.portal.call(spoil)
    is_problem(api.patch(path_of(event), {"title": "New"}, "*"), 500, "internal")
    is_problem(api.get(f"{path_of(event)}/claims"), 500, "internal")
