"""The address that a webhook is sent to, read strictly: what two readers could take differently is refused.

A deliberate part of what RFC 3986 allows: ASCII only, no user, no fragment, a host that is a name or an address
written in the one canonical way. That leaves nothing for the resolver to interpret: `0x7f.1`, `127.1`, `2130706433`
and `0177.0.0.1` are refused here, for C libraries take them for 127.0.0.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

_FORM = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)?)",
    re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
# A name whose last label looks like a number is one to the C library's reading of addresses (inet_aton).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LEAST_FREE_PORT = 1024
_MOST_PORT = 65535
_MOST_HOST_CHARACTERS = 253


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a request goes: `host` is a name in lower case or an address without brackets, `target` path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Give the value of the `Host` header (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """Give the host as an address; None for a name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


def parse_endpoint(text: str) -> Endpoint:
    """Read a web address that requests may be sent to.

    Raises ValueError, which says what is wrong and never repeats the text: there may be a secret in it.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(
            "is no address that is sent to: http:// or https://, a host, a port if need be, a path and a query, in "
            "ASCII, without user name, password or fragment"
        )
    scheme = found["scheme"]
    host = _host(found["host"].lower())
    port = _DEFAULT_PORTS[scheme] if found["port"] is None else int(found["port"])
    if port not in _DEFAULT_PORTS.values() and not _LEAST_FREE_PORT <= port <= _MOST_PORT:
        raise ValueError("names a port that is not sent to: 80, 443, and 1024 to 65535 are")
    return Endpoint(scheme, host, port, found["target"] or "/")


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except ValueError:
            raise ValueError("has a host in brackets that is no IPv6 address") from None
    labels = text.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(text))
        except ValueError:
            raise ValueError("has a host that is neither a name nor an IPv4 address of four decimal numbers") from None
    if len(text) > _MOST_HOST_CHARACTERS or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("has a host that is no name: labels of letters, digits and hyphens, without a dot at the end")
    if labels[-1] == "localhost":
        raise ValueError("names the service's own machine")
    return text
