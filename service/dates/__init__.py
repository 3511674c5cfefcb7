"""Dates kept as precisely as they are known: EDTF text, bounds in time, relation to a window, words."""

from service.dates.bounds import Bounds
from service.dates.buckets import Unit, axis_buckets, bucket_of, bucket_start
from service.dates.edtf import parse
from service.dates.error import EdtfError
from service.dates.expression import Expression
from service.dates.instants import (
    AXIS_END,
    AXIS_START,
    DISTANT_FUTURE,
    DISTANT_PAST,
    format_instant,
    parse_instant,
)
from service.dates.relate import Answer, Relation, relate
from service.dates.traits import Precision
from service.dates.window import Window, parse_window
from service.dates.words import describe

__all__ = [
    "AXIS_END",
    "AXIS_START",
    "DISTANT_FUTURE",
    "DISTANT_PAST",
    "Answer",
    "Bounds",
    "EdtfError",
    "Expression",
    "Precision",
    "Relation",
    "Unit",
    "Window",
    "axis_buckets",
    "bucket_of",
    "bucket_start",
    "describe",
    "format_instant",
    "parse",
    "parse_instant",
    "parse_window",
    "relate",
]
