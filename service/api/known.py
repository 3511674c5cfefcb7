"""The two clocks as parameters: what was known, and what was recorded, at an instant.

A day, month or year means its end: what was known by then. A time means that very instant.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, WithJsonSchema

from service.dates import DISTANT_FUTURE, DISTANT_PAST, parse, parse_instant

_TO_THE_MINUTE = re.compile(r"(T\d\d:\d\d)(?=$|[Zz+-])")


def read_clock(text: object) -> object:
    """Read an instant from an RFC 3339 time, whose seconds may be left out, or an EDTF date, whose end it is.

    Raises ValueError.
    """
    if not isinstance(text, str):
        return text
    if "T" in text:
        return parse_instant(_TO_THE_MINUTE.sub(r"\1:00", text))
    end = parse(text).bounds.end_latest
    if end in (DISTANT_FUTURE, DISTANT_PAST):
        raise ValueError("must have an end")
    return end - 1


Clock = Annotated[
    int, BeforeValidator(read_clock), WithJsonSchema({"type": "string", "maxLength": 200, "examples": ["2013-02-15"]})
]

_WHEN = "an instant (RFC 3339), or the end of a day, month or year (EDTF)"
KNOWN_AT = f"As it was known at {_WHEN}: what had been reported by then, whenever this store learned it."
RECORDED_AS_OF = f"As this store held it at {_WHEN}."

KnownAt = Annotated[Clock | None, Query(description=KNOWN_AT, examples=["2013-02-15"])]
RecordedAsOf = Annotated[Clock | None, Query(description=RECORDED_AS_OF, examples=["2026-12-31"])]
