"""What can go wrong in the domain; no word of HTTP here.

DatelineError
├── NotFound            no such timeline, event, claim, link or directory entry, or not for this caller
├── AlreadyExists       a name or identity is taken
├── InUse               something still refers to what was to be removed
├── VersionConflict     what was to be changed has changed meanwhile
├── Invalid             a value that only the store can judge: an unknown actor, a link to itself, …
├── InvalidCursor       a cursor that was not made for this query
├── Forbidden           the caller may not write
└── Unavailable         the database cannot answer now
    └── TooSlow         the database gave up the statement after its time limit
"""

from __future__ import annotations


class DatelineError(Exception):
    """The root of the domain's errors; `str()` is a sentence for the client."""


class NotFound(DatelineError):
    """Say that a thing is not there, or not for this caller."""


class AlreadyExists(DatelineError):
    """Say that a slug or an identity is taken."""


class InUse(DatelineError):
    """Say that something still refers to what was to be removed."""


class VersionConflict(DatelineError):
    """Say that the expected version is not the present one.

    `version` is the present version, `document` the present representation, UTF-8 JSON.
    """

    def __init__(self, message: str, *, version: int, document: bytes) -> None:
        super().__init__(message)
        self.version = version
        self.document = document


class Invalid(DatelineError):
    """Say that a member of a request is refused; `pointer` is its JSON Pointer (RFC 6901)."""

    def __init__(self, message: str, *, pointer: str) -> None:
        super().__init__(message)
        self.pointer = pointer


class InvalidCursor(DatelineError):
    """Say that a cursor is damaged, forged, or of another query."""


class Forbidden(DatelineError):
    """Say that the caller may not write."""


class Unavailable(DatelineError):
    """Say that the database cannot answer now; trying again later may help."""


class TooSlow(Unavailable):
    """Say that the database gave up a statement after its time limit."""
