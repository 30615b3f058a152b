"""The addresses of this computer, as the C library's `getifaddrs` tells them."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

_IS_UP = 1  # IFF_UP, on all systems


@dataclass(frozen=True, slots=True)
class Own:
    """An address of ours.

    Args:
        interface: The name of the interface that has it.
        address: The address.
        scope: For an IPv6 address that means something on its link only: which link; else 0.
    """

    interface: str
    address: IPv4Address | IPv6Address
    scope: int = 0


class _Entry(ctypes.Structure):
    """The beginning of a `struct ifaddrs`, which is the same everywhere."""


_Entry._fields_ = [
    ("next", ctypes.POINTER(_Entry)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.c_void_p),
]


def addresses() -> list[Own]:
    """Return the addresses of all interfaces that are up, in the system's order.

    Raises:
        OSError: The system does not tell them.
    """
    library = ctypes.CDLL(None, use_errno=True)
    first = ctypes.POINTER(_Entry)()
    if library.getifaddrs(ctypes.byref(first)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        return [own for entry in _entries(first) for own in _own(entry)]
    finally:
        library.freeifaddrs(first)


def source(interface: str, family: int) -> tuple[object, ...]:
    """Return the address to connect from, as a socket's `bind` takes it.

    As with ssh, one that leads no further than this computer or its link comes last.

    Raises:
        OSError: The interface has none of that family.
    """
    version = 6 if family == socket.AF_INET6 else 4
    found = [
        own for own in addresses() if own.interface == interface and own.address.version == version
    ]
    if not found:
        raise OSError(f"the interface {interface} has no IPv{version} address")
    best = min(found, key=lambda own: own.address.is_loopback or own.scope != 0)
    return (str(best.address), 0) if version == 4 else (str(best.address), 0, 0, best.scope)


def _entries(pointer: ctypes._Pointer[_Entry]) -> Iterator[_Entry]:
    while pointer:
        yield pointer.contents
        pointer = pointer.contents.next


def _own(entry: _Entry) -> Iterator[Own]:
    if not entry.address or not entry.flags & _IS_UP:
        return
    family = _family(ctypes.string_at(entry.address, 2))
    if family == socket.AF_INET:
        yield Own(os.fsdecode(entry.name), IPv4Address(ctypes.string_at(entry.address, 8)[4:]))
    elif family == socket.AF_INET6:
        raw = ctypes.string_at(entry.address, 28)
        scope = int.from_bytes(raw[24:], sys.byteorder)
        yield Own(os.fsdecode(entry.name), IPv6Address(raw[8:24]), scope)


def _family(begin: bytes) -> int:
    """The family of a `struct sockaddr`; on the BSDs and macOS its length comes before it."""
    return int.from_bytes(begin, sys.byteorder) if sys.platform == "linux" else begin[1]
