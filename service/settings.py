"""What an operator may set, from the environment (`DATELINE_…`); units stand in the names."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings of one process: read once at the start, then never changed."""

    model_config = SettingsConfigDict(
        env_prefix="DATELINE_", env_file=None, frozen=True, extra="ignore", env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    workers: int = Field(1, ge=1, le=64, description="Server processes; one a core is a good start.")
    data: Path = Field(
        Path("data"), description="Folder of the embedded PostgreSQL; unused with a database URL."
    )
    database_url: SecretStr | None = Field(
        None, description="An external PostgreSQL (15 to 18); without it an embedded one is started."
    )
    pool_size: int = Field(8, ge=1, le=512, description="Database connections of each server process.")
    statement_timeout_seconds: float = Field(
        5.0, gt=0, le=3600, description="Time after which the database gives up a statement."
    )
    write_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Secret that writing needs, as a bearer token; without it only loopback may write.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    seed: bool = Field(default=True, description="Load the first timeline when a start finds none.")
