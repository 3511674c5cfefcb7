"""An EDTF expression, explained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from service.dates import Bounds, Expression, describe, format_instant
from service.wire.event import BoundsAnswer, Span
from service.wire.values import Answer, StoredEdtf


class DateAnswer(Answer):
    """What an EDTF expression says, and how precisely."""

    edtf: StoredEdtf = Field(description="As it was given.", examples=["[2013-02-24..2013-02-28]"])
    canonical: StoredEdtf = Field(description="Written in the one way in which equal expressions are equal texts.")
    level: Literal[0, 1, 2] = Field(description="The EDTF level that it needs.")
    precision: str = Field(description="The unit in which it is known.", examples=["day"])
    approximate: bool = Field(description="Whether it is marked `~` or `%` anywhere; it moves no bound.")
    uncertain: bool = Field(description="Whether it is marked `?` or `%` anywhere; it moves no bound.")
    bounds: BoundsAnswer
    words: str = Field(description="In English.", examples=["on one of 24–28 February 2013"])


def bounds_answer(bounds: Bounds) -> BoundsAnswer:
    """Write the four instants as clients read them; ±infinity becomes `None`."""
    return BoundsAnswer(
        start=Span(earliest=format_instant(bounds.start_earliest), latest=format_instant(bounds.start_latest)),
        end=Span(earliest=format_instant(bounds.end_earliest), latest=format_instant(bounds.end_latest)),
    )


def explain(text: str, expression: Expression) -> DateAnswer:
    """Say what the expression means, in numbers and in words."""
    return DateAnswer(
        edtf=text,
        canonical=expression.edtf,
        level=expression.level,
        precision=expression.precision,
        approximate=expression.approximate,
        uncertain=expression.uncertain,
        bounds=bounds_answer(expression.bounds),
        words=describe(expression),
    )
