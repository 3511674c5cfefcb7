"""What an expression consists of, part by part, and how it is written.

Parts keep their digits as text, `X` for an unspecified one, so that nothing that was written is lost, and a
year of hundreds of digits costs no more than its length.
"""

from enum import Enum
from typing import Final, NamedTuple

UNCERTAIN: Final = 1
APPROXIMATE: Final = 2
MARKS: Final = ("", "?", "~", "%")
"""The qualifiers' marks, by the sum of the flags that they stand for."""


class Year(NamedTuple):
    """A calendar year as written: `2013`, `-0043`, `156X`, `Y-17E7`, `1950S2`.

    `exponent` and `significant` are the digits after `E` and `S`, or empty. A year of more than four digits,
    or with an exponent, is written with a `Y`.
    """

    digits: str
    negative: bool = False
    exponent: str = ""
    significant: str = ""

    @property
    def has_four_digits(self) -> bool:
        """Whether it is written with four digits, so without a `Y`."""
        return len(self.digits) == len("9999") and not self.exponent

    def __str__(self) -> str:
        prefix = "" if self.has_four_digits else "Y"
        sign = "-" if self.negative else ""
        exponent = f"E{self.exponent}" if self.exponent else ""
        significant = f"S{self.significant}" if self.significant else ""
        return f"{prefix}{sign}{self.digits}{exponent}{significant}"


class Date(NamedTuple):
    """A date as written; `month` (or season, 21 to 41) and `day` are empty where there are none.

    `qualifiers` holds the flags of each part, year first, and is empty where none is qualified.
    """

    year: Year
    month: str = ""
    day: str = ""
    qualifiers: tuple[int, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that are there, as text, year first."""
        return tuple(part for part in (str(self.year), self.month, self.day) if part)

    @property
    def flags(self) -> int:
        """The flags of all parts together."""
        flags = 0
        for flag in self.qualifiers:
            flags |= flag
        return flags

    @property
    def is_evenly_qualified(self) -> bool:
        """Whether all parts carry the same qualifier, or none."""
        return len(set(self.qualifiers)) <= 1

    @property
    def is_one_of_many(self) -> bool:
        """Whether the date leaves open which of several years, months or days it is."""
        return bool(self.year.significant) or "X" in self.year.digits or "X" in self.month or "X" in self.day

    def __str__(self) -> str:
        parts, flags = self.parts, self.qualifiers
        if not flags:
            return "-".join(parts)
        qualified = len(flags) - flags.count(0)
        if flags[0] and set(flags[:qualified]) == {flags[0]}:
            marked = (*parts[: qualified - 1], parts[qualified - 1] + MARKS[flags[0]], *parts[qualified:])
            return "-".join(marked)
        return "-".join(MARKS[flag] + part for flag, part in zip(flags, parts, strict=True))


class Moment(NamedTuple):
    """A second of a day: `clock` is `hh:mm:ss`; `shift` is `Z`, `±hh`, `±hh:mm` or empty, which means UTC."""

    date: Date
    clock: str
    shift: str = ""

    def __str__(self) -> str:
        return f"{self.date}T{self.clock}{self.shift}"


Point = Date | Moment


class Edge(Enum):
    """An interval's end that is no date: `..`, it has none, or nothing at all, it is unknown."""

    OPEN = ".."
    UNKNOWN = ""

    def __str__(self) -> str:
        return self.value


class Interval(NamedTuple):
    """What lasted from one point to another: `a/b`."""

    start: Point | Edge
    end: Point | Edge

    def __str__(self) -> str:
        return f"{self.start}/{self.end}"


class Range(NamedTuple):
    """All dates of a set from `first` to `last`, both included: `a..b`, `..b`, `a..`."""

    first: Point | None
    last: Point | None

    def __str__(self) -> str:
        return f"{self.first or ''}..{self.last or ''}"


Member = Date | Moment | Range


class DateSet(NamedTuple):
    """One of several dates, `[…]`, or every one of them, `{…}`."""

    members: tuple[Member, ...]
    every: bool

    def __str__(self) -> str:
        listed = ",".join(map(str, self.members))
        return f"{{{listed}}}" if self.every else f"[{listed}]"


Tree = Date | Moment | Interval | DateSet
