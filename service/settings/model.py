"""What an operator may set; units stand in the names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.database_url import normalized_url
from service.settings.values import Addresses, Origins, redis_url

PREFIX = "DATELINE_"


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
    read_database_url: SecretStr | None = Field(
        None,
        description="A streaming replica of the same PostgreSQL, for reads while it can serve them. Where there is a "
        "direct database URL, this one may lead through such a pooler, too.",
    )
    replica_wait_seconds: float = Field(
        0.5,
        ge=0,
        le=60,
        description="Time that a read waits for the replica to come as far as its Dateline-Position says; then it goes "
        "to the primary.",
        json_schema_extra={"unit": "seconds"},
    )
    replica_lag_seconds: float = Field(
        10.0,
        gt=0,
        description="How far behind a replica may be and still be read.",
        json_schema_extra={"unit": "seconds"},
    )
    migration_database_url: SecretStr | None = Field(
        None,
        description="The same database as a role that owns the schema: migrations run as that one, and the role of "
        "the database URL is granted no more than serving takes.",
    )
    distributed: Literal["citus"] | None = Field(
        None,
        description="`citus` spreads the tables over the servers of the Citus cluster whose coordinator the database "
        "URL names, each timeline whole on one of them.",
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
    drain_seconds: float = Field(
        0.0,
        ge=0,
        le=300,
        description="Time for which a service that was told to stop is not ready, and serves on: as long as a load "
        "balancer takes to notice.",
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
    rate_limit_redis_url: Annotated[SecretStr | None, AfterValidator(redis_url)] = Field(
        None,
        description="A Redis in which several instances count together; without it each process counts for itself.",
        json_schema_extra={"unit": "redis://…"},
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="Form of the log: JSON, a line each, or text; by itself text on a terminal, else JSON."
    )
    seed: bool = Field(default=True, description="Load the first timeline when a start finds none.")

    @field_validator("database_url", "direct_database_url", "migration_database_url", "read_database_url")
    @classmethod
    def _as_url(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(normalized_url(value.get_secret_value()))
