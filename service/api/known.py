"""The two clocks as parameters: what was known, and what was recorded, at an instant.

A day, month or year means its end: what was known by then. A time means that very instant.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, Field

from service.dates import DISTANT_FUTURE, DISTANT_PAST, parse, parse_instant

_MOST_CHARACTERS = 200
_SHIFT = re.compile(r"([Zz]|[+-]\d\d:?\d\d)$")
_TO_THE_MINUTE = re.compile(r"(T\d\d:\d\d)(?=$|[Zz+-])")


def read_clock(text: object) -> object:
    """Read an instant from an RFC 3339 time, whose seconds may be left out, or an EDTF date, whose end it is.

    Raises ValueError.
    """
    if not isinstance(text, str):
        return text
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"must have at most {_MOST_CHARACTERS} characters")
    if "T" in text:
        timed = _TO_THE_MINUTE.sub(r"\1:00", text)
        return parse_instant(timed if _SHIFT.search(timed) else f"{timed}Z")
    end = parse(text).bounds.end_latest
    if end in (DISTANT_FUTURE, DISTANT_PAST):
        raise ValueError("must have an end")
    return end - 1


_Text = Annotated[str, Field(min_length=1, max_length=_MOST_CHARACTERS, json_schema_extra={"format": "edtf-clock"})]
Clock = Annotated[int, BeforeValidator(read_clock, json_schema_input_type=_Text)]

_WHEN = "an instant (RFC 3339), or the end of a day, month or year (EDTF)"
KNOWN_AT = f"As it was known at {_WHEN}: what had been reported by then, whenever this store learned it."
RECORDED_AS_OF = f"As this store held it at {_WHEN}."

KnownAt = Annotated[Clock | None, Query(description=KNOWN_AT, examples=["2013-02-15"])]
RecordedAsOf = Annotated[Clock | None, Query(description=RECORDED_AS_OF, examples=["2026-12-31"])]
