"""Full text: what `q` finds, and in which order."""

from __future__ import annotations

import itertools

import pytest

from tests.client import Client
from tests.factories import make_actor, make_event, make_place, make_source, make_timeline


@pytest.fixture(scope="module")
def library(api: Client) -> str:
    events = make_timeline(api)
    make_event(api, events, title="Talks in Moscow", when="2013-02-01", summary="The ministers are negotiating peace.")
    make_event(api, events, title="A cancelled meeting", when="2013-02-02", summary="No date was set for the talks.")
    make_event(
        api,
        events,
        title="A statement",
        when="2013-02-03",
        participants=[{"actor": make_actor(api, name="Ban Ki-moon"), "role": "speaker"}],
        place={"place": make_place(api, name="Genève")},
        claims=[
            {
                "source": make_source(api, title="The Evening Herald"),
                "quote": "We shall never surrender the bridge.",
                "attributed_to": "an unnamed colonel",
            }
        ],
    )
    make_event(api, events, title="Peace, peace and again peace", when="2013-02-04")
    return events


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("talks", ["Talks in Moscow", "A cancelled meeting"]),
        ("TALK", ["Talks in Moscow", "A cancelled meeting"]),
        ("negotiation", ["Talks in Moscow"]),
        ("talk moscow", ["Talks in Moscow"]),
        ("talks -moscow", ["A cancelled meeting"]),
        ("moscow or statement", ["Talks in Moscow", "A statement"]),
        ('"cancelled meeting"', ["A cancelled meeting"]),
        ('"meeting cancelled"', []),
        ("surrendering bridges", ["A statement"]),
        ("ki-moon", ["A statement"]),
        ("Genève", ["A statement"]),
        ("evening herald", ["A statement"]),
        ("unnamed colonel", ["A statement"]),
        ("unicorn", []),
        ("the", []),
    ],
)
def test_words_are_found_as_one_types_them_into_a_search_engine(
    api: Client, library: str, text: str, found: list[str]
) -> None:
    assert api.titles(library, q=text) == found
    assert api.read(library, q=text, count="exact")["count"] == len(found)


@pytest.mark.parametrize(
    "odd",
    [
        *("'", '"', '"" ""', '"unclosed', "&", "|", "!", "!!a", "((", "a:*", "\\", "%", "<->", "-", "--", " ", "\n"),
        *("\ufffd", "\u202e", "\U0001f600", "\U0001f600" * 500, "' OR 1=1 --", "'; DROP TABLE event; --"),
        *("a & | !", "or or or", "a " * 250, "-a " * 160 + "unicorn", "-" * 20 + "a unicorn", "a" * 500, "(" * 500),
    ],
)
def test_odd_inputs_are_searched_for_like_any_other(api: Client, library: str, odd: str) -> None:
    page = api.get(library, q=odd)
    assert page.status_code == 200
    assert page.json()["items"] == []


@pytest.mark.parametrize("odd", ["-" * 500, "- " * 250, "-(" * 250, "-!&|" * 100, "talks" + " -" * 100 + "x"])
def test_a_heap_of_minus_signs_is_refused(api: Client, library: str, odd: str) -> None:
    answer = api.get(library, q=odd)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "q")


def test_a_word_to_be_absent_leaves_the_rest(api: Client, library: str) -> None:
    assert len(api.titles(library, q="-moscow")) == 3


def test_relevance_puts_first_what_meets_the_words_best(api: Client, library: str) -> None:
    assert api.titles(library, q="peace", sort="relevance") == ["Peace, peace and again peace", "Talks in Moscow"]
    assert api.titles(library, q="talks", sort="relevance") == ["Talks in Moscow", "A cancelled meeting"]


def test_words_and_filters_and_windows_go_together(api: Client, library: str) -> None:
    assert api.titles(library, q="talks", datetime="2013-02-02") == ["A cancelled meeting"]
    assert api.titles(library, q="talks or statement", kind="event", sort="-date") == [
        "A statement",
        "A cancelled meeting",
        "Talks in Moscow",
    ]
    assert api.titles(library, q="talks", kind="other", sort="relevance") == []


def test_what_an_event_says_now_is_what_is_searched(api: Client) -> None:
    events = make_timeline(api)
    event = make_event(api, events, title="An earthquake", claims=[{"source": make_source(api), "quote": "flooding"}])
    api.patch(f"{events}/{event['id']}", {"title": "A landslide", "claims": None}, "*")
    assert api.titles(events, q="earthquake or flooding") == []
    assert api.titles(events, q="landslide") == ["A landslide"]


def test_an_event_full_of_rare_words_is_taken(api: Client) -> None:
    """A text vector has an end, which no request of the permitted length may reach."""
    letters = itertools.cycle(letter for letter in map(chr, range(0x32400, 0x3400, -1)) if letter.isalpha())

    def compounds(characters: int) -> str:
        """Write words of two letters with a hyphen between: each takes up three entries, of four bytes a letter."""
        return " ".join(f"{next(letters)}-{next(letters)}" for _ in range(characters // 4))

    source, actor = make_source(api), make_actor(api)
    body = {
        "title": compounds(500),
        "summary": compounds(20_000),
        "when": "2013",
        "status": "planned",
        "participants": [{"actor": actor, "name": compounds(300)} for _ in range(200)],
        "claims": [{"source": source, "quote": compounds(20_000)} for _ in range(5)],
    }
    answer = api.post(make_timeline(api), body)
    assert answer.status_code == 201, answer.text[:500]
