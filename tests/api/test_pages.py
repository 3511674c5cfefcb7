"""The pages for people: well-formed, escaped, and saying what the API says."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest

from service.api.problems import KINDS
from service.dates import Answer, Relation, parse, parse_window, relate
from service.page.timeline_page import shown
from service.wire.event import Event
from tests.client import Client, connected
from tests.factories import make_actor, make_event, make_place, make_source, make_timeline
from tests.keys import ADMIN, bearer

VOID = {"meta", "link", "input", "br", "hr", "img"}
HOSTILE = "</title><script>alert(1)</script>'\"><img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}"
EVENTS = "/v1/timelines/syria-2013/events"


class Page(HTMLParser):
    """A page as a strict reader sees it: every element is closed in its turn, and every id is of one element."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.open: list[tuple[str, int]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.text = answer.text
        assert self.text.startswith("<!doctype html>")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        self.feed(self.text)
        self.close()
        assert self.open == [], "never closed"
        ids = [values["id"] for _, values in self.elements if "id" in values]
        assert len(ids) == len(set(ids))
        for _, values in self.elements:
            for name in ("for", "aria-describedby"):
                assert set((values.get(name) or "").split()) <= set(ids), values
            assert not [name for name in values if name.startswith("on") or name == "style"], values
        assert self.all("html")[0]["lang"] == "en"
        assert len(self.all("h1")) == 1
        assert len(self.all("title")) == len(self.all("main")) == 1
        for field in self.all("input"):
            assert field["type"] in ("hidden", "radio") or field["id"] in [one.get("for") for one in self.all("label")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"{tag} says {names}"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, len(self.texts.setdefault(tag, []))))
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for tag, position in self.open:
            self.texts[tag][position] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [values for name, values in self.elements if name == tag]

    def told(self, tag: str) -> list[str]:
        """Read what stands in each element of this name."""
        return [" ".join(text.split()) for text in self.texts.get(tag, ())]

    @property
    def marks(self) -> list[str | None]:
        return [values["class"] for values in self.all("span") if values["class"] != "mark status"]


def read(client: Client, path: str = "/", status: int = 200, **asked: str) -> Page:
    answer = client.get(path, **asked)
    assert answer.status_code == status, answer.text
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    return Page(answer)


def test_the_only_timeline_is_shown_in_the_order_of_the_api(reading: Client) -> None:
    page = read(reading)
    assert page.told("h1") == [reading.read("/v1/timelines/syria-2013")["title"]]
    assert page.told("h2") == [" ".join(title.split()) for title in reading.titles(EVENTS)]
    assert page.marks == [], "without a window nothing is certain or possible of it"
    assert "/docs" in [one["href"] for one in page.all("a")]


def test_an_event_is_told_in_words(reading: Client) -> None:
    page = read(reading, datetime="2013-02-25", certainty="certain")
    (told,) = (one for one in page.told("li") if one.startswith("On 25 February 2013"))
    for part in (
        "On 25 February 2013",
        "2013-02-25",
        "cancelled",
        "The Russians could not persuade the Syrian officials to release Abdul-Aziz al-Khair.",
        "Ali Haider (Minister of National Reconciliation)",
        "Moscow",
        "The meeting was set to be held in Feb. 25 in Moscow",
        "Russia-US Rapprochement on Syria",
        "follows",
    ):
        assert part in told, told


def test_a_window_shows_what_is_certain_and_what_is_possible(reading: Client) -> None:
    for certainty in ("possible", "certain"):
        page = read(reading, timeline="syria-2013", datetime="2013-02-25", certainty=certainty)
        items = reading.walk(EVENTS, datetime="2013-02-25", certainty=certainty)
        assert page.told("h2") == [" ".join(one["title"].split()) for one in items]
        certain = set(reading.titles(EVENTS, datetime="2013-02-25", certainty="certain"))
        assert page.marks == [f"mark {'certain' if one['title'] in certain else 'possible'}" for one in items]
        assert [one["value"] for one in page.all("input") if "checked" in one] == [certainty]
        assert [one["value"] for one in page.all("input") if one.get("id") == "datetime"] == ["2013-02-25"]


def test_the_same_in_other_forms_is_the_same(reading: Client) -> None:
    page = read(reading, datetime="2013-02-20/2013-02-28", certainty="certain")
    addresses = [one["href"] for one in page.all("a") if (one["href"] or "").startswith(f"{EVENTS}?")]
    alternates = [one for one in page.all("link") if one["rel"] == "alternate"]
    assert addresses == [one["href"] for one in alternates]
    assert len(addresses) == 6
    answers = [reading.send("GET", address) for address in addresses if address is not None]
    assert [one.headers["content-type"].partition(";")[0] for one in answers] == [one["type"] for one in alternates]
    titles = [" ".join(one["title"].split()) for one in answers[0].json()["items"]]
    assert page.told("h2") == titles
    assert len(answers[1].text.splitlines()) > len(titles), "a table with its head"
    (feed,) = (one.text for one in answers if "atom" in one.headers["content-type"])
    assert feed.count("<entry>") == len(titles)


def test_links_lead_to_places_on_the_page_or_to_data(reading: Client) -> None:
    page = read(reading)
    ids = {values["id"] for _, values in page.elements if "id" in values}
    within = [one["href"] for one in page.all("a") if (one["href"] or "").startswith("#")]
    assert len(within) == sum(len(event["links"]) for event in reading.walk(EVENTS))
    assert all(one is not None and one[1:] in ids for one in within)
    narrow = read(reading, datetime="2013-02-25", certainty="certain")
    outside = [one["href"] for one in narrow.all("a") if (one["href"] or "").startswith(f"{EVENTS}/")]
    assert outside
    for address in outside:
        assert address is not None
        assert reading.get(address).status_code == 200


@pytest.mark.parametrize("window", ["2013-13", "2013-02-30", "yesterday", "../..", HOSTILE, "\x00"])
def test_a_refused_window_is_shown_kindly(reading: Client, window: str) -> None:
    page = read(reading, status=400, timeline="syria-2013", datetime=window)
    (field,) = (one for one in page.all("input") if one.get("id") == "datetime")
    assert field["aria-invalid"] == "true"
    assert "refused" in (field["aria-describedby"] or "").split()
    assert [one["id"] for one in page.all("p") if one.get("role") == "alert"] == ["refused"]
    assert page.told("h2") == []
    assert page.all("script") == page.all("img") == []


def test_an_unknown_timeline_is_a_problem(reading: Client) -> None:
    for unknown in ("nowhere", "No Slug", HOSTILE[:60]):
        answer = reading.get("/", timeline=unknown)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "status", "title", "said"),
    [
        ("/nowhere", 404, "There is no such thing", "Nothing is there, or nothing that you may see."),
        ("/problems/none", 404, "There is no such thing", "no such kind of problem"),
        ("/?timeline=nowhere", 404, "There is no such thing", "timeline"),
        ("/?datetme=2013", 400, "A parameter is not what this operation takes", "did you mean 'datetime'?"),
    ],
)
def test_a_browser_is_shown_a_problem_as_a_page(reading: Client, path: str, status: int, title: str, said: str) -> None:
    answer = reading.get(path, BROWSER)
    assert answer.status_code == status
    page = Page(answer)
    assert page.told("h1") == [title]
    assert said in page.told("p")[0]
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert reading.get(page.all("a")[-1]["href"] or "", BROWSER).status_code == 200
    for accept in ("*/*", "application/json", "text/css,*/*;q=0.1"):
        told = reading.get(path, {"Accept": accept})
        assert (told.status_code, told.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize("path", ["/v1/nowhere", "/v1/timelines/nowhere", "/v1/events?q=", "/health/none"])
def test_where_programs_ask_a_browser_is_told_what_they_are(reading: Client, path: str) -> None:
    assert reading.get(path, BROWSER).headers["content-type"] == "application/problem+json"


def test_a_page_takes_no_parameter_that_it_does_not_know(reading: Client) -> None:
    for path in ("/", "/docs", "/problems", "/problems/not-found"):
        answer = reading.get(path, datetme="2013")
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-parameter")


def test_what_the_form_never_sends_is_a_problem(reading: Client) -> None:
    for asked in ({"certainty": "sure"}, {"timeline": "\x00"}, {"datetime": "2" * 201}):
        assert reading.get("/", **asked).json()["type"] == "/problems/invalid-parameter"


def test_every_value_is_escaped(api: Client) -> None:
    events = make_timeline(api, title=HOSTILE, description=HOSTILE)
    actor, place = make_actor(api, name=HOSTILE), make_place(api, name=HOSTILE)
    source = make_source(api, title=HOSTILE)
    make_event(
        api,
        events,
        title=HOSTILE,
        summary=HOSTILE,
        status_reason=HOSTILE,
        participants=[{"actor": actor, "role": HOSTILE}],
        place={"place": place},
        claims=[{"source": source, "attributed_to": HOSTILE, "quote": HOSTILE}],
    )
    page = read(api, timeline=events.split("/")[3])
    assert page.all("script") == page.all("img") == []
    assert page.told("h1") == page.told("h2") == [HOSTILE]
    assert HOSTILE not in page.text
    assert page.text.count("{{ 7 * 7 }}") == 18, "each of them, the titles of the page and of its other forms too"


def test_dates_that_were_given_up_are_told(api: Client) -> None:
    events = make_timeline(api)
    made = make_event(api, events, when="2013-02-25")
    moved = api.patch(f"{events}/{made['id']}", {"when": "2013-03", "status_reason": "No hall was free."}, '"1"')
    assert moved.status_code == 200
    again = api.patch(f"{events}/{made['id']}", {"when": "2013-04"}, '"2"')
    assert again.status_code == 200
    page = read(api, timeline=events.split("/")[3])
    assert "Formerly In March 2013 On 25 February 2013: No hall was free." in page.told("li")[0]


def test_of_several_timelines_one_is_chosen(database_url: str) -> None:
    with connected(database_url) as client:
        assert "There is no timeline yet." in read(client).told("li")[0]
        titles = [f"Story <{i}>" for i in range(2)]
        slugs = ["a-story", "b-story"]  # in whose order they are listed
        for slug, title in zip(slugs, titles, strict=True):
            make_timeline(client, slug=slug, title=title)
        page = read(client)
        assert page.told("li") == titles
        assert [one["href"] for one in page.all("a")][-2:] == [f"/?timeline={slug}" for slug in slugs]


def test_private_timelines_are_for_those_who_may_write(database_url: str) -> None:
    with connected(database_url) as client:
        slug = make_timeline(client, visibility="private", title="Hidden").split("/")[3]
    with connected(database_url, key=None) as client:
        assert "Hidden" not in client.get("/").text
        assert client.get("/", timeline=slug).status_code == 404
        assert "Hidden" in client.send("GET", "/", headers=bearer(ADMIN), params={"timeline": slug}).text


def test_what_is_more_than_a_page_is_told(database_url: str) -> None:
    with connected(database_url) as client:
        events = make_timeline(client)
        for i in range(201):
            make_event(client, events, title=f"Number {i}", when=f"{1800 + i}")
        page = read(client)
        assert len(page.told("h2")) == 200
        assert "narrow the window" in page.text
        assert "narrow the window" not in read(client, datetime="1801/..").text


@pytest.mark.parametrize("window", ["2013-02-24", "2013-02-25", "2013-02", "../2013-02-25"])
def test_the_marks_are_the_answers_of_the_dates(reading: Client, window: str) -> None:
    events = [Event.model_validate(one) for one in reading.walk(EVENTS)]
    answers = [one.answer for one in shown(events, parse_window(window))]
    assert answers == [relate(Relation.INTERSECTS, parse(one.when), parse_window(window)) for one in events]
    found = [event.title for event, answer in zip(events, answers, strict=True) if answer is not Answer.IMPOSSIBLE]
    assert found == reading.titles(EVENTS, datetime=window)


def test_each_type_of_problem_is_explained_where_it_says(reading: Client) -> None:
    listed = read(reading, "/problems")
    addresses = [one["href"] for one in listed.all("a")]
    assert KINDS
    for kind in KINDS.values():
        assert kind.path in addresses
        page = read(reading, kind.path)
        assert page.told("h1") == [kind.title]
        assert str(kind.status) in page.told("p")[0]
        assert kind.explanation.replace("`", "") in page.told("p")[1]
        assert "`" not in page.told("main")[0]


def test_an_unknown_problem_is_one(reading: Client) -> None:
    answer = reading.get("/problems/none")
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"


def test_the_documentation_loads_nothing_from_elsewhere(reading: Client) -> None:
    answer = reading.get("/docs")
    assert answer.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len([one for one in addresses if one.endswith((".js", ".css"))]) == 5
    for address in addresses:
        assert address.startswith("/")
        assert not address.startswith("//")
        assert reading.get(address).status_code == 200, address
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/static/style.css", "text/css"),
        ("/static/docs.css", "text/css"),
        ("/static/docs.js", "text/javascript"),
        ("/static/icon.svg", "image/svg+xml"),
    ],
)
def test_files_have_their_types(reading: Client, path: str, media_type: str) -> None:
    answer = reading.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == media_type


def test_what_others_add_to_an_address_is_passed_over(reading: Client) -> None:
    for added in ("utm_source", "utm_campaign", "fbclid", "gclid", "msclkid", "mc_cid"):
        assert reading.get("/", **{"timeline": "syria-2013", added: "abc"}).status_code == 200, added
        assert reading.get("/v1/timelines", **{added: "abc"}).status_code == 400, added


def test_whatever_is_wrong_with_a_page_a_browser_is_shown_a_page(reading: Client) -> None:
    """Where it is found before there is an operation, too, or nobody foresaw it."""
    for path, sent, status in (
        ("/?" + "a" * 9_000, {}, 414),
        ("/", {"If-None-Match": '"a"' * 600}, 400),
        ("/?" + "&".join(f"{n}{'b' * 90}=" for n in range(50)), {"Accept-Encoding": "gzip"}, 400),
    ):
        answer = reading.get(path, BROWSER | sent)
        assert answer.status_code == status
        assert Page(answer).told("h1")
        head = reading.send("HEAD", path, headers=BROWSER | sent)
        assert (head.status_code, head.content) == (status, b"")
        for name in ("content-type", "content-length", "vary"):
            assert head.headers[name] == answer.headers[name]
    state = reading.app.state
    database, state.database = state.database, object()
    try:
        assert Page(reading.get("/", BROWSER)).told("h1") == ["Something went wrong here"]
    finally:
        state.database = database
