"""What every command needs: the settings of the environment, and the exit codes."""

from __future__ import annotations

import os

import typer
from pydantic import ValidationError

from service import serving
from service.settings import Settings, complaints, unknown_variables

EXIT_FAILED = 1
EXIT_USAGE = 2


def read_settings() -> Settings:
    """Read the environment, or end with what is wrong with it; what nothing reads is told too, and ends nothing."""
    for remark in unknown_variables(os.environ):
        typer.echo(f"dateline: {remark}", err=True)
    try:
        found = Settings()
    except ValidationError as error:
        for complaint in complaints(error):
            typer.echo(f"dateline: {complaint}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    serving.configure_logging(found)
    return found
