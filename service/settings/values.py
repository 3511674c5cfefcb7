"""What settings are made of: addresses, networks, origins, lists of them."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode


def _listed(value: object) -> object:
    """Take apart what stands in one variable, separated by commas."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _network(value: str) -> str:
    """Take an address or a network."""
    try:
        ip_network(value)
    except ValueError:
        raise ValueError("is neither an address nor a network, such as 10.0.0.0/8") from None
    return value


def _origin(value: str) -> str:
    """Take an origin as browsers write it (RFC 6454, section 6.2)."""
    if value != "*" and not _ORIGIN.fullmatch(value):
        raise ValueError("is no origin, such as https://a.example: scheme, host and port, and nothing after it")
    return value


def redis_url(value: SecretStr | None) -> SecretStr | None:
    """Take a Redis URL."""
    if value is not None and not value.get_secret_value().startswith(_REDIS_SCHEMES):
        raise ValueError(f"is no Redis URL: it starts with none of {', '.join(_REDIS_SCHEMES)}")
    return value


_REDIS_SCHEMES = ("redis://", "rediss://")
_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:-]+")
Addresses = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_listed)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_listed)]


def is_loopback(host: str) -> bool:
    """Tell whether an address, by number or as `localhost`, is this machine's own and reached by nobody else."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
