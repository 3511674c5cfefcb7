"""Readers of all kinds, who see what the contract in memory has for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from service.dates import Relation, Window, format_instant, parse_instant, parse_window
from tests.prove.world_model import Filters, Json, Key, World, shown
from tests.prove.world_witness import STATUSES, TOPICS, WINDOWS, Witness

FILTERS = st.builds(
    Filters,
    status=st.sets(st.sampled_from(STATUSES), max_size=2).map(tuple),
    topic=st.sets(st.sampled_from(TOPICS), max_size=1).map(tuple),
    window=st.none() | st.sampled_from(WINDOWS).map(lambda text: (text, parse_window(text))),
    relation=st.sampled_from(Relation),
    certainty=st.sampled_from(["possible", "certain"]),
    descending=st.booleans(),
)


class Readers(Witness):
    """Who asks after each step, and now and then."""

    @invariant()
    def everything_is_listed(self) -> None:
        for slug, story in self.world.stories.items():
            listed = self.client.walk(f"/v1/timelines/{slug}/events", limit=200)
            assert [one["id"] for one in listed] == Filters().found([story])
            assert [one["version"] for one in listed] == [story.present()[one["id"]].version for one in listed]

    @invariant()
    def what_is_covered_is_seen(self) -> None:
        """By one key after another, in the list of timelines and in the events of all."""
        self.steps = getattr(self, "steps", -1) + 1
        key = self.keys[self.steps % len(self.keys)]
        seen = [slug for slug in self.world.stories if self.world.sees(key, slug)]
        assert [one["slug"] for one in self.walk(key, "timelines", {"name": self.word})] == sorted(seen)
        listed = self.walk(key, "events", {"kind": self.word, "limit": 200})
        assert [one["id"] for one in listed] == Filters(kind=self.word).found(
            [self.world.stories[slug] for slug in seen]
        )

    @rule(data=st.data())
    def look_around(self, data: st.DataObject) -> None:
        """See what a key opens, and nothing else."""
        key = data.draw(st.sampled_from(self.keys), "key")
        seen = [slug for slug in self.world.stories if self.world.sees(key, slug)]
        listed = self.walk(key, "timelines", {"name": self.word, "limit": 2})
        assert [one["slug"] for one in listed] == sorted(seen)
        for slug, story in self.world.stories.items():
            read = self.send(key, "GET", f"timelines/{slug}")
            if slug in seen:
                assert (read.headers["etag"], read.json()["visibility"]) == (f'"{story.version}"', story.visibility)
            else:
                for path in (
                    "",
                    "/events",
                    "/changes",
                    "/histogram?by=year",
                    *(f"/events/{name}" for name in story.events),
                ):
                    assert self.send(key, "GET", f"timelines/{slug}{path}").status_code == 404

    @rule(data=st.data(), filters=FILTERS, everywhere=st.booleans())
    def ask(self, data: st.DataObject, filters: Filters, everywhere: bool) -> None:  # noqa: FBT001  # drawn
        """Ask by some filters, of one timeline or of all that a key opens."""
        key = data.draw(st.sampled_from(self.keys), "key")
        if data.draw(st.booleans(), "of the directory"):
            filters = replace(filters, actor=(self.entry_of(data, "actors"),))
        if data.draw(st.booleans(), "of the directory"):
            filters = replace(filters, source=(self.entry_of(data, "sources"),))
        seen = [slug for slug in self.world.stories if self.world.sees(key, slug)]
        asked = seen if everywhere else [self.story_of(data)]
        starts = [one.start for slug in asked for states in self.world.stories[slug].events.values() for one in states]
        filters = replace(filters, known_at=data.draw(st.sampled_from([None, *starts]), "known at"))
        # other runs have events too, of other kinds
        filters = replace(filters, kind=self.word) if everywhere else filters
        params = parameters(filters)
        if not set(asked) <= set(seen):
            assert self.send(key, "GET", f"timelines/{asked[0]}/events", params=params).status_code == 404
            return
        path = "events" if everywhere else f"timelines/{asked[0]}/events"
        right = filters.found([self.world.stories[slug] for slug in asked])
        found = self.walk(key, path, params | {"limit": 2})
        assert [one["id"] for one in found] == right, params
        for one in found:
            known = self.world.stories[one["timeline"]].known(filters.known_at)[one["id"]]
            assert (one["version"], shown(one)) == (known.version, known.content)
        counted = self.send(key, "GET", path, params=params | {"limit": 1, "count": "exact"})
        assert counted.json()["count"] == len(right)
        if not everywhere:
            self.compare_histogram(key, asked[0], filters)

    def compare_histogram(self, key: Key, slug: str, filters: Filters) -> None:
        """Hold each bucket to the range queries whose window it is."""
        params = parameters(replace(filters, window=None, descending=False)) | {"by": "year"}
        buckets = self.send(key, "GET", f"timelines/{slug}/histogram", params=params).json()["items"]
        for one in buckets:
            window = Window(parse_instant(one["from"]), parse_instant(one["to"]))
            counts = [
                len(
                    replace(filters, window=("", window), relation=Relation.INTERSECTS, certainty=certainty).found(
                        [self.world.stories[slug]]
                    )
                )
                for certainty in ("certain", "possible")
            ]
            assert [one["certain"], one["possible"]] == counts, one
        assert bool(buckets) == bool(replace(filters, window=None).found([self.world.stories[slug]]))

    def walk(self, key: Key, path: str, params: Json) -> list[Json]:
        """Read all pages with a key."""
        items, cursor = [], None
        while True:
            page = self.send(key, "GET", path, params=params | ({} if cursor is None else {"cursor": cursor})).json()
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items

    def teardown(self) -> None:
        """Read each feed once more, from its beginning."""
        for slug, story in getattr(self, "world", World()).stories.items():
            items, after = [], self.begun[slug]
            while after:
                page = self.client.read(f"/v1/timelines/{slug}/changes", limit=7, after=after, documents=False)
                items += page["items"]
                after = page["next"]
            assert [(one["operation"], one["event"], one["version"]) for one in items] == [
                (one.operation, one.event, one.state.version) for one in story.log
            ]


def parameters(filters: Filters) -> dict[str, Any]:
    """Write filters as a query string's parameters."""
    params: dict[str, Any] = {
        name: list(values)
        for name in ("status", "topic", "actor", "place", "source")
        if (values := getattr(filters, name))
    }
    if filters.kind is not None:
        params["kind"] = filters.kind
    if filters.window is not None:
        params |= {"datetime": filters.window[0], "relation": filters.relation.value, "certainty": filters.certainty}
    if filters.known_at is not None:
        params["known_at"] = format_instant(filters.known_at)
    return params | ({"sort": "-date"} if filters.descending else {})
