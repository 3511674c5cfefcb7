"""What can go wrong in the domain; no word of HTTP here.

DatelineError
├── NotFound            no such timeline, event, claim, link or directory entry, or not for this caller
│   └── Gone            there was one, and it was deleted
├── AlreadyExists       a name or identity is taken
├── InUse               something still refers to what was to be removed
├── VersionConflict     what was to be changed is not, or no longer, what the caller expected
├── PatchConflict       a step of a patch does not fit what is there
├── VersionRequired     what exists is only changed by who says which version they have seen
├── Invalid             a value that only the store can judge: an unknown actor, a link to itself, …
├── TooLarge            more than the database can hold in one piece, or work through at once
├── InvalidCursor       a cursor that was not made for this query
├── CursorOutlived      a cursor behind which changes are missing
├── Unauthenticated     the key is missing, unknown, expired or revoked
├── Forbidden           the key does not open this
├── InFlight            a request with this idempotency key is under way
├── KeyReused           this idempotency key stands for another request
└── Unavailable         the database cannot answer now
    ├── TooSlow         the database gave up the statement after its time limit
    └── ReplicaFailed   the replica cannot do a read that the primary may do
"""

from __future__ import annotations


class DatelineError(Exception):
    """The root of the domain's errors; `str()` is a sentence for the client."""


class NotFound(DatelineError):
    """Say that a thing is not there, or not for this caller."""


class Gone(NotFound):
    """Say that a thing was there, and was deleted."""


class AlreadyExists(DatelineError):
    """Say that a slug or an identity is taken."""


class InUse(DatelineError):
    """Say that something still refers to what was to be removed."""


class VersionConflict(DatelineError):
    """Say that the expected version is not the present one.

    `version` is the present version and `document` the present representation (UTF-8 JSON); None where
    there is none.
    """

    def __init__(self, message: str, *, version: int | None, document: bytes | None) -> None:
        super().__init__(message)
        self.version = version
        self.document = document


class PatchConflict(DatelineError):
    """Say that a step of a patch, counted from 0, does not fit what is there."""

    def __init__(self, message: str, *, step: int) -> None:
        super().__init__(message)
        self.step = step


class VersionRequired(DatelineError):
    """Say that what exists is only changed by who says which version they have seen."""


class Invalid(DatelineError):
    """Say that a part of a request is refused: a member, by its JSON Pointer (RFC 6901), or a parameter."""

    def __init__(self, message: str, *, pointer: str | None = None, parameter: str | None = None) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.parameter = parameter


class TooLarge(DatelineError):
    """Say that a request holds or asks for more than the database takes in one piece; trying again does not help."""


class InvalidCursor(DatelineError):
    """Say that a cursor is damaged, forged, or of another query; `parameter` is where it was given."""

    def __init__(self, message: str, *, parameter: str = "cursor") -> None:
        super().__init__(message)
        self.parameter = parameter


class CursorOutlived(DatelineError):
    """Say that a follower with this cursor would miss changes, and how to start again."""


class InFlight(DatelineError):
    """Say that a request with this idempotency key is under way; whoever repeats it is to wait for its end."""


class KeyReused(DatelineError):
    """Say that an idempotency key was sent before, with another request."""


class Unauthenticated(DatelineError):
    """Say that the caller's key is missing, or opens nothing (any more)."""


class Forbidden(DatelineError):
    """Say that the caller's key does not open this."""


class Unavailable(DatelineError):
    """Say that the database cannot answer now; trying again later may help."""


class TooSlow(Unavailable):
    """Say that the database gave up a statement after its time limit."""


class ReplicaFailed(Unavailable):
    """Say that the replica failed at a read; whoever asked for it begins it anew, at the primary."""
