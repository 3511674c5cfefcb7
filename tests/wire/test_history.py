"""What changed between two documents, as the steps that make the one of the other."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.wire.history import changes
from tests.differences import lasting, patched
from tests.prove import IS_LONG

Json = dict[str, Any]
SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "a", "/", "~", "~1"])
NAMES = st.sampled_from(["title", "a/b", "~", "~1", "", "reported_at", "version", "recorded_at"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=5)


def same(one: object, other: object) -> bool:
    """Compare as JSON does: true is not 1."""
    return repr(_sorted(one)) == repr(_sorted(other))


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return "object", sorted((name, _sorted(inner)) for name, inner in value.items())
    return [_sorted(one) for one in value] if isinstance(value, list) else value


@settings(max_examples=5_000 if IS_LONG else 300, deadline=None, derandomize=not IS_LONG)
@given(DOCUMENTS, DOCUMENTS)
def test_the_steps_make_the_one_of_the_other_but_for_what_every_write_sets(before: Json, after: Json) -> None:
    steps = changes(before, after)
    assert same(patched(lasting(before), steps), lasting(after))
    assert not steps or not same(lasting(before), lasting(after))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(DOCUMENTS)
def test_what_every_write_sets_is_no_change(document: Json) -> None:
    assert changes(document, document | {"version": 7, "reported_at": "x", "recorded_at": None}) == []
