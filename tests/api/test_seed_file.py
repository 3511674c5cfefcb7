"""The seeded timeline's file says no more than its one article can: what holds of it before any database."""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from typing import Any

import pytest
import yaml

from service.dates import Bounds, parse, parse_window

SEED: dict[str, Any] = yaml.safe_load(files("seeds").joinpath("syria-2013.yaml").read_text("utf-8"))
EVENTS: dict[str, dict[str, Any]] = {event["key"]: event for event in SEED["events"]}
PUBLISHED = date(2013, 2, 20)
LONGEST_QUOTE_WORDS = 12

every_event = pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)


def bounds_of(key: str) -> Bounds:
    return parse(EVENTS[key]["when"]).bounds


def slugs(section: str) -> set[str]:
    return {entry["slug"] for entry in SEED[section]}


def test_each_key_and_each_slug_stands_once() -> None:
    assert len(EVENTS) == len(SEED["events"])
    for section in ("actors", "places", "sources"):
        assert len(slugs(section)) == len(SEED[section])


@every_event
def test_each_date_is_written_in_its_canonical_form(event: dict[str, Any]) -> None:
    assert parse(event["when"]).edtf == event["when"]
    for claim in event["claims"]:
        if "when" in claim["asserts"]:
            assert parse(claim["asserts"]["when"]).edtf == claim["asserts"]["when"]


@every_event
def test_each_reference_resolves(event: dict[str, Any]) -> None:
    assert {one["actor"] for one in event.get("participants", [])} <= slugs("actors")
    assert {claim["source"] for claim in event["claims"]} <= slugs("sources")
    assert {link["event"] for link in event.get("links", [])} <= EVENTS.keys() - {event["key"]}
    if "place" in event:
        assert event["place"]["place"] in slugs("places")


def test_nobody_and_no_place_is_listed_that_no_event_names() -> None:
    named = {one["actor"] for event in EVENTS.values() for one in event.get("participants", [])}
    assert slugs("actors") == named
    assert slugs("places") == {event["place"]["place"] for event in EVENTS.values() if "place" in event}


@every_event
def test_each_event_rests_on_a_few_words_of_the_article(event: dict[str, Any]) -> None:
    assert event["claims"]
    for claim in event["claims"]:
        assert 1 <= len(claim["quote"].split()) <= LONGEST_QUOTE_WORDS
    assert any(claim["asserts"].get("status") == event["status"] for claim in event["claims"])


@every_event
def test_a_claim_asserts_the_event_s_own_date_or_none(event: dict[str, Any]) -> None:
    assert {claim["asserts"].get("when", event["when"]) for claim in event["claims"]} == {event["when"]}


@every_event
def test_nothing_is_reported_before_the_article(event: dict[str, Any]) -> None:
    reports = {event["reported_at"], *(claim["reported_at"] for claim in event["claims"])}
    assert reports == {f"{PUBLISHED}T00:00:00Z"}


@every_event
def test_what_occurred_began_by_the_article_and_what_is_to_come_was_not_over(event: dict[str, Any]) -> None:
    bounds, day = parse(event["when"]).bounds, parse_window(str(PUBLISHED))
    if event["status"] == "occurred":
        assert bounds.start_earliest < day.end
    else:
        assert bounds.end_latest > day.start


@every_event
def test_an_expectation_is_tentative_and_says_that_it_is_one(event: dict[str, Any]) -> None:
    expected = event["title"].startswith("Expected: ")
    assert expected == (event["kind"] == "forecast")
    assert not expected or event["status"] == "tentative"


@every_event
def test_no_link_runs_against_time(event: dict[str, Any]) -> None:
    own = bounds_of(event["key"])
    for link in event.get("links", []):
        other = bounds_of(link["event"])
        if link["rel"] in {"causes", "prevents"}:
            assert own.start_earliest < other.end_latest
        else:
            assert other.start_earliest < own.end_latest


def test_relative_days_are_counted_from_the_day_of_publication() -> None:
    day = {key: date.fromisoformat(EVENTS[key]["when"]) for key in ("pentagon-call", "brahimi-moscow", "cairo-meeting")}
    assert SEED["sources"][0]["published"] == str(PUBLISHED)
    assert (PUBLISHED - day["pentagon-call"]).days == 1, "yesterday"
    assert (day["brahimi-moscow"] - PUBLISHED).days == 1, "tomorrow"
    assert day["cairo-meeting"].strftime("%A") == "Friday"
    assert 0 < (PUBLISHED - day["cairo-meeting"]).days <= 7, "last Friday"


def test_the_same_words_are_dated_the_same_way() -> None:
    visits = {EVENTS[key]["when"] for key in ("moallem-moscow", "khatib-moscow", "indirect-contacts")}
    assert visits == {"[2013-02-24..2013-02-28]"}
    still = {event["when"] for event in EVENTS.values() if " still " in f" {event['claims'][0]['quote']} "}
    assert still == {"2013-02~"}
