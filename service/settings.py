"""What an operator may set, from the environment (`DATELINE_…`); units stand in the names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.wording import in_words

PREFIX = "DATELINE_"
# What Kubernetes puts into the environment of every container beside a Service that is called dateline.
_OF_A_SERVICE_LINK = re.compile(r"DATELINE_(SERVICE_|PORT_\d)")
_LIKENESS = 0.7  # of a misspelt name to what is meant, as difflib counts: 1 is the same
_SERVICE_LINK = (
    "; Kubernetes sets this variable for a Service of this name, unless the pod has `enableServiceLinks: false`"
)
URL_SCHEMES = ("postgresql://", "postgres://")
# What libpq keeps secret; the rest of a database URL may be shown.
SECRET_KEYWORDS = frozenset({"password", "sslpassword", "oauth_client_secret"})


def _listed(value: object) -> object:
    """Take apart what stands in one variable, separated by commas."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _network(value: str) -> str:
    """Take an address or a network."""
    try:
        ip_network(value)
    except ValueError:
        raise ValueError("is neither an address nor a network, such as 10.0.0.0/8") from None
    return value


def _origin(value: str) -> str:
    """Take an origin as browsers write it (RFC 6454, section 6.2)."""
    if value != "*" and not _ORIGIN.fullmatch(value):
        raise ValueError("is no origin, such as https://a.example: scheme, host and port, and nothing after it")
    return value


def _redis_url(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not value.get_secret_value().startswith(_REDIS_SCHEMES):
        raise ValueError(f"is no Redis URL: it starts with none of {', '.join(_REDIS_SCHEMES)}")
    return value


_REDIS_SCHEMES = ("redis://", "rediss://")
_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:-]+")
Addresses = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_listed)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """The settings of one process: read once at the start, then never changed."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=None, frozen=True, extra="ignore", env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="Port for /metrics alone, which is then not found on the other one."
    )
    workers: int = Field(1, ge=1, le=64, description="Server processes; one a core is a good start.")
    data: Path = Field(Path("data"), description="Folder of the embedded PostgreSQL; unused with a database URL.")
    database_url: SecretStr | None = Field(
        None,
        description="An external PostgreSQL (15 to 18), as a URL or in libpq's keywords; without it an "
        "embedded one is started.",
    )
    direct_database_url: SecretStr | None = Field(
        None,
        description="The same PostgreSQL without the pooler, where the database URL leads through one that lends "
        "connections by the transaction (PgBouncer): for migrations, and to hear of changes.",
    )
    migration_database_url: SecretStr | None = Field(
        None,
        description="The same database as a role that owns the schema: migrations run as that one, and the role of "
        "the database URL is granted no more than serving takes.",
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
    export_send_timeout_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Time after which an export is ended whose client has not taken its last part, up to 500 events.",
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
    import_bytes: int = Field(
        1024 * 1024 * 1024,
        ge=1024,
        description="The largest body of an import, kept in a file below TMPDIR until it has come.",
        json_schema_extra={"unit": "bytes"},
    )
    import_timeout_seconds: float = Field(
        3600.0,
        gt=0,
        le=86_400,
        description="Time after which an import is given up whose answer has not begun.",
        json_schema_extra={"unit": "seconds"},
    )
    json_depth: int = Field(
        32,
        ge=8,
        le=200,
        description="How deep arrays and objects may stand within each other in a body.",
        json_schema_extra={"unit": "levels"},
    )
    array_items: int = Field(
        10_000,
        ge=1,
        description="The most items of any array in a body; the published document says where there may be fewer.",
        json_schema_extra={"unit": "items"},
    )
    page_items: int = Field(
        200,
        ge=50,
        le=200,
        description="The most items that a page may be asked to have; 50 are sent unasked.",
        json_schema_extra={"unit": "items"},
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
    read: Literal["open", "key"] = Field(
        "open", description="Who may read public timelines: everybody, or whoever has a key."
    )
    oidc_issuer: str | None = Field(
        None,
        pattern=r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])[^\s?#]+$",
        description="OpenID Connect issuer whose tokens are taken beside keys: its URL, exactly as it calls itself.",
    )
    oidc_audience: str = Field(
        "dateline", min_length=1, description="Audience that a token must be meant for: this service's name there."
    )
    oidc_scope_claim: str = Field(
        "scope", min_length=1, description="Claim that holds `dateline:read`, `dateline:write` or `dateline:admin`."
    )
    oidc_timelines_claim: str = Field(
        "dateline_timelines",
        min_length=1,
        description="Claim that lists the timelines a token is limited to; all without it.",
    )
    oidc_leeway_seconds: float = Field(
        60.0,
        ge=0,
        le=600,
        description="How far the issuer's clock may differ from ours.",
        json_schema_extra={"unit": "seconds"},
    )
    trusted_proxies: Addresses = Field(
        (),
        description="Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
        json_schema_extra={"unit": "separated by commas"},
    )
    cors_origins: Origins = Field(
        (),
        description="Origins whose pages may use the API from a browser, such as https://a.example; * is any.",
        json_schema_extra={"unit": "separated by commas"},
    )
    hsts_seconds: int | None = Field(
        None,
        ge=0,
        description="Time for which browsers are told to come by TLS alone: only where TLS is in front of the service.",
        json_schema_extra={"unit": "seconds"},
    )
    rate_limit_address_per_minute: int = Field(
        6000,
        ge=0,
        description="Requests from one address, or one IPv6 network of 64 bits; 0 is no limit. Loopback has none, but "
        "for proxies there that are not believed.",
        json_schema_extra={"unit": "requests a minute"},
    )
    rate_limit_key_per_minute: int = Field(
        0, ge=0, description="Requests with one key; 0 is no limit.", json_schema_extra={"unit": "requests a minute"}
    )
    rate_limit_failed_keys_per_minute: int = Field(
        30,
        ge=0,
        description="Unknown keys that one address may try before no key of it is taken for a while; 0 is no limit.",
        json_schema_extra={"unit": "requests a minute"},
    )
    rate_limit_redis_url: Annotated[SecretStr | None, AfterValidator(_redis_url)] = Field(
        None,
        description="A Redis in which several instances count together; without it each process counts for itself.",
        json_schema_extra={"unit": "redis://…"},
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="Form of the log: JSON, a line each, or text; by itself text on a terminal, else JSON."
    )
    seed: bool = Field(default=True, description="Load the first timeline when a start finds none.")

    @field_validator("database_url", "direct_database_url", "migration_database_url")
    @classmethod
    def _as_url(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(normalized_url(value.get_secret_value()))


def is_loopback(host: str) -> bool:
    """Tell whether an address, by number or as `localhost`, is this machine's own and reached by nobody else."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


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
        nearest = get_close_matches(given, Settings.model_fields, n=1, cutoff=_LIKENESS)
        meant = f"did you mean {variable(nearest[0])}?" if nearest else "`dateline settings` lists those that there are"
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
