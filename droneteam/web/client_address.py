"""Whose request it is, behind proxies that are known; pure.

Anybody can write X-Forwarded-For.  It is read from its end, where our own proxies write, and only
as far as the hops are ours: the first that is not is who asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
_IPV6_SITE_BITS = 64
"""One customer's line: who has one address of it has them all."""


def client_of(peer: str | None, forwarded: Iterable[str], proxies: Sequence[Network]) -> str:
    """The address that limits count; of IPv6 the network of 64 bits.

    peer : the other end of the connection; forwarded : the X-Forwarded-For headers, in order;
    proxies : whose word is taken
    """
    asker = peer or ""
    hops = [hop.strip() for header in forwarded for hop in header.split(",")]
    while hops and _is_one_of(asker, proxies):
        before = hops.pop()
        if _address(before) is None:
            break
        asker = before
    return _counted(asker)


def _is_one_of(text: str, networks: Sequence[Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _counted(text: str) -> str:
    address = _address(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), _IPV6_SITE_BITS), strict=False))
    return text if address is None else str(address)
