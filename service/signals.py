"""What a signal does to a command."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unwound_by_sigterm() -> Iterator[None]:
    """Have SIGTERM do for this block what Ctrl-C does, so that nothing half stays behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
