"""Entity tags and preconditions (RFC 9110, sections 8.8.3 and 13)."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header
from pydantic.config import JsonDict

from service.store.expectation import Expectation

_TAG = re.compile(r'\s*(?P<weak>W/)?"(?P<tag>[\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
_VERSION = re.compile(r"[1-9][0-9]{0,8}")  # any longer one no column holds
_AS_TAGS: JsonDict = {"format": "entity-tag"}

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The `ETag` of the version that you have seen.",
        max_length=1000,
        examples=['"1"'],
        json_schema_extra=_AS_TAGS,
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="An `ETag` that you hold already.",
        max_length=1000,
        examples=['"1"'],
        json_schema_extra=_AS_TAGS,
    ),
]
ANY_PATTERN = r"^\*$"
CreateOnly = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="`*` creates, and never replaces.",
        max_length=1,
        pattern=ANY_PATTERN,
        examples=["*"],
    ),
]


def etag(version: int) -> str:
    """Write a version as a strong entity tag."""
    return f'"{version}"'


def _versions(tags: str, *, weakly: bool) -> frozenset[int]:
    """Read the versions in a list of entity tags; a tag that no answer ever bore names none."""
    found = set()
    for match in _TAG.finditer(tags):
        if _VERSION.fullmatch(match["tag"]) and (weakly or not match["weak"]):
            found.add(int(match["tag"]))
    return frozenset(found)


def expectation(if_match: str | None, if_none_match: str | None = None) -> Expectation:
    """Say what a writer expects to find; `If-Match` compares strongly (section 13.1.1)."""
    if if_match is None:
        return Expectation(nothing=if_none_match == "*")
    if if_match.strip() == "*":
        return Expectation(any_version=True, nothing=if_none_match == "*")
    return Expectation(versions=_versions(if_match, weakly=False), nothing=if_none_match == "*")


def known_versions(if_none_match: str | None) -> frozenset[int]:
    """Name the versions that a reader holds; `If-None-Match` compares weakly (section 13.1.2)."""
    return _versions(if_none_match or "", weakly=True)


def is_known(if_none_match: str | None, version: int) -> bool:
    """Tell whether a reader holds this version, or says so of whichever there is."""
    return (if_none_match or "").strip() == "*" or version in known_versions(if_none_match)
