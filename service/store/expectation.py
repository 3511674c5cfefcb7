"""What a writer expects to find: the versions named in `If-Match`, or nothing at all."""

from __future__ import annotations

from dataclasses import dataclass

from service.errors import VersionConflict, VersionRequired
from service.wire.shape import FIRST_SHAPE


@dataclass(frozen=True, slots=True)
class Expectation:
    """The versions that a writer has seen.

    `versions` is None where none was named; `any_version` is content with whatever is there; `nothing` means
    that there must be nothing yet.
    """

    versions: frozenset[int] | None = None
    any_version: bool = False
    nothing: bool = False

    def check_present(self, version: int, document: bytes, *, shape: int = FIRST_SHAPE, required: bool = True) -> None:
        """Compare with what is there, a document of this shape.

        Raises VersionConflict where it differs, VersionRequired where a version is needed and none was named.
        """
        if self.nothing:
            raise VersionConflict(
                f"it exists already, in version {version}", version=version, document=document, shape=shape
            )
        if self.any_version:
            return
        if self.versions is None:
            if required:
                raise VersionRequired("name the version that you have seen, by If-Match")
            return
        if not self.versions:
            raise VersionConflict(
                f'If-Match names no version: it takes an `ETag` as it was sent, such as "{version}", none that is weak',
                version=version,
                document=document,
                shape=shape,
            )
        if version not in self.versions:
            raise VersionConflict(
                f"the present version is {version}, not the one expected",
                version=version,
                document=document,
                shape=shape,
            )

    def check_absent(self) -> None:
        """Compare with nothing being there. Raises VersionConflict where a version was expected."""
        if self.any_version or self.versions is not None:
            raise VersionConflict("there is no version of it", version=None, document=None, shape=FIRST_SHAPE)
