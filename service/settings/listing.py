"""The settings as an operator meets them: variables of the environment, what they mean, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic import SecretStr, ValidationError

from service.settings.database_url import shown_url
from service.settings.model import PREFIX, Settings
from service.wording import in_words, nearest

# What Kubernetes puts into the environment of every container beside a Service that is called dateline.
_OF_A_SERVICE_LINK = re.compile(r"DATELINE_(SERVICE_|PORT_\d)")
_SERVICE_LINK = (
    "; Kubernetes sets this variable for a Service of this name, unless the pod has `enableServiceLinks: false`"
)


class SettingLine(NamedTuple):
    """One setting, as text for a person; secrets are masked."""

    variable: str
    unit: str
    default: str
    present: str
    meaning: str


def list_settings(settings: Settings) -> Iterator[SettingLine]:
    """Yield every setting with its present value."""
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        yield SettingLine(
            variable=variable(name),
            unit=str(extra.get("unit", "")),
            default=_shown(name, field.default),
            present=_shown(name, getattr(settings, name)),
            meaning=field.description or "",
        )


def variable(name: str) -> str:
    """Name the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def complaints(error: ValidationError) -> Iterator[str]:
    """Say what is wrong with the environment, one sentence a setting, without repeating any value."""
    for item in error.errors(include_url=False):
        name = variable(str(item["loc"][0]))
        service_link = str(item["input"]).startswith("tcp://")
        yield f"{name}: {in_words(item)}{_SERVICE_LINK if service_link else ''}"


def unknown_variables(environment: Iterable[str]) -> Iterator[str]:
    """Say which variables look like settings and are none, one sentence each; what is meant may be another's."""
    for name in sorted(environment):
        given = name.lower().removeprefix(PREFIX.lower())
        if given == name.lower() or given in Settings.model_fields or _OF_A_SERVICE_LINK.match(name):
            continue
        found = nearest(given, Settings.model_fields)
        meant = f"did you mean {variable(found)}?" if found else "`dateline settings` lists those that there are"
        yield f"{name} is no setting of this service, and changes nothing; {meant}"


def _shown(name: str, value: object) -> str:
    if value is None or value == ():
        return "unset"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, SecretStr):
        return shown_url(value.get_secret_value()) if name.endswith("database_url") else "set, not shown"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
