"""An EDTF expression, explained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from service.dates import Bounds, Expression, describe, format_instant
from service.wire.event import BoundsAnswer, Span
from service.wire.values import Answer


class DateAnswer(Answer):
    """What an EDTF expression says, and how precisely."""

    edtf: str = Field(description="As it was given.", examples=["[2013-02-24..2013-02-28]"])
    canonical: str
    level: Literal[0, 1, 2]
    precision: str = Field(examples=["day"])
    approximate: bool
    uncertain: bool
    bounds: BoundsAnswer
    words: str = Field(examples=["on one of 24–28 February 2013"])


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
