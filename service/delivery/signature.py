"""Signatures of Standard Webhooks 1.0 (https://www.standardwebhooks.com), the symmetric scheme `v1`."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
_KEY_BYTES = 32  # the specification wants 24 to 64


def new_key() -> bytes:
    """Make a key to sign with."""
    return secrets.token_bytes(_KEY_BYTES)


def shown_key(key: bytes) -> str:
    """Write a key as a receiver takes it: base64 behind `whsec_`."""
    return PREFIX + base64.b64encode(key).decode()


def sign(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Give the value of `webhook-signature`: one signature a key, over `id.timestamp.body`, apart by spaces.

    `timestamp` counts seconds since 1970; `message_id` contains no full stop.
    """
    content = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, content, 'sha256')).decode()}" for key in keys)
