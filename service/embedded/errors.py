"""The one error of the embedded PostgreSQL."""

from __future__ import annotations


class EmbeddedError(Exception):
    """Say why the embedded PostgreSQL cannot run; `str()` is for whoever runs the service."""
