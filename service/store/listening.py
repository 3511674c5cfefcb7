"""Hear of changes as they are committed; whoever cannot hear must look now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import NoReturn

import psycopg
from psycopg import AsyncConnection

from service.store.changes import CHANNEL

logger = logging.getLogger("dateline.listening")

_CONNECT_SECONDS = 5
_RECONNECT_SECONDS = 5.0
_PROBE_SECONDS = 30.0  # a connection that was silent so long is asked whether it lives


async def listen(url: str, heard: Callable[[], None]) -> NoReturn:
    """Call `heard` whenever something changes, until cancelled.

    Over a connection of its own: behind a pooler that lends connections by the transaction nothing is heard.
    """
    while True:
        try:
            async with await AsyncConnection.connect(
                url, autocommit=True, connect_timeout=_CONNECT_SECONDS, application_name="dateline worker"
            ) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                heard()  # of what was said while nobody listened
                while True:
                    async for _ in connection.notifies(timeout=_PROBE_SECONDS):
                        heard()
                    async with asyncio.timeout(_CONNECT_SECONDS):
                        await connection.execute("SELECT 1")
        except (psycopg.Error, TimeoutError) as error:
            logger.info("not listening for changes, but looking: %s", str(error).partition("\n")[0])
        await asyncio.sleep(_RECONNECT_SECONDS)
