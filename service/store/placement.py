"""The states of an event on the reported clock: where a report takes its place, and until when each is known.

At any time the states that count follow each other without a gap: each is known from its report until the next
one's, the last for ever. A report is put at its place among them; one that supersedes ends all that come after.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from service.dates import DISTANT_FUTURE


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when a state is known: half-open; empty where both are one."""

    version: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a report comes to stand: until when it is known, and what becomes of those around it.

    `before` is the version that it follows on, None for a report older than all; `changed` are the spans of other
    states that are not what they were. It takes the `place` of some of the states that count, or of none.
    """

    end: int
    before: int | None
    changed: tuple[Span, ...]
    place: slice

    @property
    def is_present(self) -> bool:
        """Tell whether the report is what is known now."""
        return self.end == DISTANT_FUTURE


@dataclass(frozen=True, slots=True)
class Counting:
    """The states that count, in the order of their starts: from when each is known, and its version."""

    starts: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)

    def place(self, at: int, *, supersedes: bool) -> Placement:
        """Find the place of a report.

        A state that was reported at the same instant gives way, as do all later ones where the report supersedes.
        """
        starts, versions = self.starts, self.versions
        first, beyond = bisect_left(starts, at), bisect_right(starts, at)
        after = len(starts) if supersedes else beyond
        end = starts[after] if after < len(starts) else DISTANT_FUTURE
        changed = [Span(versions[i], starts[i], starts[i]) for i in range(first, after)]
        if first:
            changed.insert(0, Span(versions[first - 1], starts[first - 1], at))
        return Placement(end, versions[beyond - 1] if beyond else None, tuple(changed), slice(first, after))

    def put(self, version: int, at: int, placement: Placement) -> None:
        """Put a report at its place."""
        self.starts[placement.place] = [at]
        self.versions[placement.place] = [version]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A state as it was recorded: what decides, with those recorded before, which states count."""

    version: int
    start: int
    supersedes: bool


def spans(recorded: Iterable[Recorded]) -> dict[int, Span]:
    """Give from when until when each state is known, by version, from the order in which they were recorded.

    The same as the store keeps it, for any time at which it recorded them.
    """
    counting = Counting()
    found: dict[int, Span] = {}
    for one in recorded:
        placement = counting.place(one.start, supersedes=one.supersedes)
        counting.put(one.version, one.start, placement)
        found |= {span.version: span for span in placement.changed}
        found[one.version] = Span(one.version, one.start, placement.end)
    return found
