from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from service.dates import expression
from service.dates.pieces import pieces_of


@pytest.fixture(scope="package", autouse=True)
def _taken_apart_once() -> Iterator[None]:
    """Take each expression apart once: whoever compares with the closed forms asks for the same pieces very often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expression, "pieces_of", cache(pieces_of))
        yield
