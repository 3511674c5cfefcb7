"""An event as the contract has it, one request at a time: a register whose versions count its writes."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Content(NamedTuple):
    """What is written of an event: a replacement writes both, an amendment the summary alone."""

    title: str
    summary: str


class State(NamedTuple):
    """The number of writes so far, and what stands; no content before the first write and after a deletion."""

    version: int
    content: Content | None


ABSENT = State(0, None)


class Kind(StrEnum):
    """What a client may ask for."""

    CREATE = "PUT, If-None-Match: *"
    REPLACE = "PUT, If-Match"
    AMEND = "PATCH, If-Match"
    DELETE = "DELETE, If-Match"
    READ = "GET"


class Request(NamedTuple):
    """What a client asks: with which content, and of which version; None for any version."""

    kind: Kind
    content: Content | None = None
    expected: int | None = None


class Answer(NamedTuple):
    """What a client is told: a status, and the state that comes along."""

    status: int
    state: State | None = None


def step(state: State, request: Request) -> tuple[Answer, State]:
    """Answer a request as it must be answered in a state, and give the state afterwards."""
    if state.content is None:
        return _step_absent(state, request)
    if request.kind is Kind.READ:
        return Answer(200, state), state
    if request.kind is Kind.CREATE or request.expected not in (None, state.version):
        return Answer(412, state), state
    if request.kind is Kind.DELETE:
        return Answer(204), State(state.version + 1, None)
    content = request.content
    assert content is not None
    if request.kind is Kind.AMEND:
        content = Content(state.content.title, content.summary)
    after = State(state.version + 1, content)
    return Answer(200, after), after


def _step_absent(state: State, request: Request) -> tuple[Answer, State]:
    if request.kind is Kind.CREATE:
        after = State(state.version + 1, request.content)
        return Answer(201, after), after
    if request.kind is Kind.REPLACE:
        return Answer(412), state
    return Answer(410 if state.version else 404), state
