"""How a key is written: `dl_`, a prefix that names it, and 256 secret bits with a checksum.

The prefix may be shown in logs and histories; it says nothing of the secret. The checksum tells a key that was cut off
or mistyped without asking the store, and lets scanners of secrets be sure of a find.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from string import ascii_letters, ascii_lowercase, digits

MARK = "dl_"
_PREFIX_ALPHABET = digits + ascii_lowercase
_PREFIX_CHARACTERS = 10
_ALPHABET = digits + ascii_letters
_SECRET_BITS = 256
_SECRET_CHARACTERS = 43  # 62 ** 43 > 2 ** 256
_CHECK_CHARACTERS = 6  # 62 ** 6 > 2 ** 32
PREFIX_PATTERN = rf"^{MARK}[0-9a-z]{{{_PREFIX_CHARACTERS}}}$"
_FORM = re.compile(
    rf"({MARK}[0-9a-z]{{{_PREFIX_CHARACTERS}}})_[0-9A-Za-z]{{{_SECRET_CHARACTERS}}}([0-9A-Za-z]{{{_CHECK_CHARACTERS}}})"
)


def new_key() -> str:
    """Make a key; it is never made again."""
    prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(_PREFIX_CHARACTERS))
    text = f"{MARK}{prefix}_{_base62(secrets.randbits(_SECRET_BITS), _SECRET_CHARACTERS)}"
    return text + _checksum(text)


def prefix_of(key: str) -> str | None:
    """Give the prefix of a key; None for a text that no key was ever written as."""
    found = _FORM.fullmatch(key)
    if found is None or _checksum(key[:-_CHECK_CHARACTERS]) != found[2]:
        return None
    return found[1]


def digest(key: str) -> bytes:
    """Give what is kept of a key: SHA-256 of its text. With 256 random bits in it, no slow hash is called for."""
    return hashlib.sha256(key.encode()).digest()


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECK_CHARACTERS)


def _base62(number: int, characters: int) -> str:
    written = ""
    for _ in range(characters):
        number, digit = divmod(number, len(_ALPHABET))
        written = _ALPHABET[digit] + written
    return written
