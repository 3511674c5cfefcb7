"""What an issuer publishes: where its keys are (OpenID Connect Discovery 1.0), and the keys (RFC 7517)."""

from __future__ import annotations

import json
import urllib.request
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWTError

from service.identity.errors import IssuerUnreachableError

_TIMEOUT_SECONDS = 5.0
_MOST_BYTES = 1_000_000
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow nothing: what an issuer publishes is where it says that it is."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Take the redirect as the answer, which is then an error."""


# without a proxy from the environment: whoever stands in between could answer for the issuer's keys
_opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def is_secure(url: str) -> bool:
    """Tell whether an address is asked over TLS, or on this machine alone."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def fetch_keys(issuer: str) -> dict[str | None, PyJWK]:
    """Read the keys that an issuer signs with now, by their `kid`. Raises IssuerUnreachableError."""
    found = _fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    # section 4.3: whoever else answers there speaks for another
    if found.get("issuer") != issuer:
        raise IssuerUnreachableError("the issuer calls itself otherwise than its setting does")
    address = found.get("jwks_uri")
    if not isinstance(address, str) or not is_secure(address):
        raise IssuerUnreachableError("the issuer names no address of its keys that can be trusted")
    try:
        keys = PyJWKSet.from_dict(_fetch(address)).keys
    except (PyJWTError, TypeError, ValueError, AttributeError) as error:
        raise IssuerUnreachableError("the issuer's keys cannot be read") from error
    return {key.key_id: key for key in keys if key.public_key_use in (None, "sig")}


def _fetch(url: str) -> dict[str, Any]:
    try:
        # the address is the operator's own setting, or that issuer's word, and is_secure
        answer: HTTPResponse
        with _opener.open(url, timeout=_TIMEOUT_SECONDS) as answer:
            content = answer.read(_MOST_BYTES + 1)
        found = json.loads(content) if len(content) <= _MOST_BYTES else None
    except (OSError, HTTPException, ValueError) as error:
        raise IssuerUnreachableError("the issuer does not answer as one") from error
    if not isinstance(found, dict):
        raise IssuerUnreachableError("the issuer does not answer as one")
    return found
