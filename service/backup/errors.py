"""The one error of backups."""

from __future__ import annotations


class BackupError(Exception):
    """Say why there is no backup, or why nothing was restored; `str()` is for whoever runs the service."""
