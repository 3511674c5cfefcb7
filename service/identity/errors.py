"""What can go wrong with a token."""

from __future__ import annotations


class TokenRefusedError(Exception):
    """Say why a token opens nothing; `str()` never repeats any of it."""


class IssuerUnreachableError(Exception):
    """Say that the issuer, without whose keys no token can be judged, does not answer."""
