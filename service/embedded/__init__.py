"""The PostgreSQL that comes along: found, set up, started and stopped with the service.

EmbeddedPostgres    the supervisor: `start()` answers the URL, `stop()` ends it cleanly
running_url         where the one answers that another process has started
EmbeddedError       why it could not start, in words for whoever runs the service
tell_full           whether it ended, or did not start, since the disk is full
"""

from __future__ import annotations

from service.embedded.binaries import find_programs
from service.embedded.errors import EmbeddedError
from service.embedded.room import tell_full
from service.embedded.server import EmbeddedPostgres, running_url

__all__ = ["EmbeddedError", "EmbeddedPostgres", "find_programs", "running_url", "tell_full"]
