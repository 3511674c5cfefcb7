"""Measure how fast dates are read: `python -m bench.dates`.

Both readers turn a text into its first and last instant: here the four bounds, in `edtf` the strict lower and upper
limits. They take turns, example by example, so that whatever else the machine does falls on both; of several
rounds the shortest time of each counts. An example on which `edtf` fails is left out of both sums, and named.
"""

import contextlib
import io
from collections.abc import Callable, Iterator
from time import perf_counter_ns
from typing import Final, TypedDict

import edtf

from service.dates import EdtfError, parse
from tests.dates.examples import ALL_EXAMPLES

ROUNDS: Final = 7
REPEATS: Final = 50

PLAIN_DATES: Final = ("2013-02-25", "2013-02", "2013")


def _filled(member: str, brackets: str) -> str:
    """Make a set of one member over and over, 200 characters at most."""
    return brackets[0] + ",".join([member] * (199 // (len(member) + 1))) + brackets[1]


_MASKS: Final = (
    *("XXXX-02-29", "XX00-02-29", "XXX2-02-29", "XXX1-02-29", "XXXX-12-XX", "XXXX-XX-X1", "XXXX-X2-3X", "15XX-12-25"),
    *("1X1X-XX-31", "201X-XX-X5", "2013-XX-X1", "X9X9-X1-X1", "-XXXX-X2-29", "201X-24", "1X8X", "?1X5X-%X2-~X9"),
)
NASTY_TEXTS: Final = (
    *_MASKS,
    *(_filled(mask, brackets) for mask in _MASKS for brackets in ("[]", "{}")),
    *(f"{start}/{end}" for start in _MASKS for end in _MASKS),
    *(_filled(f"{mask}..9999", "[]") for mask in _MASKS),
    "[" + ",".join(str(year) for year in range(1000, 1078, 2)) + "]",
    "{" + ",".join(f"?{year}-~02" for year in range(1000, 1038, 2)) + "}",
    "Y" + "9" * 190,
    "Y-" + "9" * 190,
    "Y1E999999999",
    "Y1E" + "9" * 190,
    "Y" + "9" * 180 + "S17",
    "X" * 200,
    "[" * 200,
    "?" * 200,
    "9" * 200,
)
"""What takes the longest to read or to take apart, and what once might have."""


class DateFigures(TypedDict):
    """What was measured; times in microseconds, the least of several rounds."""

    plain_date_microseconds: float
    examples: int
    skipped: list[str]
    examples_microseconds: float
    edtf_microseconds: float
    times_as_fast_as_edtf: float
    slowest_microseconds: float
    slowest_text: str


def _read(text: str) -> None:
    _ = parse(text).bounds


def _read_by_edtf(text: str) -> None:
    expression = edtf.parse_edtf(text)
    expression.lower_strict()
    expression.upper_strict()


def _take_apart(text: str) -> None:
    with contextlib.suppress(EdtfError):
        _ = parse(text).pieces


def _microseconds(read: Callable[[str], None], text: str, repeats: int) -> float:
    """Time one reading, as the mean of several in a row."""
    begin = perf_counter_ns()
    for _ in range(repeats):
        read(text)
    return (perf_counter_ns() - begin) / repeats / 1000


def _failing() -> list[str]:
    """List the examples on which `edtf` fails."""
    failing = []
    for text in ALL_EXAMPLES:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                _read_by_edtf(text)
        except Exception:  # noqa: BLE001 - whatever it may be, it is not a reading
            failing.append(text)
    return failing


def measure() -> DateFigures:
    """Measure plain dates, the examples against `edtf`, and the texts that take longest."""
    skipped = _failing()
    texts = [text for text in ALL_EXAMPLES if text not in skipped]
    ours = dict.fromkeys(texts, float("inf"))
    theirs = dict(ours)
    plain = dict.fromkeys(PLAIN_DATES, float("inf"))
    nasty = dict.fromkeys(NASTY_TEXTS, float("inf"))
    for _ in range(ROUNDS):
        for text in texts:
            theirs[text] = min(theirs[text], _microseconds(_read_by_edtf, text, 1))
            ours[text] = min(ours[text], _microseconds(_read, text, REPEATS))
        for text in PLAIN_DATES:
            plain[text] = min(plain[text], _microseconds(_read, text, 4 * REPEATS))
        for text in NASTY_TEXTS:
            nasty[text] = min(nasty[text], _microseconds(_take_apart, text, 1))
    # An example that is listed twice counts twice.
    ours_sum, theirs_sum = sum(ours[text] for text in texts), sum(theirs[text] for text in texts)
    slowest = max(nasty, key=nasty.__getitem__)
    return DateFigures(
        plain_date_microseconds=max(plain.values()),
        examples=len(texts),
        skipped=skipped,
        examples_microseconds=ours_sum,
        edtf_microseconds=theirs_sum,
        times_as_fast_as_edtf=theirs_sum / ours_sum,
        slowest_microseconds=nasty[slowest],
        slowest_text=slowest,
    )


def described(figures: DateFigures) -> Iterator[tuple[str, str]]:
    """Name the figures, and write them with what they should be."""
    skipped = f", without {', '.join(figures['skipped'])} on which it fails" if figures["skipped"] else ""
    slowest = figures["slowest_text"]
    yield "a plain date, parse and bounds", f"{figures['plain_date_microseconds']:.2f} µs (at most 5)"
    yield f"{figures['examples']} examples{skipped}", f"{figures['examples_microseconds']:,.0f} µs"
    yield "the same by edtf 5.0.2", f"{figures['edtf_microseconds']:,.0f} µs"
    yield "times as fast as edtf 5.0.2", f"{figures['times_as_fast_as_edtf']:,.0f} (at least 500)"
    yield (
        f"the slowest of {len(NASTY_TEXTS)} nasty texts, pieces included",
        f"{figures['slowest_microseconds']:,.0f} µs (at most 1,000): {slowest[:40]}{'…' * (len(slowest) > 40)}",
    )


if __name__ == "__main__":
    for name, figure in described(measure()):
        print(f"{name:<60} {figure}")
