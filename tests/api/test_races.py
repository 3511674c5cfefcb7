"""Writers who meet: each is answered as if it had come alone, before or after the others."""

from __future__ import annotations

import httpx

from tests.api.test_preconditions import at_once
from tests.client import Client
from tests.factories import (
    actor_body,
    event_body,
    make_actor,
    make_event,
    make_source,
    make_timeline,
    path_of,
    timeline_body,
)


def statuses(answers: list[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def test_of_twenty_claims_made_at_once_none_is_lost(api: Client) -> None:
    event, source = make_event(api, make_timeline(api)), make_source(api)
    answers = at_once(20, lambda i: api.post(f"{path_of(event)}/claims", {"source": source, "quote": str(i)}))
    assert statuses(answers) == [201] * 20
    after = api.read(path_of(event))
    assert {claim["quote"] for claim in after["claims"]} == {str(i) for i in range(20)}
    assert after["version"] == 21


def test_what_is_removed_while_it_is_put_to_use_is_either_gone_or_in_use(api: Client) -> None:
    events = make_timeline(api)
    for _ in range(6):
        actor = make_actor(api)

        def meet(number: int, actor: str = actor) -> httpx.Response:
            if number == 0:
                return api.delete(f"/v1/actors/{actor}", "*")
            return api.post(events, event_body(participants=[{"actor": actor}]))

        removed, *used = at_once(5, meet)
        expected = {204: {422}, 409: {201}}[removed.status_code]
        assert {answer.status_code for answer in used} <= expected
        for refused in (answer for answer in used if answer.status_code == 422):
            assert refused.json()["errors"][0]["pointer"].startswith("/participants")
        assert (api.get(f"/v1/actors/{actor}").status_code == 404) is (removed.status_code == 204)


def test_a_timeline_that_is_removed_while_events_come_holds_all_or_is_gone(api: Client) -> None:
    for _ in range(6):
        events = make_timeline(api)

        def meet(number: int, events: str = events) -> httpx.Response:
            if number == 0:
                return api.delete(events.removesuffix("/events"), "*")
            return api.post(events, event_body())

        removed, *written = at_once(5, meet)
        assert removed.status_code in (204, 409)
        made = [answer for answer in written if answer.status_code == 201]
        if removed.status_code == 204:
            assert statuses(written) == [404] * 4
        else:
            assert len(api.walk(events)) == len(made) > 0


def test_an_event_that_is_removed_while_others_are_tied_to_it(api: Client) -> None:
    events = make_timeline(api)
    for _ in range(6):
        one, other = make_event(api, events), make_event(api, events)

        link = f"{path_of(one)}/links/causes/{other['id']}"

        def meet(number: int, link: str = link, gone: str = path_of(other)) -> httpx.Response:
            return api.delete(gone, "*") if number == 0 else api.put(link, None)

        removed, *tied = at_once(4, meet)
        if removed.status_code == 204:
            assert statuses(tied) == [404] * 3
            assert api.read(path_of(one))["links"] == []
        else:
            assert removed.status_code == 409
            assert set(statuses(tied)) <= {200, 201}


def test_of_eight_creators_of_one_slug_one_wins(api: Client) -> None:
    story, actor = timeline_body(), actor_body()
    assert statuses(at_once(8, lambda _: api.post("/v1/timelines", story))) == [201] + [409] * 7
    assert statuses(at_once(8, lambda _: api.post("/v1/actors", actor))) == [201] + [409] * 7
