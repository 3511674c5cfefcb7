"""What an operator may set, from the environment (`DATELINE_…`); units stand in the names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "DATELINE_"
URL_SCHEMES = ("postgresql://", "postgres://")
# What libpq keeps secret; the rest of a database URL may be shown.
SECRET_KEYWORDS = frozenset({"password", "sslpassword", "oauth_client_secret"})


class Settings(BaseSettings):
    """The settings of one process: read once at the start, then never changed."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=None, frozen=True, extra="ignore", env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    workers: int = Field(1, ge=1, le=64, description="Server processes; one a core is a good start.")
    data: Path = Field(Path("data"), description="Folder of the embedded PostgreSQL; unused with a database URL.")
    database_url: SecretStr | None = Field(
        None,
        description="An external PostgreSQL (15 to 18), as a URL or in libpq's keywords; without it an "
        "embedded one is started.",
    )
    pool_size: int = Field(
        8,
        ge=1,
        le=512,
        description="Database connections of each server process.",
        json_schema_extra={"unit": "connections"},
    )
    statement_timeout_seconds: float = Field(
        5.0,
        gt=0,
        le=3600,
        description="Time after which the database gives up a statement.",
        json_schema_extra={"unit": "seconds"},
    )
    request_timeout_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Time after which a request is given up whose answer has not begun.",
        json_schema_extra={"unit": "seconds"},
    )
    requests: int = Field(
        1000,
        ge=1,
        description="The most requests of each server process that wait for their answers; more are turned away.",
        json_schema_extra={"unit": "requests"},
    )
    body_bytes: int = Field(
        1024 * 1024,
        ge=1024,
        description="The largest body of a request.",
        json_schema_extra={"unit": "bytes"},
    )
    json_depth: int = Field(
        32,
        ge=8,
        le=200,
        description="How deep arrays and objects may stand within each other in a body.",
        json_schema_extra={"unit": "levels"},
    )
    query_bytes: int = Field(
        8192,
        ge=256,
        description="The longest query string of a request.",
        json_schema_extra={"unit": "bytes"},
    )
    idempotency_retention_hours: float = Field(
        24.0,
        gt=0,
        le=8760,
        description="Time for which the answer to a POST with an Idempotency-Key is kept, to be given again.",
        json_schema_extra={"unit": "hours"},
    )
    feed_retention_days: float | None = Field(
        None,
        gt=0,
        description="Time for which the change feed keeps a change; without it, for ever. History stays either way.",
        json_schema_extra={"unit": "days"},
    )
    stream_heartbeat_seconds: float = Field(
        15.0,
        gt=0,
        le=3600,
        description="Time after which a stream of changes that has nothing to say sends a sign of life.",
        json_schema_extra={"unit": "seconds"},
    )
    stream_send_timeout_seconds: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Time after which a stream of changes is ended whose client takes nothing more.",
        json_schema_extra={"unit": "seconds"},
    )
    stream_poll_seconds: float = Field(
        1.0,
        gt=0,
        le=3600,
        description="Time after which a change is seen though the database's notification of it was lost.",
        json_schema_extra={"unit": "seconds"},
    )
    streams: int = Field(
        2000,
        ge=1,
        description="The most open streams of changes of each server process.",
        json_schema_extra={"unit": "streams"},
    )
    worker: bool = Field(
        default=True,
        description="Send webhooks in the server processes too; otherwise `dateline worker` does it alone.",
    )
    webhook_timeout_seconds: float = Field(
        15.0,
        gt=0,
        le=60,
        description="Time in which a receiver of webhooks must have answered, looking it up and connecting included.",
        json_schema_extra={"unit": "seconds"},
    )
    webhook_concurrency: int = Field(
        32,
        ge=1,
        le=1000,
        description="The most webhook messages on their way at the same time, from each process.",
        json_schema_extra={"unit": "messages"},
    )
    webhook_allow_private: bool = Field(
        default=False,
        description="Send webhooks into private networks and to this machine, too: for tests and intranets.",
    )
    webhook_retention_days: float = Field(
        30.0,
        gt=0,
        le=3650,
        description="Time for which it is kept what became of a webhook's message, once it is delivered or dead.",
        json_schema_extra={"unit": "days"},
    )
    write_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Secret that writing needs, as a bearer token; without it only loopback may write.",
        json_schema_extra={"unit": "at least 16 characters"},
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    seed: bool = Field(default=True, description="Load the first timeline when a start finds none.")

    @field_validator("database_url")
    @classmethod
    def _as_url(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(normalized_url(value.get_secret_value()))


def normalized_url(text: str) -> str:
    """Write libpq's keywords (`host=… dbname=…`) as a URL; a URL stays as it is.

    Raises ValueError, which never repeats the text, where libpq would not take it.
    """
    try:
        parameters = conninfo_to_dict(text)
    except psycopg.Error:
        raise ValueError(
            "is neither a URL (postgresql://user:password@host:5432/database) nor in libpq's keywords "
            "(host=… dbname=…); special characters in a URL's password are written as %XX"
        ) from None
    if not all(port.isdecimal() for port in str(parameters.get("port", "0")).split(",") if port):
        raise ValueError("has a port that is no number")
    if text.startswith(URL_SCHEMES):
        return text
    if "://" in text or not parameters:
        raise ValueError("is no PostgreSQL URL: it starts with neither postgresql:// nor postgres://")
    database = quote(str(parameters.pop("dbname", "")), safe="")
    return f"postgresql:///{database}?{urlencode(parameters, quote_via=quote)}"


def shown_url(text: str) -> str:
    """Write a database URL for the eyes: put together anew from what libpq understood, without secrets."""
    parameters = {name: str(value) for name, value in conninfo_to_dict(text).items()}
    secret = SECRET_KEYWORDS & parameters.keys()
    for name in secret:
        del parameters[name]
    user = parameters.pop("user", "") + (":***" if secret else "")
    host = "" if "/" in parameters.get("host", "") else parameters.pop("host", "")  # a socket's folder
    port = parameters.pop("port", "")
    database = parameters.pop("dbname", "")
    address = f"{user}{'@' if user else ''}{host}{':' if port else ''}{port}"
    return f"postgresql://{address}/{database}{'?' if parameters else ''}{urlencode(parameters)}"


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
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        yield f"{variable(str(item['loc'][0]))}: {item['msg'].removeprefix('Value error, ')}"


def _shown(name: str, value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, SecretStr):
        return shown_url(value.get_secret_value()) if name == "database_url" else "set, not shown"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
