"""The one error of backups."""

from __future__ import annotations

SPREAD = (
    "The tables are spread over a cluster, of which this makes and takes no backup: Citus has its own way, a base "
    "backup of each server and a restore point for all (citus_create_restore_point)."
)


class BackupError(Exception):
    """Say why there is no backup, or why nothing was restored; `str()` is for whoever runs the service."""
