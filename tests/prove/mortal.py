"""A service that is killed and started again on the same data, while clients go on talking to it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import psutil

from tests.live.service import Service, start, wait_for_addresses


class Part(StrEnum):
    """What a kill takes, all with SIGKILL."""

    EVERYTHING = "the service, its workers and every process of PostgreSQL"
    SERVICE = "the service alone: its workers and PostgreSQL end by themselves"
    POSTMASTER = "PostgreSQL alone: the service ends by itself"


class Mortal:
    """The service with the embedded PostgreSQL on a folder; `base` is its present address."""

    def __init__(self, folder: Path, *, workers: int) -> None:
        self._folder = folder
        self._workers = workers
        self._service = self._start()

    @property
    def base(self) -> str:
        """Give where it listens, or last did."""
        return self._service.base

    @property
    def key(self) -> str:
        """Give a key that opens everything."""
        return self._service.key

    def kill(self, part: Part) -> None:
        """Kill a part of it, and wait until the service itself has gone."""
        service = self._service
        victims = {
            Part.EVERYTHING: [psutil.Process(service.process.pid), *service.descendants()],
            Part.SERVICE: [psutil.Process(service.process.pid)],
            Part.POSTMASTER: [service.postmaster()],
        }[part]
        for victim in victims:
            with suppress(ProcessLookupError):  # a backend may have ended by itself meanwhile
                os.kill(victim.pid, signal.SIGKILL)
        service.process.wait(30)

    def restart(self) -> None:
        """Start it anew, on the data that it left."""
        self._close()
        self._service = self._start()

    def stop(self) -> None:
        """End it as its operator would."""
        self._service.process.terminate()
        self._service.process.wait(30)
        self._close()

    def _start(self) -> Service:
        return wait_for_addresses(start(self._folder, workers=self._workers, seed="false"))

    def _close(self) -> None:
        if self._service.process.stdout is not None:
            self._service.process.stdout.close()
