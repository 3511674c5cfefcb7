"""An event in sentences, for formats that have a place for text and none for what it says."""

from __future__ import annotations

from service.dates import describe, parse
from service.wire.event import Claim, Event


def sentence_of(edtf: str) -> str:
    """Say a date in words, as a sentence begins."""
    return _begun(describe(parse(edtf)))


def titled(event: Event) -> str:
    """Give an event's title; of what does not, or may not, take place that is said first, for a list shows no more."""
    return event.title if event.status in ("planned", "occurred") else f"{_begun(event.status)}: {event.title}"


def told(event: Event) -> list[str]:
    """Tell what is known of an event, a subject a line: when, how it stands, what, with whom, who says so."""
    lines = [f"{sentence_of(event.when)}.", _with(event.status, event.status_reason)]
    lines += [event.summary] if event.summary else []
    lines += [_who(one.name, one.role) for one in event.participants]
    lines += [_said(one) for one in event.claims]
    lines += [_with(f"Formerly {describe(parse(one.when))}", one.reason) for one in event.previously]
    return lines


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def _with(said: str, reason: str | None) -> str:
    return f"{_begun(said)}: {reason}" if reason else f"{_begun(said)}."


def _who(name: str, role: str | None) -> str:
    return f"With {name} ({role})" if role else f"With {name}"


def _said(claim: Claim) -> str:
    source = f"{claim.attributed_to}, in {claim.title}" if claim.attributed_to else claim.title
    return f"{_begun(source)}: “{claim.quote}”" if claim.quote else f"So says {source}"
