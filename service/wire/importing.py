"""What became of an import."""

from __future__ import annotations

from pydantic import Field

from service.wire.problem import ProblemError
from service.wire.values import Answer


class ImportResult(Answer):
    """What became of the lines of an import."""

    created: int = Field(description="Events that were not there before.")
    amended: int = Field(description="Events that were there and have changed.")
    unchanged: int = Field(description="Events that were there already, just so.")
    deleted: int = Field(description="Events that had been deleted, and stay so.")
    refused: int = Field(description="Lines that were refused; 0 where all or none are written.")
    errors: list[ProblemError] = Field(description="What is wrong with the first lines that were refused.")
