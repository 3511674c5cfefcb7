"""A command that is killed, or told to end, in the midst of its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psycopg


def kill_once_it_wrote(database_url: str, *arguments: str, number: int = signal.SIGKILL) -> int:
    """Run the command, send it a signal as soon as the database has an event, and give its exit code."""
    command = [sys.executable, "-m", "service", *arguments]
    process = subprocess.Popen(command, env=os.environ | {"DATELINE_DATABASE_URL": database_url})
    with psycopg.connect(database_url, autocommit=True) as connection:
        deadline = time.monotonic() + 60
        while connection.execute("SELECT count(*) FROM event").fetchone() == (0,):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        return process.wait(60)
