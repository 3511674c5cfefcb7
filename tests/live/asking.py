"""Ask a service as httpx does, with the patience that a busy machine takes."""

from __future__ import annotations

from functools import partial

import httpx

PATIENCE_SECONDS = 60
get = partial(httpx.get, timeout=PATIENCE_SECONDS)
post = partial(httpx.post, timeout=PATIENCE_SECONDS)
client = partial(httpx.Client, timeout=PATIENCE_SECONDS)
