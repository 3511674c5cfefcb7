"""The window of a query: a half-open stretch of time."""

from typing import NamedTuple

from service.dates.edtf import parse


class Window(NamedTuple):
    """A half-open stretch of time; `DISTANT_PAST` and `DISTANT_FUTURE` stand for open ends."""

    start: int
    end: int


def parse_window(text: str) -> Window:
    """Read a window from an EDTF expression, widened to whole units; `..` is an open end.

    `2013-02` is the whole month, `2013-02-20/2013-02-28` from the 20th 00:00 to 1 March 00:00. Of an
    expression with gaps it is the whole from the first piece to the last.

    Raises:
        EdtfError: The text is no expression; `/` and `../..`, which would hold everything, are none.
    """
    bounds = parse(text).bounds
    return Window(bounds.start_earliest, bounds.end_latest)
