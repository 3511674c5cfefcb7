"""Questions that a reader of the article would ask the API, and the answers that the article supports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from pydantic import SecretStr

from service.app import create_app
from service.seeding import seed
from service.settings import Settings
from tests.api.test_seed_file import EVENTS

EVENTS_PATH = "/v1/timelines/syria-2013/events"
DIRECTORY_PATHS = ("/v1/timelines/syria-2013", "/v1/actors", "/v1/places", "/v1/sources")
KEY_OF_TITLE = {event["title"]: key for key, event in EVENTS.items()}

IN_GENERAL_PRESENT = {  # dated 2013-02~: what the article says is, still is, or is taking place
    "military-supplies",
    "americans-oppose-geneva",
    "us-reconsiders-opposition",
    "us-administration-changes",
    "violence-rises",
    "exclusion-attempts",
}
END_OF_FEBRUARY = {"moallem-moscow", "khatib-moscow", "indirect-contacts"}
FORECASTS = {"no-vision-before-summit", "no-dialogue-for-a-month", "no-dialogue-completed"}
SOME_DAY_LATER = {"ford-departure", "negotiations-process"}
UNDATED_PAST = {
    "khatib-initiative",
    "opposition-request",
    "russian-iranian-reply",
    "russian-promise",
    "release-attempt",
    "assad-in-transition",
    "brahimi-announcement",
}


def keys(events: list[dict[str, Any]]) -> list[str]:
    """Name events by their keys in the file, in the order given."""
    return [KEY_OF_TITLE[event["title"]] for event in events]


class Reader:
    """Someone who asks the seeded timeline."""

    def __init__(self, portal: BlockingPortal, client: httpx.AsyncClient) -> None:
        self.portal = portal
        self.client = client

    def page(self, path: str = EVENTS_PATH, /, **asked: str | int | list[str]) -> dict[str, Any]:
        answer = self.portal.call(lambda: self.client.get(path, params=asked))
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    def events(self, **asked: str | int | list[str]) -> list[dict[str, Any]]:
        page = self.page(limit=200, **asked)
        assert page["next"] is None
        items: list[dict[str, Any]] = page["items"]
        return items

    def ask(self, **asked: str | int | list[str]) -> list[str]:
        """Answer the keys of the events that match, in the order of the answer."""
        return keys(self.events(**asked))

    def event(self, key: str) -> dict[str, Any]:
        return next(event for event in self.events() if event["title"] == EVENTS[key]["title"])


@pytest.fixture(scope="module")
def reader(module_database_url: str) -> Iterator[Reader]:
    assert seed(module_database_url) == len(EVENTS)
    app = create_app(Settings(database_url=SecretStr(module_database_url)))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://timeline.test")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
        portal.wrap_async_context_manager(client),
    ):
        yield Reader(portal, client)


def test_every_event_of_the_file_is_there(reader: Reader) -> None:
    page = reader.page(limit=200, count="exact")
    assert page["count"] == len(page["items"]) == len(EVENTS)
    assert {KEY_OF_TITLE[event["title"]]: event["when"] for event in page["items"]} == {
        key: event["when"] for key, event in EVENTS.items()
    }


# When?


def test_what_must_have_its_time_in_february_2013(reader: Reader) -> None:
    assert set(reader.ask(datetime="2013-02", certainty="certain")) == {
        "american-silence",
        "khair-detention",
        "russian-iranian-influence",
        "haider-ncc-meeting",
        "us-russia-rapprochement",
        "kerry-lavrov-call",
        "state-department-statement",
        "pentagon-call",
        "brahimi-moscow",
        "cairo-meeting",
        "cairo-final-statement",
        *IN_GENERAL_PRESENT,
        *END_OF_FEBRUARY,
        *FORECASTS,
    }


def test_what_may_have_its_time_in_february_2013_but_need_not(reader: Reader) -> None:
    possible = set(reader.ask(datetime="2013-02"))
    certain = set(reader.ask(datetime="2013-02", certainty="certain"))
    assert possible - certain == {
        *UNDATED_PAST,
        *SOME_DAY_LATER,
        "kerry-lavrov-meeting",
        "negotiations-deadline",
    }
    assert certain < possible
    assert EVENTS.keys() - possible == {"geneva-agreement", "obama-putin-summit"}


def test_what_happened_yesterday_from_where_the_article_stands(reader: Reader) -> None:
    yesterday = {"datetime": "2013-02-19"}
    certain = reader.ask(**yesterday, certainty="certain")
    assert certain == ["american-silence", "khair-detention", "pentagon-call"]
    call = {"kerry-lavrov-call", "state-department-statement"}
    assert call <= set(reader.ask(**yesterday)), "the article does not say on which day they spoke"


def test_what_may_happen_at_the_end_of_february_on_the_25th(reader: Reader) -> None:
    possible = set(reader.ask(datetime="2013-02-25", status=["planned", "tentative"]))
    certain = set(reader.ask(datetime="2013-02-25", status=["planned", "tentative"], certainty="certain"))
    assert certain == FORECASTS
    assert possible - certain == {
        *END_OF_FEBRUARY,
        *SOME_DAY_LATER,
        "kerry-lavrov-meeting",
        "negotiations-deadline",
    }


def test_the_visits_certainly_lie_within_the_end_of_february(reader: Reader) -> None:
    last_days = {"datetime": "2013-02-24/2013-02-28", "relation": "within"}
    assert set(reader.ask(**last_days, certainty="certain")) == {*END_OF_FEBRUARY, "haider-ncc-meeting"}
    first_half_of_them = {"datetime": "2013-02-24/2013-02-26", "relation": "within", "kind": "visit"}
    assert reader.ask(**first_half_of_them, certainty="certain") == []
    assert set(reader.ask(**first_half_of_them)) == {"moallem-moscow", "khatib-moscow"}


def test_what_was_going_on_in_october_2012(reader: Reader) -> None:
    assert reader.ask(datetime="2012-10", certainty="certain") == ["khair-detention"]
    assert set(reader.ask(datetime="2012-10")) == {
        "american-silence",
        "khair-detention",
        "russian-iranian-influence",
        "russian-promise",
        "assad-in-transition",
        "release-attempt",
    }


def test_what_lasts_all_through_26_february(reader: Reader) -> None:
    lasting = reader.ask(datetime="2013-02-26", relation="contains", certainty="certain")
    assert set(lasting) == {"khair-detention", *FORECASTS}


def test_what_has_no_end_that_the_article_knows(reader: Reader) -> None:
    assert reader.ask(datetime="2031", certainty="certain") == ["khair-detention", "us-russia-rapprochement"]
    unending = [event for event in reader.events() if event["bounds"]["end"]["latest"] is None]
    assert set(keys(unending)) == {
        "khair-detention",
        "us-russia-rapprochement",
        "negotiations-deadline",
        *SOME_DAY_LATER,
    }


def test_what_was_over_before_the_pentagon_spoke(reader: Reader) -> None:
    before = {"datetime": "2013-02-19", "relation": "before"}
    assert reader.ask(**before, certainty="certain") == ["geneva-agreement", "cairo-meeting"]
    assert set(reader.ask(**before)) == {
        "geneva-agreement",
        "cairo-meeting",
        *UNDATED_PAST,
        *IN_GENERAL_PRESENT,
        "kerry-lavrov-call",
        "state-department-statement",
        "cairo-final-statement",
        "negotiations-deadline",
    }


def test_what_comes_after_february(reader: Reader) -> None:
    after = {"datetime": "2013-02", "relation": "after"}
    assert reader.ask(**after, certainty="certain") == ["obama-putin-summit"]
    assert set(reader.ask(**after)) == {
        "obama-putin-summit",
        "kerry-lavrov-meeting",
        "negotiations-deadline",
        *SOME_DAY_LATER,
    }


def test_a_year_that_is_only_implied_is_said_to_be_uncertain(reader: Reader) -> None:
    agreement = reader.event("geneva-agreement")
    assert (agreement["when"], agreement["approximate"]) == ("2012?-06-30", False)
    assert agreement["bounds"]["start"]["earliest"] == "2012-06-30T00:00:00Z", "a qualifier moves no bound"
    assert keys([event for event in reader.events() if event["uncertain"]]) == ["geneva-agreement"]


# What became of it?


def test_what_was_called_off_and_why(reader: Reader) -> None:
    (meeting,) = reader.events(status="cancelled")
    assert meeting["title"] == EVENTS["haider-ncc-meeting"]["title"]
    assert (meeting["when"], meeting["place"]["place"]) == ("2013-02-25", "moscow")
    assert "release" in meeting["status_reason"]
    assert [claim["asserts"]["status"] for claim in meeting["claims"]] == [None, "cancelled"]


def test_what_prevented_the_meeting(reader: Reader) -> None:
    (meeting,) = reader.events(status="cancelled")
    prevented_by = [event for event in reader.events() if {"rel": "prevents", "event": meeting["id"]} in event["links"]]
    assert keys(prevented_by) == ["khair-detention"]
    assert {one["actor"]: one["role"] for one in prevented_by[0]["participants"]} == {
        "abdul-aziz-al-khair": "detainee",
        "syrian-air-force-intelligence": "captor",
    }


def test_what_is_planned_in_moscow(reader: Reader) -> None:
    planned = reader.ask(place="moscow", status="planned")
    assert planned[0] == "brahimi-moscow"
    assert set(planned[1:]) == {"moallem-moscow", "khatib-moscow"}
    assert set(reader.ask(place="moscow")) - set(planned) == {"indirect-contacts", "haider-ncc-meeting"}


def test_what_is_overdue_since_nobody_reported_its_outcome(reader: Reader) -> None:
    assert set(reader.ask(overdue="true")) == {
        "brahimi-moscow",
        *END_OF_FEBRUARY,
        *FORECASTS,
        "kerry-lavrov-meeting",
        "obama-putin-summit",
    }


def test_what_is_expected_never_counts_as_having_happened(reader: Reader) -> None:
    assert set(reader.ask(kind="forecast")) == FORECASTS
    assert reader.ask(kind="forecast", status="occurred") == []
    assert "no-dialogue-for-a-month" in reader.ask(datetime="2013-03-05", certainty="certain")
    assert "no-dialogue-for-a-month" not in reader.ask(datetime="2013-04")


# What was known when?


def test_on_the_15th_the_meeting_was_planned_and_on_the_21st_it_was_cancelled(reader: Reader) -> None:
    found = {
        day: [
            (event["title"], event["when"], event["status"])
            for event in reader.events(kind="meeting", datetime="2013-02-25", certainty="certain", known_at=day)
        ]
        for day in ("2013-01-31", "2013-02-15", "2013-02-21")
    }
    title = EVENTS["haider-ncc-meeting"]["title"]
    assert found == {
        "2013-01-31": [],
        "2013-02-15": [(title, "2013-02-25", "planned")],
        "2013-02-21": [(title, "2013-02-25", "cancelled")],
    }


def test_what_the_statement_of_mid_february_foresaw_moved(reader: Reader) -> None:
    path = f"{EVENTS_PATH}/{reader.event('negotiations-process')['id']}"
    known = {day: reader.page(path, known_at=day)["when"] for day in ("2013-02-15", "2013-02-21")}
    assert known == {"2013-02-15": "[2013-02-15..]", "2013-02-21": "[2013-02-21..]"}


@pytest.mark.parametrize("key", ["haider-ncc-meeting", "negotiations-process"])
def test_a_time_of_report_that_the_article_does_not_tell_is_said_to_be_so(reader: Reader, key: str) -> None:
    states = reader.page(f"{EVENTS_PATH}/{reader.event(key)['id']}/history")["items"]
    assert [state["known"]["to"] for state in states] == [None, states[0]["known"]["from"]]
    assert "not in the article" in states[1]["reason"]


# Who, about what, according to whom?


def test_what_kerry_takes_part_in(reader: Reader) -> None:
    assert reader.ask(actor="john-kerry") == ["kerry-lavrov-call", "kerry-lavrov-meeting"]
    either = reader.ask(actor=["john-kerry", "lakhdar-brahimi"], status="planned")
    assert set(either) == {"kerry-lavrov-meeting", "brahimi-moscow"}


def test_participants_are_credited_as_the_article_has_them(reader: Reader) -> None:
    credited = {one["actor"]: one["name"] for one in reader.event("exclusion-attempts")["participants"]}
    assert credited == {
        "national-coalition": "the opposition coalition",
        "riad-seif": "Saif",
        "moaz-al-khatib": "Khatib",
    }
    assert reader.event("kerry-lavrov-call")["participants"][0]["name"] == "John Kerry"


def test_which_events_are_about_detainees(reader: Reader) -> None:
    assert set(reader.ask(topic="detainees")) == {
        "khair-detention",
        "release-attempt",
        "khatib-initiative",
        "russian-iranian-reply",
    }
    assert reader.ask(topic="detainees", actor="iran") == ["russian-iranian-reply"]


def test_full_text_finds_titles_quotes_and_names(reader: Reader) -> None:
    assert reader.ask(q="kidnappings") == ["violence-rises"]
    assert reader.ask(q="dark tunnel") == ["brahimi-announcement"]
    assert reader.ask(q="Haytham Manna") == ["haider-ncc-meeting"]
    assert reader.ask(q="kidnappings", status="planned") == []


def test_according_to_whom(reader: Reader) -> None:
    (claim,) = reader.event("military-supplies")["claims"]
    assert (claim["attributed_to"], claim["title"]) == ("the Russians", "Russia-US Rapprochement on Syria")
    expert = "an expert on Russian affairs"
    his = [event for event in reader.events() if expert in [one["attributed_to"] for one in event["claims"]]]
    assert keys(his) == ["indirect-contacts"]
    (call,) = reader.event("pentagon-call")["claims"]
    assert (call["attributed_to"], call["quote"]) == (None, "the Pentagon called yesterday [Feb. 19]")


def test_everything_rests_on_the_one_article(reader: Reader) -> None:
    assert reader.page(source="ballout-2013-02-20", limit=1, count="exact")["count"] == len(EVENTS)
    article = reader.page("/v1/sources/ballout-2013-02-20")
    assert (article["author"], article["published"]) == ("Mohammad Ballout", "2013-02-20")
    assert (article["publisher"], article["url"]) == (None, None)


# How does it hang together?


def test_every_link_of_the_file_is_there_and_no_other(reader: Reader) -> None:
    events = reader.events()
    key_of = {event["id"]: KEY_OF_TITLE[event["title"]] for event in events}
    stored = {(key_of[event["id"]], link["rel"], key_of[link["event"]]) for event in events for link in event["links"]}
    assert stored == {
        (key, link["rel"], link["event"]) for key, event in EVENTS.items() for link in event.get("links", [])
    }
    assert ("russian-iranian-reply", "responds_to", "opposition-request") in stored


def test_the_story_is_told_in_order_and_backwards(reader: Reader) -> None:
    events = reader.events(sort="date")
    starts = [event["bounds"]["start"]["earliest"] or "" for event in events]
    assert starts == sorted(starts)
    assert starts.count("") == 3, "since when is unknown comes first"
    assert reader.ask(sort="-date") == reader.ask(sort="date")[::-1]


def test_pages_show_each_event_once(reader: Reader) -> None:
    seen, cursor = [], None
    while True:
        page = reader.page(limit=10, **({"cursor": cursor} if cursor else {}))
        seen += keys(page["items"])
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == reader.ask()


def test_the_article_is_found_across_all_timelines_too(reader: Reader) -> None:
    found = keys(reader.page("/v1/events", actor="abdul-aziz-al-khair")["items"])
    assert set(found[:2]) == {"khair-detention", "release-attempt"}
    assert found[2:] == ["haider-ncc-meeting"]


def test_seeding_twice_changes_nothing(reader: Reader, module_database_url: str) -> None:
    before = [reader.page(path) for path in DIRECTORY_PATHS]
    events = reader.events()
    assert seed(module_database_url) == 0
    assert reader.events() == events, "no version, no instant of recording, no identifier has changed"
    assert [reader.page(path) for path in DIRECTORY_PATHS] == before
