"""Importing an archive is the identity: any history comes out byte for byte, and every answer is the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.archive.going_and_coming import brought, written
from tests.client import Client
from tests.factories import make_actor, make_place, make_source, make_timeline
from tests.prove import IS_LONG
from tests.prove.wholeness import find_partial

EVENTS = 4
WHENS = ["2013-02-25", "-0043-03-15", "{2013-02-21,2013-02-28}", "2012-09/..", "[..2013-02-20]", "Y17000", "1560-X2"]
REPORTED = ["-0043-03-15T12:00:00Z", "0000-01-01T00:00:00Z", *(f"2013-02-{day:02}T12:00:00.5Z" for day in range(1, 9))]
STATUSES = ["tentative", "planned", "occurred", "postponed", "cancelled"]
RELS = ["causes", "prevents", "follows", "part_of", "responds_to"]
WORDS = st.sampled_from(["Talks", 'A "quoted" \\ word', "Gespräch \u2028 über Wörter", "tab\tand\nline", "𠀀"])
SOME = st.integers(0, EVENTS - 1)
CONTENT = st.fixed_dictionaries(
    {"title": WORDS, "when": st.sampled_from(WHENS), "status": st.sampled_from(STATUSES)},
    optional={
        "summary": WORDS,
        "reason": WORDS,
        "reported_at": st.sampled_from(REPORTED),
        "supersede": st.booleans(),
        "topics": st.lists(st.sampled_from(["talks", "aid"]), max_size=2, unique=True),
        "participants": st.just(["actor"]),
        "place": st.just("place"),
        "claims": st.lists(
            st.fixed_dictionaries({"quote": WORDS, "asserts": st.sampled_from([{}, {"status": "cancelled"}])})
        ),
    },
)
WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), SOME, CONTENT),
        st.tuples(st.just("patch"), SOME, CONTENT),
        st.tuples(st.just("delete"), SOME, st.none()),
        st.tuples(st.just("claim"), SOME, WORDS),
        st.tuples(st.just("link"), SOME, st.tuples(st.sampled_from(RELS), SOME)),
    ),
    min_size=1,
    max_size=14,
)


_REQUEST_ID = re.compile(r'"request_id":"[^"]*"')


class Story:
    """A timeline with its directory, and writes of all kinds, of which some may be refused."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.events = make_timeline(client, title="A story", description="of two lines\nand more")
        self.slug = self.events.split("/")[3]
        self.actor = make_actor(client, aliases=["Another", "A third"], same_as=["https://a.example/"])
        self.place = make_place(client, country="RU", latitude=55.7558, longitude=-0.25)
        self.source = make_source(client, published="2013~", language="en")
        self.ids = [str(uuid4()) for _ in range(EVENTS)]

    def write(self, kind: str, event: int, said: Any) -> None:  # noqa: ANN401  # drawn
        path = f"{self.events}/{self.ids[event]}"
        match kind:
            case "put":
                body = self.named(said)
                answer = self.client.put(path, body)
                if answer.status_code == 428:
                    answer = self.client.put(path, body, "*")
            case "patch":
                answer = self.client.patch(path, self.named(said), "*")
            case "delete":
                answer = self.client.send("DELETE", path, headers={"If-Match": "*"}, params={"reason": "gone"})
            case "claim":
                answer = self.client.post(f"{path}/claims", {"source": self.source, "quote": said})
            case _:
                rel, other = said
                answer = self.client.put(f"{path}/links/{rel}/{self.ids[other]}", None)
        assert answer.status_code < 500, answer.text

    def named(self, said: dict[str, Any]) -> dict[str, Any]:
        body = dict(said)
        if "participants" in body:
            body["participants"] = [{"actor": self.actor, "role": "host"}]
        if "place" in body:
            body["place"] = {"place": self.place}
        if "claims" in body:
            body["claims"] = [one | {"source": self.source} for one in body["claims"]]
        return body


def answers(client: Client, story: Story) -> dict[str, str]:
    """Ask for everything that a timeline's events can be asked for."""
    timeline = f"/v1/timelines/{story.slug}"
    paths = [timeline]
    for event in story.ids:
        path = f"{story.events}/{event}"
        paths += [path, f"{path}/history", f"{path}/claims", f"{path}?known_at=2013-02-04T00:00:00Z"]
    for known in ("", "&known_at=2013-02-05", "&known_at=-0043-06-01T00:00:00Z"):
        for asked in ("count=exact", "q=talks", "topic=aid", "disputed=true", "datetime=2013-02&certainty=certain"):
            paths.append(f"{story.events}?{asked}{known}")
        paths.append(f"{timeline}/histogram?by=month&datetime=2013{known}")
    paths += [f"{timeline}/plans", f"{timeline}/diff?from=2013-02-03&to=2013-02-06"]
    found = {}
    for path in paths:
        answer = client.get(path)
        assert answer.status_code < 500, answer.text
        text = _REQUEST_ID.sub("", answer.text)
        found[path] = f"{answer.status_code} {answer.headers.get('etag')} {text}"
    return found


def told(client: Client, story: Story) -> dict[str, list[tuple[Any, ...]]]:
    """Give what the feed tells of each event, in order."""
    client.wait_for_feed()
    found: dict[str, list[tuple[Any, ...]]] = {}
    for one in client.walk(f"/v1/timelines/{story.slug}/changes"):
        said = (one["operation"], one["version"], one.get("state"), one["document"])
        found.setdefault(one["event"], []).append(said)
    return found


@settings(max_examples=60 if IS_LONG else 6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WRITES)
def test_an_import_of_an_export_is_the_identity(
    here: Client,
    there: Client,
    here_url: str,
    module_database_url: str,
    tmp_path: Path,
    writes: list[tuple[str, int, Any]],
) -> None:
    story = Story(here)
    for write in writes:
        story.write(*write)
    archive = written(here_url, story.slug)
    first = brought(module_database_url, archive, tmp_path)
    assert first.errors == []
    assert written(module_database_url, story.slug) == archive
    assert answers(there, story) == answers(here, story)
    assert told(there, story) == told(here, story)
    assert find_partial(module_database_url) == {}
    again = brought(module_database_url, archive, tmp_path)
    assert (again.created, again.unchanged, again.entries, again.errors) == (0, first.created, 0, [])
    assert written(module_database_url, story.slug) == archive
