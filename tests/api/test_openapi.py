"""The published document is valid and complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from openapi_spec_validator import validate

from service.api.examples import EXCHANGES
from service.api.problems import KINDS
from service.api.representations import FORMATS
from service.api.schemas import CHOICES
from service.api.strict import JSON_PATCH, MERGE_PATCHES
from tests.api.published import EACH, EVENT_STREAM, NDJSON, OPERATIONS, PROBLEM, TEXT, Operation, check, document

NAMES = [one.name for one in OPERATIONS]
JSON = "application/json"
# In which media types an operation answers, where JSON is not all.
MEDIA_TYPES = {
    "list_events": set(FORMATS.values()),
    "list_events_everywhere": set(FORMATS.values()),
    "compare_timeline": {JSON, TEXT},
    "list_changes": {JSON, EVENT_STREAM},
    "get_metrics": {f"{TEXT}; version=0.0.4"},
}
HAS_BODY = [one for one in OPERATIONS if "requestBody" in one.described]


def _schemas(part: object) -> Iterator[dict[str, Any]]:
    """Walk through every schema that has members."""
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict):
            yield part
        for one in part.values():
            yield from _schemas(one)


def _parts(part: object) -> Iterator[dict[str, Any]]:
    """Walk through every object of the document but its examples."""
    if isinstance(part, list):
        for one in part:
            yield from _parts(one)
    elif isinstance(part, dict):
        yield part
        for name, one in part.items():
            if name not in ("example", "examples"):
                yield from _parts(one)


def test_it_is_a_valid_document() -> None:
    assert document()["openapi"].startswith("3.1.")
    validate(document())


@EACH
def test_an_operation_says_what_it_is(operation: Operation) -> None:
    described = operation.described
    assert re.fullmatch(r"(list|get|create|put|amend|delete|explain|compare)_[a-z_]+", operation.name)
    assert len(described["tags"]) == 1
    assert described["tags"][0] in {tag["name"] for tag in document()["tags"]}
    assert described["summary"]
    assert not described["summary"].endswith(".")
    assert described["description"].endswith(".")
    assert described["description"] != described["summary"]


def test_names_are_each_of_one_operation() -> None:
    assert len(set(NAMES)) == len(NAMES)


@EACH
def test_each_parameter_is_described_with_an_example(operation: Operation) -> None:
    for parameter in operation.described.get("parameters", ()):
        assert parameter["description"], parameter["name"]
        schema = parameter["schema"]
        examples = [parameter["example"]] if "example" in parameter else schema["examples"]
        for example in examples:
            check(example, schema)
        # what is sent unasked by a form that is filled in by examples must be needed to send anything
        assert ("example" in parameter) == parameter["required"], parameter["name"]
        assert {"type": "null"} not in schema.get("anyOf", ()), "a parameter is absent, never null"


@EACH
def test_each_body_and_answer_has_examples_that_its_schema_allows(operation: Operation) -> None:
    bodiless = operation.name in ("put_link", "create_retry")
    assert bool(operation.bodies()) == (operation.method in ("post", "put", "patch") and not bodiless)
    media = list(operation.described.get("requestBody", {}).get("content", {}).values())
    for answer in operation.described["responses"].values():
        assert answer["description"] != "Successful Response", "what FastAPI says of it"
        assert "X-Request-Id" in answer["headers"]
        media += answer.get("content", {}).values()
    for one in media:
        assert one["examples"]
        for example in one["examples"].values():
            assert example["summary"]
            check(example["value"], one["schema"])


@EACH
def test_an_operation_has_its_answers(operation: Operation) -> None:
    expected = {400, 414, 500}
    if operation.described["tags"][0] != "Health":
        expected |= {503}
    if operation.described["tags"][0] not in ("Health", "Dates"):
        expected |= {401}
    if operation.parameters("path"):
        expected |= {404}
    if "requestBody" in operation.described:
        expected |= {413, 415, 422}
    if operation.method != "get":
        expected |= {403}
    if any(one["name"] == "If-Match" for one in operation.parameters("header")):
        expected |= {412}
    assert expected <= operation.statuses
    assert any(status < 300 for status in operation.statuses)
    for status, answer in operation.described["responses"].items():
        content = set(answer.get("content", {}))
        if int(status) >= 400:
            assert content == {PROBLEM}, status
        elif int(status) in (204, 304):
            assert not content, status
        else:
            assert content == MEDIA_TYPES.get(operation.name, {JSON}), status


@EACH
def test_what_may_be_kept_says_so(operation: Operation) -> None:
    is_kept = operation.method == "get" and operation.described["tags"][0] != "Health"
    for status, answer in operation.described["responses"].items():
        told = (
            {"Cache-Control", "Vary"}
            if is_kept and status in ("200", "304")
            else {"Vary"}
            if status == "406"
            else set()
        )
        assert told == {"Cache-Control", "Vary"} & set(answer["headers"]), status


def test_gone_is_said_of_what_may_be_deleted_and_of_a_cursor() -> None:
    # a PUT brings back what was deleted, and its history stays
    of_events = {one.name for one in OPERATIONS if "{event}" in one.path} - {"put_event", "list_history"}
    assert {one.name for one in OPERATIONS if 410 in one.statuses} == of_events | {"list_changes"}


@EACH
def test_only_writing_needs_a_key(operation: Operation) -> None:
    security = operation.described.get("security")
    if operation.method != "get" or operation.described["tags"] in (["Webhooks"], ["Keys"]):
        assert security == [{"Key": []}]
    elif operation.described["tags"][0] in ("Health", "Dates"):
        assert security == [], "no key is asked for"
    else:
        assert security == [{}, {"Key": []}], "reading works without one"


def test_a_change_is_documented_as_a_merge_patch_and_that_of_an_event_as_steps_too() -> None:
    patches = [one for one in OPERATIONS if one.method == "patch"]
    assert len(patches) == 6
    for one in patches:
        stepwise = {JSON_PATCH} if one.name == "amend_event" else set()
        assert set(one.bodies()) == {*MERGE_PATCHES} | stepwise, one.name
    for one in HAS_BODY:
        others = {NDJSON, "text/csv"} if one.name == "create_import" else {"application/json"}
        assert one.method == "patch" or set(one.bodies()) == others, one.name


def test_bodies_take_no_unknown_member_and_all_members_are_described() -> None:
    schemas = document()["components"]["schemas"]
    assert not {"HTTPValidationError", "ValidationError"} & set(schemas)
    assert all(re.fullmatch("[A-Za-z]+", name) for name in schemas), "a name that no person would give"
    bodies = {name for name in schemas if name.endswith(("Body", "Patch"))}
    assert len(bodies) == 27
    for name, schema in schemas.items():
        assert schema.get("description"), name
        if name in bodies | {"Assertion"}:
            assert schema["additionalProperties"] is False, name
        for member, one in schema.get("properties", {}).items():
            assert "description" in str(one) or "$ref" in one, f"{name}.{member}"
            assert "title" not in one, f"{name}.{member}"


def test_a_choice_that_stands_in_several_places_has_one_name() -> None:
    choices = [tuple(one["enum"]) for one in _parts(document()) if isinstance(one.get("enum"), list)]
    assert len(set(choices)) == len(choices), "a client would have several types that are the same"
    assert set(CHOICES) <= set(document()["components"]["schemas"])
    named = {reference["$ref"].rpartition("/")[2] for reference in _parts(document()) if "$ref" in reference}
    assert set(CHOICES) <= named, "a name that nothing refers to"


def test_names_are_none_that_a_generated_client_has_itself() -> None:
    # Go: a struct `Key` is made by a function `NewKey`
    assert not [name for name in document()["components"]["schemas"] if name.startswith("New")]


def test_whole_numbers_have_a_width() -> None:
    widths = {one["format"] for one in _parts(document()) if one.get("type") == "integer"}
    assert widths == {"int32", "int64"}


def test_what_may_be_null_is_described_once() -> None:
    for one in _parts(document()["components"]["schemas"]):
        if "anyOf" in one:
            assert not [kind for kind in one["anyOf"] if "description" in kind], one


def test_answers_say_which_members_they_always_have() -> None:
    optional = {
        "Problem": {"errors", "operations", "current"},
        "ProblemError": {"line", "pointer", "parameter"},
        "Health": {"status"},
        "Readiness": {"status", "replica"},
        "ChangeItem": {"state", "document"},
        "EventPage": {"count_is"},
        "PatchOperation": {"value"},
        "PatchStep": {"from", "value"},
    }
    for name, schema in document()["components"]["schemas"].items():
        if not name.endswith(("Body", "Patch")) and name != "Assertion":
            members = set(schema.get("properties", ()))
            assert members - set(schema.get("required", ())) == optional.get(name, set()), name


def test_date_time_is_said_of_the_own_clock_alone() -> None:
    found = {
        name
        for schema in _schemas(document())
        for name, one in schema["properties"].items()
        if "date-time" in str(one.get("format"))
    }
    assert found == {"recorded_at", "created_at"}


def test_examples_are_of_every_success() -> None:
    shown = {(one.operation, one.status) for one in EXCHANGES}
    successes = {(one.name, status) for one in OPERATIONS for status in one.statuses if status < 400}
    assert shown <= successes
    # that there is nothing new has nothing to show
    assert {status for _, status in successes - shown} == {304}


def test_each_kind_of_problem_is_shown_somewhere() -> None:
    shown = {
        kind
        for operation in OPERATIONS
        for answer in operation.described["responses"].values()
        for kind in answer.get("content", {}).get(PROBLEM, {}).get("examples", {})
    }
    nowhere = {"method-not-allowed", "malformed-request"}  # of a path, and of what reaches no path at all
    assert shown == set(KINDS) - nowhere
