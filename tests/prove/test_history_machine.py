"""Any sequence of writes, with reports from any time, against a model that applies the rule word by word.

500 runs of 50 steps in `make prove`, fewer in `make test-live`. The two must not diverge, at any time asked for.
"""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from tests.client import Client
from tests.factories import make_timeline
from tests.prove import IS_LONG

RUNS, STEPS = (500, 50) if IS_LONG else (12, 15)
MOST_INSTANT = 9
DAYS = st.integers(1, MOST_INSTANT)
LATER = MOST_INSTANT + 1  # any time after all reports that name a day
_SERIAL = itertools.count(1)

# Given by the test that runs the machine: hypothesis makes its machines itself.
CLIENT: list[Client] = []


def instant(day: int) -> str:
    return f"2013-02-{day:02}T00:00:00Z"


class Model:
    """One event as the rule has it: which title, or none, was known on each day; LATER is the present."""

    def __init__(self) -> None:
        self.reports: dict[int, str | None] = {}

    def report(self, day: int, title: str | None, *, supersede: bool = False) -> None:
        if supersede:
            self.reports = {other: known for other, known in self.reports.items() if other < day}
        self.reports[day] = title

    def known(self, day: int) -> str | None:
        days = [other for other in self.reports if other <= day]
        return self.reports[max(days)] if days else None

    @property
    def is_there(self) -> bool:
        return self.known(LATER) is not None

    @property
    def latest(self) -> int:
        return max(self.reports)


class History(RuleBasedStateMachine):
    """Writers of one timeline, and a reader who asks for every day after each write."""

    events = Bundle("events")

    @initialize()
    def begin(self) -> None:
        self.client = CLIENT[0]
        self.path = make_timeline(self.client)
        self.models: dict[UUID, Model] = {}

    def send(self, method: str, event: UUID, body: dict[str, Any] | None = None, **headers: str) -> int:
        answer = self.client.send(method, f"{self.path}/{event}", json=body, headers=headers)
        assert answer.status_code < 500, answer.text
        return answer.status_code

    @rule(target=events, day=DAYS)
    def create(self, day: int) -> UUID:
        event = UUID(int=next(_SERIAL))
        title = f"{next(_SERIAL)}"
        body = {"title": title, "when": "2013", "status": "planned", "reported_at": instant(day)}
        assert self.send("PUT", event, body) == 201
        self.models[event] = Model()
        self.models[event].report(day, title)
        return event

    @rule(event=events, day=DAYS, supersede=st.booleans(), replace=st.booleans())
    def report(self, event: UUID, day: int, supersede: bool, replace: bool) -> None:  # noqa: FBT001  # drawn
        model = self.models[event]
        if not model.is_there:
            return
        title = f"{next(_SERIAL)}"
        body: dict[str, Any] = {"title": title, "reported_at": instant(day), "supersede": supersede}
        if replace:
            status = self.send("PUT", event, body | {"when": "2013", "status": "planned"}, **{"If-Match": "*"})
        else:
            # a patch of a time at which the event was deleted has nothing to change
            days = [other for other in model.reports if other <= day]
            base = model.reports[max(days)] if days else model.reports[min(model.reports)]
            status = self.send("PATCH", event, body, **{"If-Match": "*"})
            if base is None:
                assert status == 422
                return
        assert status == 200
        model.report(day, title, supersede=supersede)

    @rule(event=events)
    def delete(self, event: UUID) -> None:
        model = self.models[event]
        if model.is_there:
            assert self.send("DELETE", event, None, **{"If-Match": "*"}) == 204
            model.report(LATER, None)
        else:
            assert self.send("DELETE", event, None, **{"If-Match": "*"}) == 410

    @rule(event=events, day=DAYS)
    def revive(self, event: UUID, day: int) -> None:
        """A deleted event comes back by a report of now; a report from before it was deleted is refused."""
        model = self.models[event]
        if model.is_there:
            return
        title = f"{next(_SERIAL)}"
        body = {"title": title, "when": "2013", "status": "planned"}
        assert self.send("PUT", event, body | {"reported_at": instant(day)}) == 422
        assert self.send("PUT", event, body) == 201
        model.report(LATER, title)

    @invariant()
    def nothing_diverges(self) -> None:
        """The present after each step, and one day in turn; every day at the end."""
        self.steps = getattr(self, "steps", -1) + 1
        self.compare(None)
        self.compare(self.steps % (MOST_INSTANT + 1))

    def teardown(self) -> None:
        for day in range(MOST_INSTANT + 1):
            self.compare(day)

    def compare(self, day: int | None) -> None:
        asked = {} if day is None else {"known_at": instant(day) if day else "2013-01-31T00:00:00Z"}
        known = (model.known(LATER if day is None else day) for model in self.models.values())
        right = sorted(title for title in known if title is not None)
        found = self.client.walk(self.path, limit=200, **asked)
        assert sorted(event["title"] for event in found) == right, day
        assert self.client.read(self.path, count="exact", limit=1, **asked)["count"] == len(right)


def test_no_sequence_of_reports_diverges_from_the_rule(api: Client) -> None:
    CLIENT[:] = [api]
    machine = History.TestCase
    machine.settings = settings(
        max_examples=RUNS, stateful_step_count=STEPS, deadline=None, derandomize=not IS_LONG, print_blob=True
    )
    machine().runTest()
