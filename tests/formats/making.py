"""Events to write, plain ones and such as nobody would think of: with text that each format must keep at bay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from itertools import count
from typing import Any, Final
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st

from service.dates import AXIS_END, AXIS_START, EdtfError, format_instant, parse
from service.formats.writing import Batch, Collection, Writer
from service.wire.directory import Coordinates
from service.wire.document import Draft, Succession, Surroundings, compose
from service.wire.event import Event, EventBody
from tests.dates.examples import ALL_EXAMPLES
from tests.dates.trees import trees
from tests.prove import IS_LONG

RECORDED_AT: Final = 1_361_836_800_000_000
"""2013-02-26T00:00:00Z, at which events are recorded unless a test says otherwise."""
SERVICE: Final = "https://dateline.example"
COLLECTION: Final = Collection(
    "Syria, 2013", "What was said & done.", SERVICE, f"{SERVICE}/v1/events?timeline=syria-2013&limit=2"
)

thorough = settings(max_examples=1000 if IS_LONG else 100, deadline=None, derandomize=True)


def make(
    when: str = "2013-02-25",
    *,
    former: Event | None = None,
    event_id: UUID | None = None,
    timeline: str = "syria-2013",
    recorded_at: int = RECORDED_AT,
    **members: object,
) -> Event:
    """Make an event as the service would, of members as a client writes them; the directory knows every slug."""
    body = EventBody.model_validate({"title": "Talks", "status": "planned", "when": when} | members)
    around = Surroundings(
        recorded_at,
        {one.actor: _name(one.actor) for one in body.participants},
        {} if body.place is None else {body.place.place: _name(body.place.place)},
        {one.source: _name(one.source) for one in body.claims},
        partial(next, map(_identity, count(1))),
    )
    follows = Succession(former, 1, None) if former is None else Succession(former, former.version + 1, RECORDED_AT)
    return compose(Draft(timeline, event_id or _identity(0), body), follows, around)


def _name(slug: str) -> str:
    return slug.replace("-", " ").title()


def _identity(number: int) -> UUID:
    return UUID(int=(0x0198 << 112) | (7 << 76) | (2 << 62) | number)


def batch(*events: Event, places: Mapping[str, Coordinates] | None = None) -> Batch:
    """Give events as the store does."""
    return Batch([one.model_dump_json().encode() for one in events], places or {})


def written(writer: Writer, *batches: Batch) -> bytes:
    """Write batches as a whole."""
    return writer.begin() + b"".join(map(writer.write, batches)) + writer.end()


def is_edtf(text: str) -> bool:
    """Tell whether a client may write this date."""
    try:
        parse(text)
    except EdtfError:
        return False
    return len(text) <= 200


# What some format takes for its own sign, or has no way to write.
_HOSTILE: Final = (
    *("\r", "\n", "\r\n", "\t", "\v", "\f", "\x01", "\x1b[31m", "\x1c", "\x1f", "\x7f", "\x85", "\xa0", "\xad"),
    *('"', "'", "''", ";", ",", ":", "=", "==", "+", "-", "@", "[", "]", "{", "|", "^", "\\", "\\n", "\\N", "\\\\"),
    *("<", ">", "&", "&amp;", "&#x1;", "]]>", "<!--", "<![CDATA[", "<script>alert(1)</script>", "</a>", "%00", "%2C"),
    *("\ufffe", "\uffff", "\ufeff", "\u2028", "\u2029", "\u202e", "\u2066", "\u200f", "\u0301", "שלום", "مرحبا"),
    *("'=1", "=cmd|' /C calc'!A0", "＝1", "＠a", "BEGIN:VEVENT", "END:VCALENDAR\r\n", " ", "  ", "é", "\U0001f600"),
    *("x" * 80, "ж" * 90, "a b " * 30, "null", "[]", "{}"),
)
_pieces = st.sampled_from(_HOSTILE) | st.text(max_size=6).map(lambda text: text.replace("\x00", ""))


def _is_told(text: str) -> bool:
    """Tell whether a text is more than blank, as the contract has it: the separators of ASCII are no blanks."""
    return re.search(r"[\S\x1c-\x1f]", text) is not None


def texts(most: int, *, may_be_blank: bool) -> st.SearchStrategy[str]:
    """Texts of so many characters at most."""
    found = st.lists(_pieces, max_size=6).map(lambda pieces: "".join(pieces)[:most])
    found |= st.sampled_from(_HOSTILE).map(lambda piece: (piece * most)[:most])
    return found if may_be_blank else found.filter(_is_told)


slugs = st.sampled_from(("a", "kerry", "john-kerry", "1-2", "x" * 80))
names = texts(300, may_be_blank=False)
titles = texts(500, may_be_blank=False)
phrases = texts(1_000, may_be_blank=True)
proses = texts(1_500, may_be_blank=True) | st.just("Long; " * 3_000)
whens = st.one_of(st.sampled_from(ALL_EXAMPLES), trees().map(str), trees(far=True).map(str)).filter(is_edtf)
statuses = st.sampled_from(("tentative", "planned", "occurred", "postponed", "cancelled"))
instants = st.integers(AXIS_START, AXIS_END) | st.sampled_from((0, 500_000, 510_000, RECORDED_AT))
_claims = st.fixed_dictionaries(
    {"source": slugs},
    optional={
        "title": st.none() | titles,
        "attributed_to": st.none() | phrases,
        "quote": st.none() | proses,
        "asserts": st.none() | st.fixed_dictionaries({}, optional={"status": statuses, "when": whens}),
        "reported_at": instants.map(format_instant),
    },
)
_members: Final[st.SearchStrategy[dict[str, Any]]] = st.fixed_dictionaries(
    {"title": titles, "status": statuses},
    optional={
        "summary": st.none() | proses,
        "status_reason": st.none() | phrases,
        "kind": slugs,
        "participants": st.lists(
            st.fixed_dictionaries({"actor": slugs}, optional={"name": st.none() | names, "role": st.none() | names}),
            max_size=3,
        ),
        "place": st.fixed_dictionaries({"place": slugs}, optional={"name": names}),
        "topics": st.lists(slugs, max_size=3),
        "claims": st.lists(_claims, max_size=2),
        "reported_at": instants.map(format_instant),
    },
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Whole events, of which one in two had another date before."""
    event_id, former = draw(st.uuids()), None
    if draw(st.booleans()):
        former = make(draw(whens), event_id=event_id, **draw(_members))
    return make(draw(whens), former=former, event_id=event_id, reason=draw(st.none() | phrases), **draw(_members))


def in_xml_again(text: str) -> str:
    """Give a text as it is read of XML: without what that cannot write, and lines end in one way (XML 1.0, 2.11)."""
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", re.sub("\r\n?", "\n", text))
