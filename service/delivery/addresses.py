"""Which addresses of the internet a request may go to: those that any stranger could reach as well.

After the registries of special-purpose addresses (RFC 6890; IANA), written out, since Python's own idea of what is
private differs from release to release. What embeds an IPv4 address is judged by that.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_REFUSED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network; 0.0.0.0 itself is the own machine
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's translation; some clouds' metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # public by its number, in fact the host of a virtual machine in Azure
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
    )
)
# Outside of global unicast nothing is reached (loopback, link-local, unique local, site-local, multicast, …).
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: given up (RFC 7526), and leads to any IPv4 address
        "3fff::/20",  # documentation
    )
)
# Where IPv4 stands inside IPv6, in the last 32 bits: mapped (RFC 4291), and translated (RFC 6052), which is how a
# network without IPv4 reaches the rest.
_EMBEDDING_V4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
_LAST_32_BITS = 0xFFFF_FFFF


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address belongs to the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None:
        return False
    if any(address in network for network in _EMBEDDING_V4):
        return is_public(IPv4Address(int(address) & _LAST_32_BITS))
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)
