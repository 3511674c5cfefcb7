"""The identities of lines that name none: each file's own, in the order of its lines, and told apart by an index."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from service.store.importing import Import
from service.store.query import owner

MOST_LINES = 2**34
numbers = st.integers(min_value=1, max_value=MOST_LINES - 1)


def identities(content: bytes, timeline: str = "story") -> Import:
    return Import(timeline, owner("test"), hashlib.sha256(content).digest())


@given(numbers, numbers)
def test_they_lie_in_the_order_of_the_lines_by_a_double_too(one: int, other: int) -> None:
    """An index by GiST (`btree_gist`) weighs a UUID by the double of its number.

    What weighs the same is laid down wherever there is room: whoever looks for one of them reads all.
    """
    of = identities(b"a file")
    first, second = of.identity(one), of.identity(other)
    assert (first < second) == (float(first.int) < float(second.int)) == (one < other)


@given(numbers)
def test_they_are_of_a_file_a_timeline_and_a_line(number: int) -> None:
    found = {
        identities(content, timeline).identity(at)
        for content in (b"a file", b"another")
        for timeline in ("story", "tale")
        for at in (number, number + 1)
    }
    assert len(found) == 8
    assert {(one.version, one.variant) for one in found} == {(8, "specified in RFC 4122")}
    assert identities(b"a file").identity(number) in found
