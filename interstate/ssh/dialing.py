"""Connecting over TCP as ssh_config says: from which address of ours, and how often to try."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ConnectError
from . import interfaces
from .deadline import Deadline
from .resolving import Addresses, own_address
from .settings import Settings
from .trouble import BusyError, WayError
from .wires import Socket, Wire

_PAUSE = 1.0  # seconds between two attempts, as ssh
_DEAD_AFTER = 60  # seconds without an answer after which the kernel gives a connection up
_AWAY = (
    *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN),
    *(errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL),  # such as IPv6, where this computer has none
)
_NO_ROUTE = (
    "No way leads there from here: is the network up, or a VPN needed? Or name the head node that "
    "leads to it as via=."
)
_NO_SSHD = "Is sshd running there, and is that its port?"


def dial(
    settings: Settings,
    addresses: Addresses,
    deadline: Deadline,
    ended: Callable[[float], bool],
    begin: Callable[[Socket], None],
) -> Wire:
    """Connect to a host directly over TCP, as often as ConnectionAttempts says.

    Args:
        settings: What holds for the host.
        addresses: Where it is; each is tried.
        deadline: When to give up.
        ended: Waits so many seconds; returns whether all is to end meanwhile.
        begin: Given each socket before it connects: shutting it down ends that.

    Raises:
        WayError: Its port is refused, or nothing answers, the last time.
        BusyError: It hung up on us.
    """
    tried = 0
    while True:
        try:
            return _connect(settings, addresses, deadline, begin)
        except WayError:
            tried += 1
            late = deadline.remaining() <= _PAUSE
            if tried >= settings.attempts or late or ended(_PAUSE):
                raise


def _connect(
    settings: Settings,
    addresses: Addresses,
    deadline: Deadline,
    begin: Callable[[Socket], None],
) -> Wire:
    limit = deadline.within(settings.connect_timeout)
    failures: list[OSError] = []
    for i, found in enumerate(addresses):
        try:
            share = limit.within(limit.remaining() / (len(addresses) - i))
            return _connect_to(found, settings, share, begin)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            failures.append(error)
    names = [address[0] for *_, address in addresses]
    raise _unreachable(settings, limit, names, max(failures, key=_weight, default=None))


def _connect_to(
    found: Any, settings: Settings, limit: Deadline, begin: Callable[[Socket], None]
) -> Wire:
    """Connect to one address, as socket.getaddrinfo has it."""
    family, kind, protocol, _, address = found
    wire = Socket(family, kind, protocol)
    try:
        begin(wire)
        _bind(wire, settings, limit)
        wire.settimeout(max(limit.remaining(), 0.001))
        wire.connect(address)
        _tune(wire, alive=settings.tcp_alive)
    except BaseException:
        wire.close()
        raise
    return wire


def _bind(wire: Socket, settings: Settings, limit: Deadline) -> None:
    """Have it come from the address that BindAddress names, or else BindInterface."""
    if settings.bind is not None:
        wire.bind(own_address(settings.bind, wire.family, limit))
    elif settings.interface is not None:
        wire.bind(interfaces.source(settings.interface, wire.family))


def _weight(failure: OSError) -> int:
    """How much a failure tells of a host: of several addresses, we may have no way to some."""
    if isinstance(failure, TimeoutError):
        return 1
    if failure.errno in _AWAY or failure.errno is None or isinstance(failure, socket.gaierror):
        return 0  # the latter two: we have no address of that family to connect from
    return 2


def _unreachable(
    settings: Settings, limit: Deadline, names: Sequence[str], failure: OSError | None
) -> WayError | BusyError:
    several = f" ({', '.join(names)})" if len(names) > 1 else ""
    where = f"{settings.address}{several} port {settings.port}"
    if isinstance(failure, ConnectionResetError):
        return BusyError("the connection was reset")
    if isinstance(failure, TimeoutError):
        return WayError(
            ConnectError,
            f"{where} gave no answer within {limit.seconds:.3g} s",
            "Is it up, and does no firewall stand between? If so, give it more time, "
            "or name the head node that leads to it as via=.",
            "no answer in time",
        )
    reason = (failure.strerror or str(failure)) if failure else "it has no address"
    ours = settings.bind or settings.interface
    if ours is not None:
        return WayError(
            ConnectError,
            f"cannot connect to {where} from {ours}: {reason}",
            "See BindAddress and BindInterface in ssh_config: they must name an address of this "
            "computer, or an interface that has one, that leads there.",
            f"cannot connect to it from {ours}: {reason}",
        )
    return WayError(
        ConnectError,
        f"cannot connect to {where}: {reason}",
        _NO_ROUTE if isinstance(failure, OSError) and failure.errno in _AWAY else _NO_SSHD,
        reason[:1].lower() + reason[1:],
    )


def _tune(wire: Socket, *, alive: bool) -> None:
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not alive:
        return
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", 30),
        ("TCP_KEEPINTVL", 10),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", _DEAD_AFTER * 1000),
    ):
        if hasattr(socket, option):  # not on every system
            wire.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
