"""The address of a network interface, to which shards and workers bind."""

import contextlib
import fcntl
import socket
import struct

from ssasync.store.errors import InterfaceUnknown

__all__ = ["address_of_interface"]

_SIOCGIFADDR = 0x8915  # netdevice(7): the IPv4 address of an interface
_IFNAMSIZ = 16


def address_of_interface(name: str) -> str:
    """The IPv4 address of `name`, such as `127.0.0.1` for `lo`.

    Raises InterfaceUnknown, which names those of this machine.
    """
    address = _address(name)
    if address is None:
        known = {other: _address(other) for _, other in socket.if_nameindex()}
        raise InterfaceUnknown(name, {other: found for other, found in known.items() if found is not None})
    return address


def _address(name: str) -> str | None:
    encoded = name.encode()
    if not 0 < len(encoded) < _IFNAMSIZ:
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        # struct ifreq: the name, then a sockaddr_in whose address lies at 20.
        answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("16s24x", encoded))
        return socket.inet_ntoa(answer[20:24])
    return None
