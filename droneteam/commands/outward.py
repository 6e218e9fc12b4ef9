"""Connections to addresses that people have typed: looked up once, judged, and then connected to.

A name may lead anywhere, and elsewhere a second later (DNS rebinding); what is judged is therefore
the address, and the connection goes to that very one.  Private networks are where a police force's
own servers stand and are reached; what no server of anybody's has is not: link-local addresses,
under which clouds hand out their keys, multicast, and this machine under another name.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from droneteam.errors import LinkError
from droneteam.webhooks import LOOPBACK

_NAT64 = IPv6Network("64:ff9b::/96")
_TRIES = 4
"""Addresses of one name that are tried in turn, as browsers do for a name with several."""


def open_connection(
    scheme: str, host: str, port: int | None, timeout_s: float
) -> http.client.HTTPConnection:
    """A connection that is made when it is first used, and then to an address that was judged."""
    if scheme == "https":
        return _Secure(host, port, timeout=timeout_s, context=ssl.create_default_context())
    return _Plain(host, port, timeout=timeout_s)


@contextmanager
def within(connection: http.client.HTTPConnection, limit_s: float) -> Iterator[None]:
    """A block that ends in time, whatever the other side does.

    A socket's own timeout begins again with every byte: one that comes every nine seconds would
    keep whoever waits for a whole answer for ever.
    """

    def cut() -> None:
        if connection.sock is not None:
            with suppress(OSError):  # closed at this moment by its own thread
                # Not the TLS layer's own, which another thread is reading through.
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    timer = threading.Timer(limit_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Plain(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = _socket(self.host, self.port, self.timeout)


class _Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        plain = _socket(self.host, self.port, self.timeout)
        secure: ssl.SSLContext = self._context  # type: ignore[attr-defined]
        try:
            self.sock = secure.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def _socket(host: str, port: int, timeout_s: float | None) -> socket.socket:
    """A socket to the first address of the host that answers.

    Raises
    ------
    LinkError
        One of its addresses is none that anybody may be told something at.
    OSError
        None of them answers.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise LinkError(f"{host!r} is no name of a server: {error}") from error
    addresses = list(dict.fromkeys(str(row[4][0]) for row in found))
    for address in addresses:
        if problem := problem_of(address, host):
            raise LinkError(f"{host} leads to {address}: {problem}")
    problems: list[OSError] = []
    for address in addresses[:_TRIES]:
        try:
            return socket.create_connection((address, port), timeout_s)
        except OSError as error:
            problems.append(error)
    raise problems[0]


def problem_of(address: str, host: str) -> str:
    """Why nothing is sent to that address, "" when it may be; host : as it was typed."""
    plain = _plain(address)
    if plain.is_loopback:
        return "" if host in LOOPBACK else "this machine, which only its own names may mean"
    if plain.is_link_local:
        return "a link-local address"
    if plain.is_multicast or plain.is_unspecified or plain == IPv4Address("255.255.255.255"):
        return "no address of one server"
    if isinstance(plain, IPv4Address) and plain.packed[0] == 0:
        return "no address of one server"
    return ""


def _plain(address: str) -> IPv4Address | IPv6Address:
    """The address; the IPv4 one that it is written around, where there is one."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv4Address):
        return found
    if found in _NAT64:
        return IPv4Address(found.packed[-4:])
    return found.ipv4_mapped or found.sixtofour or found
