"""Looking up names, with an end to it; again, where that may help."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable
from typing import Any

from ..errors import ConnectError
from .deadline import Deadline
from .settings import Settings
from .trouble import WayError

Addresses = list[Any]
"""As socket.getaddrinfo returns them."""

_PAUSE = 1.0  # seconds until a name is looked up again


class _UnresolvedError(WayError):
    """A name could not be looked up, which may be otherwise in a moment."""


def resolve(settings: Settings, deadline: Deadline, ended: Callable[[float], bool]) -> Addresses:
    """Return the addresses of a host, in the order to try them.

    Where the name server says to ask again, as it does when many ask at once, that is done once.

    Args:
        settings: What holds for the host.
        deadline: When to give up.
        ended: Waits so many seconds; returns whether all is to end meanwhile.

    Raises:
        WayError: The name is unknown, has no address of the family that ssh_config wants, or could
            not be looked up in time.
    """
    try:
        return _resolve(settings, deadline)
    except _UnresolvedError:
        if deadline.remaining() <= _PAUSE or ended(_PAUSE):
            raise
    return _resolve(settings, deadline)


def _resolve(settings: Settings, deadline: Deadline) -> Addresses:
    """Look a name up; the system's resolver knows no deadline, so it is left to itself then."""
    if _is_address(settings.address):
        return _found(settings, _look_up(settings))
    answers: list[Addresses | Exception] = []
    done = threading.Event()

    def look_up() -> None:
        answers.append(_look_up(settings))
        done.set()

    threading.Thread(target=look_up, name=f"look up {settings.address}", daemon=True).start()
    if not deadline.wait(done):
        raise _UnresolvedError(
            ConnectError,
            f"its name {settings.address!r} was looked up in vain for {deadline.seconds:.3g} s",
            "Does this computer's name server answer? See `getent hosts NAME`; or give its address "
            "as HostName in ssh_config.",
            "the look-up of the name gave no answer in time",
        )
    return _found(settings, answers[0])


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def _look_up(settings: Settings) -> Addresses | Exception:
    try:
        return socket.getaddrinfo(
            settings.address, settings.port, settings.family, socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as error:
        return error


def _found(settings: Settings, answer: Addresses | Exception) -> Addresses:
    if not isinstance(answer, Exception):
        return answer
    reason = (isinstance(answer, OSError) and answer.strerror) or str(answer)
    kind = _UnresolvedError if _is_passing(answer) else WayError
    raise kind(
        ConnectError,
        f"its name {settings.address!r} cannot be resolved: {reason}{_of_family(settings)}",
        _advice(settings, answer),
        f"the name cannot be resolved: {reason}",
    ) from answer


def _is_passing(error: Exception) -> bool:
    return isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN


def _of_family(settings: Settings) -> str:
    if settings.family == socket.AF_UNSPEC:
        return ""
    six = settings.family == socket.AF_INET6
    return f" (AddressFamily inet{'6' * six}: only an address of IPv{6 if six else 4} will do)"


def _advice(settings: Settings, error: Exception) -> str:
    if _is_passing(error):
        return "Is this computer on the network, and does its name server answer?"
    if settings.family != socket.AF_UNSPEC:
        return "Check the spelling, or have AddressFamily any in ssh_config."
    return "Check the spelling, or give its HostName in ssh_config."
