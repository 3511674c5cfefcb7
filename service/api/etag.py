"""Entity tags and preconditions (RFC 9110, sections 8.8.3 and 13)."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import Header
from pydantic import WithJsonSchema
from pydantic.config import JsonDict

from service.store.expectation import Expectation
from service.wire.shape import FIRST_SHAPE

# without what stands between them: a client may send any number of spaces, which would be gone through from each one
_TAG = re.compile(r'(?P<weak>W/)?"(?P<tag>[\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
# Of an event, a version and the shape of the document, unless that is the first; any longer ones no column holds. Of
# what was compressed, the coding stands behind it: another representation of the same state.
_VERSION = re.compile(r"(?P<version>[1-9][0-9]{0,8})(?:\.(?P<shape>[2-9]|[1-9][0-9]{1,3}))?(?P<coding>-(?:gzip|zstd))?")
MOST_TAGS_CHARACTERS = 1000
_AS_TAGS: JsonDict = {"format": "entity-tag"}

VERSION_HEADER = "If-Match"
HELD_HEADER = "If-None-Match"
HELD = "An `ETag` that you hold already."
IfMatch = Annotated[
    str | None,
    Header(
        alias=VERSION_HEADER,
        description="The `ETag` of the version that you have seen.",
        max_length=MOST_TAGS_CHARACTERS,
        examples=['"1"'],
        json_schema_extra=_AS_TAGS,
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias=HELD_HEADER,
        description=HELD,
        max_length=MOST_TAGS_CHARACTERS,
        examples=['"1"'],
        json_schema_extra=_AS_TAGS,
    ),
]
# generators know a `const` of a body, but not of a header, and leave out the operation
_Star = Annotated[Literal["*"], WithJsonSchema({"type": "string", "enum": ["*"]})]
CreateOnly = Annotated[
    _Star | None,
    Header(alias=HELD_HEADER, description="`*` creates, and never replaces.", examples=["*"]),
]


def etag(version: int, shape: int = FIRST_SHAPE) -> str:
    """Write a version as a strong entity tag.

    A document of another shape has other bytes under the same version, and so a tag of its own.
    """
    return f'"{version}"' if shape == FIRST_SHAPE else f'"{version}.{shape}"'


def _versions(tags: str, *, weakly: bool) -> frozenset[tuple[int, int]]:
    """Read the versions, with their shapes, in a list of entity tags; a tag that no answer ever bore names none.

    Who reads (`weakly`) and holds what was compressed holds another representation than the plain one, unless that
    coding is asked for again (`service.api.compression`).
    """
    found = set()
    for match in _TAG.finditer(tags):
        named = _VERSION.fullmatch(match["tag"])
        if named and not (named["coding"] if weakly else match["weak"]):
            found.add((int(named["version"]), int(named["shape"] or FIRST_SHAPE)))
    return frozenset(found)


def expectation(if_match: str | None, if_none_match: str | None = None) -> Expectation:
    """Say what a writer expects to find; `If-Match` compares strongly (section 13.1.1).

    Every shape of a version is a representation of the same state, whichever of them the writer has seen: releases of
    two shapes may run side by side.
    """
    if if_match is None:
        return Expectation(nothing=if_none_match == "*")
    if if_match.strip() == "*":
        return Expectation(any_version=True, nothing=if_none_match == "*")
    versions = frozenset(version for version, _ in _versions(if_match, weakly=False))
    return Expectation(versions=versions, nothing=if_none_match == "*")


def known_versions(if_none_match: str | None, shape: int) -> frozenset[int]:
    """Name the versions that a reader holds in this shape; `If-None-Match` compares weakly (section 13.1.2)."""
    return frozenset(version for version, of in _versions(if_none_match or "", weakly=True) if of == shape)


def is_known(if_none_match: str | None, version: int, shape: int = FIRST_SHAPE) -> bool:
    """Tell whether a reader holds this version in this shape, or says so of whichever there is."""
    return (if_none_match or "").strip() == "*" or version in known_versions(if_none_match, shape)


def names(if_none_match: str, tag: str) -> bool:
    """Tell whether a reader's list of entity tags names this one, or `*`; weakly, as `known_versions`."""
    return if_none_match.strip() == "*" or any(match["tag"] == tag for match in _TAG.finditer(if_none_match))
