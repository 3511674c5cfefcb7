"""An event is changed step by step by a JSON Patch (RFC 6902)."""

from __future__ import annotations

import copy
import json
from typing import Any

import httpx
import pytest
from pydantic import RootModel, TypeAdapter, ValidationError

from service.errors import PatchConflict
from service.wire.amendment import MOST_STEPS, PatchStep, StepwisePatch
from tests.api.test_problems import is_problem
from tests.client import Client
from tests.factories import make_actor, make_event, make_place, make_source, make_timeline, path_of, tag_of

FROM_REASON = {"from": "/reason"}
STEPS = TypeAdapter(list[PatchStep])
Json = dict[str, Any]


def step(op: str, path: str, value: object = None, **members: object) -> Json:
    return {"op": op, "path": path, "value": value, **members}


def stepwise(client: Client, event: Json, *steps: Json, if_match: str = "*") -> httpx.Response:
    headers = {"Content-Type": "application/json-patch+json", "If-Match": if_match}
    return client.send("PATCH", path_of(event), json=list(steps), headers=headers)


def taken(steps: list[Json], target: object) -> object:
    return StepwisePatch(STEPS.validate_python(steps)).apply(RootModel[Any], target).root


# The examples of RFC 6902, appendix A, by section: the document, the patch, the result.
APPENDIX: dict[str, tuple[Any, list[Json], Any]] = {
    "A.1": ({"foo": "bar"}, [step("add", "/baz", "qux")], {"baz": "qux", "foo": "bar"}),
    "A.2": ({"foo": ["bar", "baz"]}, [step("add", "/foo/1", "qux")], {"foo": ["bar", "qux", "baz"]}),
    "A.3": ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    "A.4": ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    "A.5": ({"baz": "qux", "foo": "bar"}, [step("replace", "/baz", "boo")], {"baz": "boo", "foo": "bar"}),
    "A.6": (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    "A.7": (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    "A.8": (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [step("test", "/baz", "qux"), step("test", "/foo/1", 2)],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    "A.10": ({"foo": "bar"}, [step("add", "/child", {"grandchild": {}})], {"foo": "bar", "child": {"grandchild": {}}}),
    "A.11": ({"foo": "bar"}, [step("add", "/baz", "qux", xyz=123)], {"foo": "bar", "baz": "qux"}),
    "A.14": ({"/": 9, "~1": 10}, [step("test", "/~01", 10)], {"/": 9, "~1": 10}),
    "A.16": ({"foo": ["bar"]}, [step("add", "/foo/-", ["abc", "def"])], {"foo": ["bar", ["abc", "def"]]}),
    "a whole": ({"foo": "bar"}, [step("replace", "", {"baz": 1})], {"baz": 1}),
    "a copy": ({"a": [1], "b": {}}, [{"op": "copy", "from": "/a", "path": "/b/c"}], {"a": [1], "b": {"c": [1]}}),
    "a null": ({"a": 1}, [step("replace", "/a", None), step("test", "/a", None)], {"a": None}),
}
UNFIT: dict[str, tuple[Any, list[Json], int]] = {
    "A.9": ({"baz": "qux"}, [step("test", "/baz", "bar")], 0),
    "A.12": ({"foo": "bar"}, [step("add", "/baz/bat", "qux")], 0),
    "A.15": ({"/": 9, "~1": 10}, [step("test", "/~01", "10")], 0),
    "nothing to remove": ({"a": 1}, [step("test", "/a", 1), {"op": "remove", "path": "/b"}], 1),
    "nothing to replace": ({"a": 1}, [step("replace", "/b", 1)], 0),
    "beyond the end": ({"a": []}, [step("add", "/a/1", 1)], 0),
    "a leading zero": ({"a": [1, 2]}, [step("replace", "/a/01", 1)], 0),
    "a sign": ({"a": [1, 2]}, [step("replace", "/a/-1", 1)], 0),
    "another alphabet's digit": ({"a": [1, 2]}, [step("replace", "/a/١", 1)], 0),
    "into itself": ({"a": {"b": 1}}, [{"op": "move", "from": "/a", "path": "/a/b/c"}], 0),
    "true is not 1": ({"a": True}, [step("test", "/a", 1)], 0),
    "from behind the end": ({"a": [1]}, [{"op": "copy", "from": "/a/-", "path": "/b"}], 0),
    "from nowhere": ({"a": 1}, [{"op": "copy", "from": "/b", "path": "/c"}], 0),
}


@pytest.mark.parametrize("name", APPENDIX)
def test_steps_are_taken_as_the_standard_says(name: str) -> None:
    target, steps, result = APPENDIX[name]
    before = copy.deepcopy((target, steps))
    assert json.dumps(taken(steps, target), sort_keys=True) == json.dumps(result, sort_keys=True)
    assert (target, steps) == before, "neither is changed"


@pytest.mark.parametrize("name", UNFIT)
def test_a_step_that_does_not_fit_is_named(name: str) -> None:
    target, steps, unfit = UNFIT[name]
    with pytest.raises(PatchConflict) as caught:
        taken(steps, target)
    assert caught.value.step == unfit


@pytest.mark.parametrize("path", ["title", "/a~2"])
def test_what_a_pointer_is_like_is_told(api: Client, path: str) -> None:
    event = make_event(api, make_timeline(api))
    problem = is_problem(stepwise(api, event, step("replace", path, "x")), 422, "invalid-body")
    told = "must begin with /, or be empty, and have ~ as ~0 or ~1 only"
    assert problem["errors"] == [{"pointer": "/0/path", "detail": told}]


@pytest.mark.parametrize("path", ["/titel", "/claims/5", "/place/place"])
def test_what_is_not_there_is_no_place(api: Client, path: str) -> None:
    event = make_event(api, make_timeline(api))
    problem = is_problem(stepwise(api, event, step("replace", path, "x")), 409, "patch-conflict")
    told = "does not fit what is there: there is no such member or item"
    assert problem["errors"] == [{"pointer": "/0", "detail": told}]


@pytest.mark.parametrize(
    "wrong",
    [
        *({"op": "spread", "path": "/a"}, {"path": "/a", "value": 1}, {"op": "add", "value": 1}),
        *({"op": "add", "path": "/a"}, {"op": "test", "path": "/a"}, {"op": "replace", "path": "/a"}),
        *({"op": "move", "path": "/a"}, {"op": "copy", "path": "/a"}, {"op": "remove", "path": None}),
        *({"op": "remove", "path": "a"}, {"op": "remove", "path": "/a~2"}, {"op": "remove", "path": "/a~"}),
        *({"op": "move", "path": "/a", "from": "b"}, {"op": "remove", "path": "/a" * 501}, "remove", None, 5),
    ],
)
def test_what_is_no_step_is_refused(api: Client, wrong: Any) -> None:  # noqa: ANN401  # any JSON value
    with pytest.raises(ValidationError):
        STEPS.validate_python([wrong])
    event = make_event(api, make_timeline(api))
    problem = is_problem(stepwise(api, event, step("test", "/status", "planned"), wrong), 422, "invalid-body")
    assert {error["pointer"].split("/")[1] for error in problem["errors"]} == {"1"}


def test_a_participant_is_added_and_the_rest_stays(api: Client) -> None:
    one, other = make_actor(api), make_actor(api)
    event = make_event(api, make_timeline(api), participants=[{"actor": one, "role": "host"}], topics=["a", "b"])
    answer = stepwise(
        api,
        event,
        step("test", "/participants/0/actor", one),
        step("add", "/participants/-", {"actor": other}),
        {"op": "remove", "path": "/topics/0"},
        {"op": "copy", "from": "/title", "path": "/summary"},
        if_match=tag_of(event),
    )
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    after = answer.json()
    assert [(who["actor"], who["role"]) for who in after["participants"]] == [(one, "host"), (other, None)]
    assert (after["topics"], after["summary"]) == (["b"], event["title"])
    own = {"participants", "topics", "summary", "version", "reported_at", "recorded_at"}
    assert {name for name in event if event[name] != after[name]} == own
    assert api.read(path_of(event)) == after


def test_claims_keep_their_identities(api: Client) -> None:
    source = make_source(api)
    event = make_event(api, make_timeline(api), claims=[{"source": source, "quote": "a"}, {"source": source}])
    after = stepwise(api, event, step("replace", "/claims/0/quote", "b"), step("remove", "/claims/1")).json()
    assert after["claims"] == [event["claims"][0] | {"quote": "b"}]


def test_a_patch_is_guarded_like_any_change(api: Client) -> None:
    event = make_event(api, make_timeline(api))
    headers = {"Content-Type": "application/json-patch+json"}
    is_problem(api.send("PATCH", path_of(event), json=[], headers=headers), 428, "version-required")
    stale = stepwise(api, event, step("replace", "/title", "New"), if_match='"7"')
    assert is_problem(stale, 412, "version-conflict")["current"] == event


def test_what_does_not_fit_changes_nothing(api: Client) -> None:
    event = make_event(api, make_timeline(api))
    for unfit in (step("test", "/title", "Other"), step("remove", "/topics/0"), step("replace", "/version", 7)):
        answer = stepwise(api, event, step("replace", "/title", "New"), unfit)
        problem = is_problem(answer, 409, "patch-conflict")
        assert [error["pointer"] for error in problem["errors"]] == ["/1"]
        assert api.read(path_of(event)) == event


@pytest.mark.parametrize(
    ("steps", "pointer"),
    [
        ([step("replace", "/when", "2013-02-30")], "/when"),
        ([{"op": "remove", "path": "/title"}], "/title"),
        ([step("add", "/version", 7)], "/version"),
        ([step("add", "/participants/-", {"actor": "no-such-actor"})], "/participants/0/actor"),
        ([step("replace", "", [])], ""),
        ([step("add", "/topics/-", "\x00")], "/topics/0"),
        ([step("add", "/reported_at", 5)], "/reported_at"),
        ([step("add", "/reported_at", "yesterday")], "/reported_at"),
        ([step("add", "/reported_at", "2999-01-01T00:00:00Z")], "/reported_at"),
        # when it was reported decides what the steps go by, so it is said plainly
        ([step("add", "/reason", "2013-01-01T00:00:00Z"), step("move", "/reported_at", **FROM_REASON)], "/reported_at"),
    ],
)
def test_what_comes_out_is_no_event(api: Client, steps: list[Json], pointer: str) -> None:
    event = make_event(api, make_timeline(api))
    problem = is_problem(stepwise(api, event, *steps), 422, "invalid-body")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert api.read(path_of(event)) == event


def test_a_reason_belongs_to_the_status_that_it_was_given_for(api: Client) -> None:
    events = make_timeline(api)
    for steps, kept in (
        ([step("replace", "/status", "postponed")], None),
        ([step("replace", "/status", "postponed"), step("replace", "/status_reason", "new")], "new"),
        ([step("test", "/status_reason", "old"), step("replace", "/status", "postponed")], None),
        ([step("replace", "/title", "New")], "old"),
    ):
        event = make_event(api, events, status="cancelled", status_reason="old")
        after = stepwise(api, event, *steps).json()
        assert after["status_reason"] == kept
        reason = api.read(f"{path_of(event)}/history")["items"][0]["reason"]
        assert reason == (kept if kept == "new" else None)


def test_a_name_as_credited_belongs_to_its_place(api: Client) -> None:
    one, other = make_place(api, name="Here"), make_place(api, name="There")
    for steps, name in (
        ([step("replace", "/place/place", other)], "There"),
        ([step("replace", "/place", {"place": other})], "There"),
        ([step("replace", "/place", {"place": other, "name": "Yonder"})], "Yonder"),
        ([step("replace", "/place/place", other), step("replace", "/place/name", "Yonder")], "Yonder"),
        ([step("replace", "/title", "New")], "Hither"),
    ):
        event = make_event(api, make_timeline(api), place={"place": one, "name": "Hither"})
        assert stepwise(api, event, *steps).json()["place"]["name"] == name


def test_a_patch_of_the_past_goes_by_what_was_known_then(api: Client) -> None:
    event = make_event(api, make_timeline(api), topics=["a"], reported_at="2013-01-01T00:00:00Z")
    api.patch(path_of(event), {"topics": ["a", "b"], "reported_at": "2013-02-01T00:00:00Z"}, "*")
    at = step("add", "/reported_at", "2013-01-15T00:00:00Z")
    is_problem(stepwise(api, event, step("test", "/topics/1", "b"), at), 409, "patch-conflict")
    answer = stepwise(api, event, step("add", "/topics/-", "c"), at, step("add", "/reason", "late"))
    assert answer.json()["topics"] == ["a", "b"]
    assert api.read(path_of(event), known_at="2013-01-20")["topics"] == ["a", "c"]


def test_what_doubles_with_each_step_is_stopped(api: Client) -> None:
    event = make_event(api, make_timeline(api))
    doubling = [step("add", "/x", {}), *({"op": "copy", "from": "", "path": f"/x/{i}"} for i in range(60))]
    is_problem(stepwise(api, event, *doubling), 409, "patch-conflict")
    nesting = [step("add", "/x", [])]
    for _ in range(60):
        nesting += [
            step("add", "/y", [[]]),
            step("move", "/y/0/-", **{"from": "/x"}),
            step("move", "/x", **{"from": "/y"}),
        ]
    assert stepwise(api, event, *nesting[:MOST_STEPS]).status_code in (409, 422)
    deep: list[Any] = []
    for _ in range(60):
        deep = [deep]
    deeper = [
        step("add", "/y", deep),
        step("move", f"/y{'/0' * 60}/-", **{"from": "/x"}),
        step("move", "/x", **{"from": "/y"}),
    ]
    for place in ("/x", "/topics/-", "/place", "/when"):
        steps = [step("add", "/x", []), *deeper * 66]
        answer = stepwise(api, event, *steps, step("move", place, **{"from": "/x"}))
        is_problem(answer, 422, "invalid-body")
    is_problem(stepwise(api, event, *[step("test", "/x", 1)] * (MOST_STEPS + 1)), 422, "invalid-body")


class Counted(dict[str, Any]):
    """An object that counts how often it is walked through: copied, or written as JSON."""

    walks = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Counted:
        Counted.walks += 1
        return Counted(self)

    def items(self) -> Any:  # noqa: ANN401  # a type that Python does not publish
        Counted.walks += 1
        return super().items()


def test_a_step_walks_through_what_it_concerns_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not through all that there is: two hundred steps would take as long as two hundred documents."""
    walks = []
    for times in (1, 40):
        monkeypatch.setattr(Counted, "walks", 0)
        steps = [
            step("test", "/small", 1),
            step("add", "/other", 1),
            {"op": "copy", "from": "/small", "path": "/other"},
            {"op": "move", "from": "/other", "path": "/moved"},
            {"op": "remove", "path": "/moved"},
        ]
        assert taken(steps * times, {"large": Counted(a=1), "small": 1}) == {"large": {"a": 1}, "small": 1}
        walks.append(Counted.walks)
    assert walks[0] == walks[1] > 0


@pytest.mark.parametrize("times", [10, 11])
def test_copies_may_not_outgrow_a_body_together(times: int) -> None:
    """Though each of them is small, and none is left in the end."""
    steps = [{"op": "copy", "from": "/text", "path": "/copy"}, {"op": "remove", "path": "/copy"}]
    target = {"text": "x" * 100_000}
    if times == 10:
        assert taken(steps * times, target) == target
        return
    with pytest.raises(PatchConflict) as caught:
        taken(steps * times, target)
    assert caught.value.step == 20


def test_the_directory_takes_no_steps(api: Client) -> None:
    headers = {"Content-Type": "application/json-patch+json", "If-Match": "*"}
    answer = api.send("PATCH", f"/v1/actors/{make_actor(api)}", json=[], headers=headers)
    is_problem(answer, 415, "unsupported-media-type")
    assert answer.headers["accept-patch"] == "application/merge-patch+json, application/json"


def test_steps_and_merges_are_told_apart_by_their_media_type(api: Client) -> None:
    event = make_event(api, make_timeline(api))
    for media_type, body in (
        ("application/merge-patch+json", [step("replace", "/title", "New")]),
        ("application/json-patch+json", {"title": "New"}),
    ):
        headers = {"Content-Type": media_type, "If-Match": "*"}
        is_problem(api.send("PATCH", path_of(event), json=body, headers=headers), 422, "invalid-body")
    upper = {"Content-Type": "Application/JSON-Patch+JSON; charset=utf-8", "If-Match": "*"}
    body = [step("replace", "/title", "New")]
    assert api.send("PATCH", path_of(event), json=body, headers=upper).json()["title"] == "New"
