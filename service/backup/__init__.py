"""Backups: the whole store in one file, and back again, by PostgreSQL's own programs.

back_up      write the file, of pg_dump's custom format, while the service goes on
put_back     load one into a database, all or nothing, in another epoch of the change feed
BackupError  why that cannot be, in words for whoever runs the service
"""

from __future__ import annotations

from service.backup.dump import back_up
from service.backup.errors import BackupError
from service.backup.restore import is_backup, put_back

__all__ = ["BackupError", "back_up", "is_backup", "put_back"]
