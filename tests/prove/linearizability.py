"""Tell whether a recorded history of one object is linearizable.

It is where each operation can be thought to take effect at one instant between its call and its return, such that all
answers are those of a model that does one thing at a time (Herlihy and Wing 1990). The search walks through calls and
returns in the order of time and holds every configuration that explains the answers so far (Wing and Gong 1993); one
that was met before is not searched again (Lowe 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State")
Request = TypeVar("Request")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Operation(Generic[Request, Answer]):
    """What a client asked, what it was told, and when, in nanoseconds of one clock.

    No answer means that nobody knows: it may have taken effect at any time after its call, or never.
    """

    client: int
    request: Request
    answer: Answer | None
    called: int
    returned: int


@dataclass(frozen=True, slots=True)
class Violation(Generic[State, Request, Answer]):
    """An answer that nothing explains, the states that were possible before it, and what was under way."""

    operation: Operation[Request, Answer]
    possible: frozenset[State]
    pending: tuple[Operation[Request, Answer], ...]

    def __str__(self) -> str:
        lines = ["no order explains", f"  {self.operation}", "where these states are possible"]
        lines += [f"  {state}" for state in self.possible]
        lines += ["and these are under way", *(f"  {one}" for one in self.pending if one != self.operation)]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Configuration(Generic[State]):
    """A state that the object may have, and which operations under way have taken effect in it already."""

    state: State
    done: frozenset[int]


Step = Callable[[State, Request], tuple[Answer, State]]
Pending = Mapping[int, Operation[Request, Answer]]


def find_violation(
    operations: Iterable[Operation[Request, Answer]], step: Step[State, Request, Answer], initial: State
) -> Violation[State, Request, Answer] | None:
    """Find the first answer that no order of the operations explains; None for a linearizable history.

    `step` is the model: it gives the answer to a request in a state, and the state afterwards. Its answers must tell
    whether a request changed anything; those of an object with versions do.
    """
    numbered = dict(enumerate(operations))
    # Where a call and a return share an instant, the two operations may have overlapped: calls come first.
    moments = [(one.called, False, number) for number, one in numbered.items()]
    moments += [(one.returned, True, number) for number, one in numbered.items() if one.answer is not None]
    pending: dict[int, Operation[Request, Answer]] = {}
    configurations = {_Configuration(initial, frozenset[int]())}
    for _, returns, number in sorted(moments):
        if not returns:
            pending[number] = numbered[number]
            continue
        reached = _reach(configurations, pending, step)
        left = {_Configuration(one.state, one.done - {number}) for one in reached if number in one.done}
        if not left:
            possible = frozenset(one.state for one in configurations)
            return Violation(numbered[number], possible, tuple(pending.values()))
        configurations = left
        del pending[number]
    return None


def _reach(
    configurations: Iterable[_Configuration[State]],
    pending: Pending[Request, Answer],
    step: Step[State, Request, Answer],
) -> set[_Configuration[State]]:
    """Let operations under way take effect, in every order that their answers allow."""
    found: set[_Configuration[State]] = set()
    waiting = list(configurations)
    while waiting:
        one = waiting.pop()
        unchanged = set(one.done)
        changed: dict[int, State] = {}
        for number in pending.keys() - one.done:
            operation = pending[number]
            answer, after = step(one.state, operation.request)
            if after != one.state and operation.answer in (None, answer):
                changed[number] = after
            elif after == one.state and operation.answer == answer:
                # What changes nothing, and has its answer, forecloses nothing: it takes effect at once.
                unchanged.add(number)
        settled = _Configuration(one.state, frozenset(unchanged))
        if settled not in found:
            found.add(settled)
            waiting += [_Configuration(after, settled.done | {number}) for number, after in changed.items()]
    return found
