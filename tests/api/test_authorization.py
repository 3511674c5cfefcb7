"""Every operation, asked by every role, of every kind of timeline: nobody learns or does what is not theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import httpx
import pytest

from service.wire.key_text import new_key
from tests.api.asking import Asked, valid
from tests.api.published import EACH, OPERATIONS, Operation
from tests.client import Client, connected
from tests.factories import event_body, fresh_slug, make_event, make_source, timeline_body
from tests.keys import ADMIN, insert_key

SECRET = "quetzalcoatl"  # noqa: S105  # a word that stands in what is sealed, and nowhere else
NOWHERE = "never-was"


class Of(Enum):
    """What an operation is of, and what it does there."""

    OPEN = "what is open to all, whatever they send"
    SHARED_READ = "what all timelines share, or all timelines at once"
    SHARED_ADD = "what all timelines share, to be added to"
    SHARED_CHANGE = "what all timelines share, others' too"
    KEYS = "keys"
    READ = "one timeline, to be read"
    WRITE = "one timeline, for those who may write it"
    NEW_TIMELINE = "a timeline that is not there yet"


KNOWN: dict[str, Of] = {
    **dict.fromkeys(("explain_date", "get_liveness", "get_readiness", "get_metrics"), Of.OPEN),
    "list_events_everywhere": Of.SHARED_READ,
    "list_timelines": Of.SHARED_READ,
    **{f"{verb}_{what}": Of.SHARED_READ for verb in ("get",) for what in ("actor", "place", "source")},
    **{f"list_{what}s": Of.SHARED_READ for what in ("actor", "place", "source")},
    **{f"create_{what}": Of.SHARED_ADD for what in ("actor", "place", "source")},
    **{f"{verb}_{what}": Of.SHARED_CHANGE for verb in ("amend", "delete") for what in ("actor", "place", "source")},
    **dict.fromkeys(("list_audit", "list_keys", "create_key", "get_key", "delete_key", "create_rotation"), Of.KEYS),
    "create_timeline": Of.NEW_TIMELINE,
    "get_timeline": Of.READ,
    "list_events": Of.READ,
    "get_histogram": Of.READ,
    "get_event": Of.READ,
    "list_claims": Of.READ,
    "get_claim": Of.READ,
    "list_history": Of.READ,
    "compare_timeline": Of.READ,
    "list_plans": Of.READ,
    "list_changes": Of.READ,
    "amend_timeline": Of.WRITE,
    "delete_timeline": Of.WRITE,
    "create_event": Of.WRITE,
    "create_batch": Of.WRITE,
    "create_import": Of.WRITE,
    "put_event": Of.WRITE,
    "amend_event": Of.WRITE,
    "delete_event": Of.WRITE,
    "create_claim": Of.WRITE,
    "delete_claim": Of.WRITE,
    "put_link": Of.WRITE,
    "delete_link": Of.WRITE,
    # what webhooks there are, and where they lead, is for those alone who may make some
    "list_webhooks": Of.WRITE,
    "create_webhook": Of.WRITE,
    "get_webhook": Of.WRITE,
    "amend_webhook": Of.WRITE,
    "delete_webhook": Of.WRITE,
    "create_secret": Of.WRITE,
    "delete_secret": Of.WRITE,
    "list_deliveries": Of.WRITE,
    "create_retry": Of.WRITE,
    "create_replay": Of.WRITE,
}


@dataclass(frozen=True)
class Role:
    """Who asks: the key, and what it opens; `timelines` None for all."""

    name: str
    key: str | None
    scope: str | None = None
    timelines: frozenset[str] | None = frozenset()

    def sees(self, place: str, *, is_open: bool) -> bool:
        return (place == "public" and is_open) or self.timelines is None or place in self.timelines

    def writes(self, place: str | None) -> bool:
        return self.scope in ("write", "admin") and (self.timelines is None or place in self.timelines)


OWN = frozenset({"own"})
ROLES = (
    Role("nobody", None),
    Role("a reader of one timeline", new_key(), "read", OWN),
    Role("a writer of one timeline", new_key(), "write", OWN),
    Role("a reader", new_key(), "read", None),
    Role("a writer", new_key(), "write", None),
    Role("an administrator", ADMIN, "admin", None),
)


@dataclass(frozen=True)
class World:
    """The timelines, public, one's own and another's, both private; the paths' values of each; two services."""

    values: dict[str, dict[str, str]]
    open: Client
    closed: Client

    def client(self, *, is_open: bool) -> Client:
        return self.open if is_open else self.closed


@pytest.fixture(scope="module")
def world(module_database_url: str) -> Iterator[World]:
    with (
        connected(module_database_url) as owner,
        connected(module_database_url, key=None) as guest,
        connected(module_database_url, key=None, read="key") as closed,
    ):
        values = {place: fill(owner, place) for place in ("public", "own", "other")}
        for role in ROLES[1:-1]:
            assert role.key is not None
            timelines = None if role.timelines is None else [values[place]["timeline"] for place in role.timelines]
            insert_key(module_database_url, role.key, [str(role.scope)], timelines)
        yield World(values, guest, closed)


def fill(owner: Client, place: str) -> dict[str, str]:
    """Make a timeline with one of everything, and give what stands for each in a path."""
    word = SECRET if place == "other" else place
    visibility = "public" if place == "public" else "private"
    body = timeline_body(slug=fresh_slug(f"{word}-story"), title=word, description=word, visibility=visibility)
    timeline = owner.post("/v1/timelines", body).json()["slug"]
    path = f"/v1/timelines/{timeline}"
    one, other = (make_event(owner, f"{path}/events", title=word, summary=word) for _ in range(2))
    claim = owner.post(f"{path}/events/{one['id']}/claims", {"source": make_source(owner), "quote": word})
    assert owner.put(f"{path}/events/{one['id']}/links/causes/{other['id']}", None).status_code == 201
    hook = owner.post(f"{path}/webhooks", {"url": f"https://{word}.example/", "description": word}).json()
    return {
        "timeline": timeline,
        "event": one["id"],
        "other": other["id"],
        "rel": "causes",
        "claim": claim.headers["location"].rpartition("/")[2],
        "webhook": hook["id"],
        "secret": hook["secrets"][0]["id"],
        "delivery": hook["id"],
    }


def asked(operation: Operation, role: Role, values: dict[str, str] | None) -> Asked:
    """Make a request that changes nothing that is there: it expects a version that never was."""
    request = valid(operation)
    request.key = role.key
    if "If-Match" in request.headers:
        request.headers["If-Match"] = '"999"'
    if operation.name == "create_event":
        request.json = event_body()
    if operation.name == "put_event":
        request.json = event_body()
    if operation.name == "create_claim":
        request.json = {"source": "nobody-s-paper"}
    if values is not None:
        request.path = operation.filled(**values | {"slug": values["timeline"]})
    return request


def refusal(answer: httpx.Response) -> int | None:
    """Give the status of an answer that refuses whoever asks; None for any other."""
    return answer.status_code if answer.status_code in (401, 403) else None


@EACH
def test_the_operation_is_known_here(operation: Operation) -> None:
    assert operation.name in KNOWN, "say what it is of, and whom it is open to"


def test_all_that_is_known_is_there() -> None:
    assert set(KNOWN) == {operation.name for operation in OPERATIONS}


@pytest.mark.parametrize("is_open", [True, False], ids=["open", "closed"])
@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
@pytest.mark.parametrize("place", ["public", "own", "other"])
def test_a_timeline_is_open_to_those_whose_it_is(world: World, place: str, role: Role, is_open: bool) -> None:  # noqa: FBT001  # a parameter
    client = world.client(is_open=is_open)
    nowhere = dict.fromkeys(world.values[place], "00000000-0000-4000-8000-000000000000")
    for operation in OPERATIONS:
        if KNOWN[operation.name] not in (Of.READ, Of.WRITE):
            continue
        answer = asked(operation, role, world.values[place]).send(client)
        message = f"{operation.name}: {answer.status_code} {answer.text}"
        if role.key is None and (not is_open or KNOWN[operation.name] is Of.WRITE):
            assert answer.status_code == 401, message
        elif not role.sees(place, is_open=is_open):
            assert answer.status_code == 404, message
            # and it is told just as of a timeline that is none
            unknown = asked(operation, role, nowhere | {"timeline": NOWHERE, "rel": "causes"}).send(client)
            assert unknown.status_code == 404
            own = ("detail", "instance", "request_id")
            assert {**answer.json(), **dict.fromkeys(own)} == {**unknown.json(), **dict.fromkeys(own)}
        elif KNOWN[operation.name] is Of.WRITE and not role.writes(place):
            assert answer.status_code == 403, message
        else:
            assert refusal(answer) is None, message
            assert answer.status_code in (200, 201, 202, 409, 412, 422) or operation.name == "create_retry", message
        if not role.sees(place, is_open=is_open):
            assert SECRET not in told(answer, world.values[place]["timeline"]), message


def told(answer: httpx.Response, slug: str) -> str:
    """Give all that an answer says, but for the name that the request itself brought along."""
    return f"{answer.headers}{answer.text}".lower().replace(slug, "")


@pytest.mark.parametrize("is_open", [True, False], ids=["open", "closed"])
@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_what_is_of_no_timeline_is_open_as_it_should_be(world: World, role: Role, is_open: bool) -> None:  # noqa: FBT001  # a parameter
    client = world.client(is_open=is_open)
    for operation in OPERATIONS:
        kind = KNOWN[operation.name]
        if kind in (Of.READ, Of.WRITE):
            continue
        request = asked(operation, role, None)
        if kind is Of.NEW_TIMELINE:
            request.json = timeline_body(visibility="private")
        if kind is Of.SHARED_READ and operation.name.startswith("list_"):
            request.params["limit"] = "200"
        answer = request.send(client)
        message = f"{operation.name}: {answer.status_code} {answer.text}"
        expected = {
            Of.OPEN: None,
            Of.SHARED_READ: None if is_open or role.key else 401,
            Of.SHARED_ADD: 401 if role.key is None else None if role.scope in ("write", "admin") else 403,
            Of.SHARED_CHANGE: 401 if role.key is None else None if role.writes(None) else 403,
            Of.NEW_TIMELINE: 401 if role.key is None else None if role.writes(None) else 403,
            Of.KEYS: 401 if role.key is None else None if role.scope == "admin" else 403,
        }[kind]
        assert refusal(answer) == expected, message
        if not role.sees("other", is_open=is_open):
            assert SECRET not in told(answer, ""), message


@pytest.mark.parametrize(
    "role", [role for role in ROLES if not role.sees("other", is_open=True)], ids=lambda role: role.name
)
def test_no_filter_finds_what_is_sealed(world: World, role: Role) -> None:
    assert not role.sees("other", is_open=True)
    sealed = world.values["other"]
    for operation in ("list_events_everywhere", "list_timelines"):
        (published,) = (one for one in OPERATIONS if one.name == operation)
        asks = [{"q": SECRET}, {"q": SECRET, "count": "exact"}, {"q": SECRET, "format": "ndjson"}, {"known_at": "2999"}]
        for params in asks if operation == "list_events_everywhere" else [{"name": SECRET}]:
            request = asked(published, role, None)
            request.params = params
            answer = request.send(world.open)
            assert SECRET not in answer.text
            assert sealed["event"] not in answer.text
            if "count" in params:
                assert answer.json()["count"] == 0
