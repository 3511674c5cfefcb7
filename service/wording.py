"""What pydantic finds wrong with a value, in words that a person can act on; values are never repeated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType
from typing import Any

# From pydantic's name of an error to ours; what stands in braces is the limit that was not kept.
_SENTENCES: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is unknown here, or is not for clients to write",
    "string_type": "must be text",
    "string_unicode": "must be text that can be written in UTF-8",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be of the form {pattern}",
    "literal_error": "must be {expected}",
    "list_type": "must be a list",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number that is not infinite",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "uuid_type": "must be a UUID, as 018f3d5e-7a10-7000-8000-000000000001 is",
    "uuid_parsing": "must be a UUID, as 018f3d5e-7a10-7000-8000-000000000001 is",
}
_JSON_TYPES: Mapping[type, str] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number with a point",
    str: "text",
    list: "a list",
    dict: "an object",
}
_OF_ANOTHER_TYPE = re.compile("(string|list|model|model_attributes|dict|int|float|bool|uuid)_type")
_QUOTED = re.compile("'([^']*)'")
# No choice is longer, and what is compared with each of them should not be either.
_MOST_CHARACTERS = 50
_LIKENESS = 0.7  # of a misspelt name to what is meant, as difflib counts: 1 is the same


# Of one thing no more names are compared with others: whoever has more that are wrong has not mistyped them.
MOST_MISTYPED = 3


@dataclass(frozen=True, slots=True)
class Unknown:
    """What a model reads in the place of a member that it does not know: those that it knows, and that are not said."""

    members: tuple[str, ...]


def in_words(error: Mapping[str, Any], forms: Mapping[str, str] = MappingProxyType({})) -> str:
    """Say what is wrong, to be read behind the name of what it is wrong with: `must be a list`.

    `error` is one of a pydantic `ValidationError`; `forms` says of a pattern what its text must be like.
    """
    kind: str = error["type"]
    limits: Mapping[str, Any] = error.get("ctx", {})
    if limits.get("min_length") == 1:
        return "must not be empty"
    sentence = forms.get(limits.get("pattern", "")) or _SENTENCES.get(kind)
    if sentence is None:
        return str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input", ...)
    if kind == "literal_error":
        remark = suggestion(given, _QUOTED.findall(limits["expected"]))
    elif isinstance(given, Unknown):
        remark = suggestion(error["loc"][-1], given.members)
    else:
        found = _JSON_TYPES.get(type(given))
        remark = f", not {found}" if found and _OF_ANOTHER_TYPE.fullmatch(kind) else ""
    return sentence.format_map(limits) + remark


def counted(number: int, one: str, several: str | None = None) -> str:
    """Say how many there are of what is called so; several of them are called the same with an s where not said."""
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def suggestion(given: object, choices: Iterable[str]) -> str:
    """Ask, behind what is wrong with a word, whether the nearest of those that there are is meant; empty for none."""
    found = nearest(given, choices)
    return "" if found is None else f"; did you mean '{found}'?"


def nearest(given: object, choices: Iterable[str]) -> str | None:
    """Find the choice that is most like what is given; None where none is like it."""
    if not isinstance(given, str) or len(given) > _MOST_CHARACTERS:
        return None
    return _nearest(given.lower(), tuple(choices))


@lru_cache(maxsize=256)  # what is wrong in one line of an import is so in most
def _nearest(given: str, choices: tuple[str, ...]) -> str | None:
    return next(iter(get_close_matches(given, choices, n=1, cutoff=_LIKENESS)), None)
