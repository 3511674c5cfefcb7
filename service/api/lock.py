"""A lock on an answer that is kept and tells a secret: the store alone cannot open it."""

from __future__ import annotations

import json
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12  # NIST SP 800-38D, section 8.2.2
_KEY_BYTES = 32
_PURPOSE = b"dateline: a kept answer"


class Lock:
    """A lock that whoever knows all its words opens: AES-256-GCM under a key derived from them (RFC 5869)."""

    def __init__(self, *words: str) -> None:
        derived = HKDF(SHA256(), _KEY_BYTES, salt=None, info=_PURPOSE).derive(json.dumps(words).encode())
        self._cipher = AESGCM(derived)

    def close(self, content: bytes) -> bytes:
        """Lock a content."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, None)

    def open(self, locked: bytes) -> bytes:
        """Give back a content. Raises cryptography.exceptions.InvalidTag where the words are others."""
        return self._cipher.decrypt(locked[:_NONCE_BYTES], locked[_NONCE_BYTES:], None)
