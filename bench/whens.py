"""Made-up dates: EDTF of every level, and of lengths from a second to centuries and without end."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from random import Random

from bench.chance import Lottery

_EPOCHS = Lottery([(1990, 2026), (1900, 1989), (1000, 1899), (1, 999)], [70, 20, 8, 2])


def _day(chance: Random) -> date:
    first, last = _EPOCHS.draw(chance)
    start = date(first, 1, 1).toordinal()
    return date.fromordinal(chance.randint(start, date(last, 12, 31).toordinal()))


def _recent_day(chance: Random) -> date:
    return date.fromordinal(chance.randint(date(1950, 1, 1).toordinal(), date(2026, 12, 31).toordinal()))


def _month(day: date) -> str:
    return day.isoformat()[:7]


def _interval(chance: Random, shortest: int, longest: int) -> tuple[date, date]:
    start = _day(chance)
    return start, min(start + timedelta(days=chance.randint(shortest, longest)), date(2040, 12, 31))


def plain_day(chance: Random) -> str:
    """One day."""
    return _day(chance).isoformat()


def second(chance: Random) -> str:
    """One second of a day."""
    return f"{_day(chance)}T{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}Z"


def month(chance: Random) -> str:
    """One month."""
    return _month(_day(chance))


def year(chance: Random) -> str:
    """One year."""
    return f"{_day(chance).year:04}"


def qualified(chance: Random) -> str:
    """A day, month or year that is uncertain, approximate, or both."""
    return chance.choice((plain_day, month, year))(chance) + chance.choice("?~%")


def part_of_year(chance: Random) -> str:
    """A season, a quarter or a half of a year."""
    return f"{_day(chance).year:04}-{chance.choice((21, 22, 23, 24, 33, 34, 35, 36, 40, 41))}"


def short_interval(chance: Random) -> str:
    """Some days on end."""
    start, end = _interval(chance, 1, 14)
    return f"{start}/{end}"


def long_interval(chance: Random) -> str:
    """Months to years on end."""
    start, end = _interval(chance, 30, 1500)
    return f"{start}/{_month(end)}"


def era(chance: Random) -> str:
    """Years to decades on end."""
    start = _day(chance).year
    return f"{start:04}/{min(start + chance.randint(2, 60), 2040):04}"


def one_of(chance: Random) -> str:
    """One of some days."""
    start, end = _interval(chance, 1, 10)
    return f"[{start}..{end}]"


def every_one(chance: Random) -> str:
    """All of some days, with gaps between them."""
    start = _day(chance)
    days = sorted({start + timedelta(days=7 * chance.randint(0, 8)) for _ in range(3)})
    return "{" + ",".join(day.isoformat() for day in days) + "}"


def masked(chance: Random) -> str:
    """A day, month or year of which a digit is missing; some have gaps."""
    day = _day(chance)
    text = day.isoformat()
    if monthrange(day.year, day.month)[1] < 30:  # a third ten of days that February may not have
        return text[:7] + "-1X"
    return chance.choice((text[:9] + "X", text[:5] + "1X", text[:5] + "X2", text[:3] + "X-12-25", text[:4] + "-XX"))


def decade_or_century(chance: Random) -> str:
    """A decade or a century, masked."""
    text = f"{_day(chance).year:04}"
    return text[:3] + "X" if chance.random() < 0.8 else text[:2] + "XX"


def open_ended(chance: Random) -> str:
    """Begun, and not ended."""
    return f"{_recent_day(chance)}/.." if chance.random() < 0.5 else f"{_month(_recent_day(chance))}/.."


def unknown_end(chance: Random) -> str:
    """Begun; whether and when it ended is not known."""
    return f"{_month(_recent_day(chance))}/"


def open_start(chance: Random) -> str:
    """On or before a day, or until then since whenever."""
    return f"[..{_day(chance)}]" if chance.random() < 0.5 else f"../{_day(chance)}"


def ancient(chance: Random) -> str:
    """Before the year 1, some of it long before."""
    years = chance.randint(1, 3000)
    return chance.choice((f"-{years:04}", f"-{years:04}-03-15", f"-{years + 100:04}/-{years:04}", f"Y-{years + 9999}"))


_FORMS: list[tuple[float, Callable[[Random], str]]] = [
    (53, plain_day),
    (6, second),
    (8, month),
    (5, year),
    (4, qualified),
    (2, part_of_year),
    (9, short_interval),
    (2, long_interval),
    (1.2, era),
    (2.5, one_of),
    (1.5, every_one),
    (1.5, masked),
    (1.2, decade_or_century),
    (1.5, open_ended),
    (0.7, unknown_end),
    (0.3, open_start),
    (0.6, ancient),
]
_WHENS = Lottery([form for _, form in _FORMS], [weight for weight, _ in _FORMS])


def made_up_when(chance: Random) -> str:
    """Make up an EDTF expression."""
    return _WHENS.draw(chance)(chance)
