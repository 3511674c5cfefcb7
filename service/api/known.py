"""The two clocks as parameters: what was known, and what was recorded, at an instant.

A day, month or year means its end: what was known by then. A time means that very instant.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator

from service.dates import DISTANT_FUTURE, DISTANT_PAST, parse, parse_instant


def read_clock(text: object) -> object:
    """Read an instant from an RFC 3339 time or an EDTF date, whose end it is. Raises ValueError."""
    if not isinstance(text, str):
        return text
    if "T" in text.upper():
        return parse_instant(text)
    end = parse(text).bounds.end_latest
    if end in (DISTANT_FUTURE, DISTANT_PAST):
        raise ValueError("must have an end")
    return end - 1


_FORM = {"type": "string", "maxLength": 200}

KnownAt = Annotated[
    int | None,
    BeforeValidator(read_clock),
    Query(
        description="As it was known at this instant (RFC 3339), or by the end of this day, month or year (EDTF).",
        examples=["2013-02-15"],
        json_schema_extra=_FORM,
    ),
]
RecordedAsOf = Annotated[
    int | None,
    BeforeValidator(read_clock),
    Query(
        description="As this store held it at this instant (RFC 3339), or by the end of this day, month or year.",
        examples=["2026-12-31"],
        json_schema_extra=_FORM,
    ),
]
