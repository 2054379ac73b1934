"""The addresses an installation listens on, taken before anything else so that a clash is told at once."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from volbal.common.errors import Refused


def sockets_bind(*, host: str, port: int) -> list[socket.socket]:
    """Bind every address of `host` (for localhost usually two); they listen once the server starts.

    Port 0 takes any free port. Raises Refused when the port is taken or the host is not this machine's.
    """
    bound: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            number = bound[0].getsockname()[1] if bound else port
            bound.append(_bind(family, address, number))
    except OSError as error:
        for one in bound:
            one.close()
        raise _refusal(error, host, port) from error
    return bound


def _addresses(host: str, port: int) -> Sequence[tuple[socket.AddressFamily, str]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))
    usable = [one for one in addresses if _is_usable(*one)]
    # Where none can be used, the attempt to bind the first one says why.
    return usable or addresses[:1]


def _is_usable(family: socket.AddressFamily, address: str) -> bool:
    """Tell whether this machine has the address; many name ::1 for localhost and have IPv6 switched off."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((address, port))
        # A bound socket that does not listen yet lets a second process bind too; a listening one does not.
        one.listen(socket.SOMAXCONN)
    except OSError:
        one.close()
        raise
    return one


def _refusal(error: OSError, host: str, port: int) -> Refused:
    if error.errno == errno.EADDRINUSE:
        return Refused(
            f"Port {port} of {host} is taken by another program.",
            code="port_taken",
            hint=f"Stop that program, or choose another port: make run PORT={port + 1}",
        )
    if error.errno == errno.EACCES:
        return Refused(
            f"Port {port} may not be used without special rights.",
            code="port_forbidden",
            hint="Choose one above 1023: make run PORT=8000",
        )
    return Refused(
        f"Nothing can listen on {host}, port {port} ({error.strerror or error}).",
        code="address_unusable",
        hint="Expected a name or address of this machine, such as localhost: make run HOST=localhost",
    )
