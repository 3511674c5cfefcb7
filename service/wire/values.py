"""The values that members of requests and answers are made of: text, slugs, EDTF, instants, web addresses.

A lone surrogate is refused by pydantic itself; a NUL, which PostgreSQL cannot store, by these patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from service.dates import EdtfError, parse, parse_instant
from service.wording import MOST_MISTYPED, Unknown

_NO_NUL = r"^[^\x00]*$"
NOT_BLANK = r"^[^\x00]*[^\x00\s][^\x00]*$"
SLUG_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_WEB_ADDRESS = r"^https?://[^\x00-\x20<>\x22]+$"
_LANGUAGE = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"
COUNTRY_PATTERN = r"^[A-Z]{2}$"
CURSOR_PATTERN = r"^[A-Za-z0-9_-]+$"
POINTER_PATTERN = r"^(/([^~/]|~[01])*)*$"

# What a text must be like, for those who do not read patterns.
PRINTABLE_PATTERN = r"^[\x20-\x7e]+$"
FORMS: Mapping[str, str] = {
    PRINTABLE_PATTERN: "must be of printable ASCII characters",
    _NO_NUL: "must not hold a NUL character",
    NOT_BLANK: "must not be blank, nor hold a NUL character",
    SLUG_PATTERN: "must be lower-case letters a to z, digits and single hyphens between them, as in syria-2013",
    _WEB_ADDRESS: "must be an address that begins with http:// or https://, without blanks",
    _LANGUAGE: "must be a language tag, as en or pt-BR are",
    CURSOR_PATTERN: "must be a cursor, as it was given",
    POINTER_PATTERN: "must begin with /, or be empty, and have ~ as ~0 or ~1 only",
    COUNTRY_PATTERN: "must be a country's code of two capital letters (ISO 3166-1), as RU is",
}

# No body has so many; naming each of fifty thousand unknown ones would take seconds.
_MOST_MEMBERS = 100

# The formats that the published document calls by these names are no JSON Schema's own: `date-time` is RFC 3339,
# which has no year before 0 or after 9999.
_INSTANT_PATTERN = (
    r"^([0-9]{4}|[-+][0-9]{4,6})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"[Tt]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
    r"([Zz]|[-+]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
_UTC_PATTERN = r"^([0-9]{4}|-[0-9]{4,6}|\+[0-9]{5,6})-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"
# Of what cursors are made; one that is not refused as such is refused as a cursor that was never given.
AS_CURSOR: JsonDict = {"pattern": CURSOR_PATTERN}


class Body(BaseModel):
    """A request body: unknown members are refused, for a typo must never be dropped unseen."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _look_at_members(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        if len(value) > _MOST_MEMBERS:
            raise ValueError(f"has more than {_MOST_MEMBERS} members")
        return _with_unknown_ones_marked(value, _members(cls))


@cache  # there are as many as classes
def _members(model: type[BaseModel]) -> frozenset[str]:
    """Name the members of a model, as clients write them."""
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def _with_unknown_ones_marked(value: dict[str, object], known: frozenset[str]) -> dict[str, object]:
    """Have what is unknown, and refused for it, say what is known: pydantic's error has no more than the value."""
    if value.keys() <= known:
        return value
    unknown = value.keys() - known
    if len(unknown) > MOST_MISTYPED:
        return value
    return value | dict.fromkeys(unknown, Unknown(tuple(name for name in known if value.get(name) is None)))


class Answer(BaseModel):
    """What an answer is made of; read from the store, never from a client."""

    model_config = ConfigDict(frozen=True)


def refuse_null(value: object) -> object:
    """Refuse to clear, by a merge patch, a member that must always be there; a validator of a member."""
    if value is None:
        raise ValueError("is always there: it may be changed, not cleared")
    return value


def never_null(*members: str) -> Callable[[dict[str, Any]], None]:
    """Publish members that may be absent, but are never `null`; a `json_schema_extra` of a model."""

    def narrow(schema: dict[str, Any]) -> None:
        for name in members:
            member = schema["properties"][name]
            (kept,) = (one for one in member.pop("anyOf") if one != {"type": "null"})
            member.pop("default", None)
            schema["properties"][name] = kept | member

    return narrow


def having(members: JsonDict, *, required: bool = True) -> JsonDict:
    """Describe an object by some of its members, or by what they are where they are there; for `if`, `then`, `else`.

    The others are said to be as they may: there are validators that let a part which names members have no others.
    """
    described: JsonDict = {"properties": members, "unevaluatedProperties": True}
    return described | {"required": [*members]} if required else described


def without_point(value: object) -> object:
    """Read a whole number, which JSON may write with a fraction of zeros (JSON Schema, section 4.2.3 of its core)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_edtf(text: str) -> str:
    try:
        parse(text)
    except EdtfError as error:
        raise ValueError(str(error)) from error
    return text


def _check_instant(text: str) -> str:
    parse_instant(text)
    return text


# JSON has truth values and numbers of its own: 0, "no" and "5" are none of these; and 5.0 is a whole number.
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True), BeforeValidator(without_point)]
Slug = Annotated[
    str,
    StringConstraints(min_length=1, max_length=80, pattern=SLUG_PATTERN),
    Field(description="Lower-case letters, digits and single hyphens."),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=NOT_BLANK)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=NOT_BLANK)]
Prose = Annotated[str, StringConstraints(max_length=20_000, pattern=_NO_NUL)]
Phrase = Annotated[str, StringConstraints(max_length=1_000, pattern=_NO_NUL)]
Edtf = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    AfterValidator(_check_edtf),
    Field(
        description="An EDTF expression: ISO 8601-2:2019 Annex A, levels 0 to 2.",
        json_schema_extra={"format": "edtf"},
    ),
]
StoredEdtf = Annotated[str, Field(description="An EDTF expression.", json_schema_extra={"format": "edtf"})]
Instant = Annotated[
    str,
    StringConstraints(min_length=1, max_length=50),
    AfterValidator(_check_instant),
    Field(
        description="An instant as in RFC 3339, with any offset. A year before 0 or after 9999 is signed, as in "
        "ISO 8601: `-0043-03-15T12:00:00Z`.",
        json_schema_extra={"pattern": _INSTANT_PATTERN},
    ),
]
StoredInstant = Annotated[
    str,
    Field(
        description="An instant in UTC as in RFC 3339, but for years before 0 and after 9999, which are signed as in "
        "ISO 8601: `-0043-03-15T12:00:00Z`.",
        json_schema_extra={"pattern": _UTC_PATTERN},
    ),
]
Recorded = Annotated[
    str,
    Field(description="When this store learned it, by its own clock.", json_schema_extra={"format": "date-time"}),
]
WebAddress = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2_000, pattern=_WEB_ADDRESS),
    Field(description="An http or https address."),
]
Language = Annotated[
    str,
    StringConstraints(max_length=35, pattern=_LANGUAGE),
    Field(description="A language tag (RFC 5646)."),
]
