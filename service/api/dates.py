"""Dates over HTTP: an EDTF expression, explained."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from service.api import answers
from service.api.problems import InvalidParameters
from service.api.strict import StrictRoute
from service.dates import EdtfError, parse
from service.wire.date import DateAnswer, explain

router = APIRouter(tags=["Dates"], route_class=StrictRoute)


@router.get(
    "/dates", response_model=DateAnswer, responses=answers.problems(400) | {200: {"description": "What it means."}}
)
async def explain_date(
    edtf: Annotated[
        str,
        Query(
            min_length=1,
            max_length=200,
            description="An EDTF expression: ISO 8601-2:2019 Annex A, levels 0 to 2.",
            examples=["[2013-02-24..2013-02-28]"],
            json_schema_extra={"format": "edtf"},
        ),
    ],
) -> DateAnswer:
    """Explain an EDTF expression.

    The answer has its four bounds, how precise it is, its flags, its canonical form, and what it says in English. An
    error says at which position what was expected.
    """
    try:
        return explain(edtf, parse(edtf))
    except EdtfError as error:
        raise InvalidParameters({"edtf": str(error)}) from error
