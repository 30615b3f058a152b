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


def own_address(name: str, family: int, deadline: Deadline) -> Any:
    """Return the address that BindAddress names, as a socket's `bind` takes it.

    Raises:
        OSError: It names none of that family, or could not be looked up in time.
    """
    found = _in_time(name, 0, family, deadline)
    if found is None:
        raise OSError(f"its name was looked up in vain for {deadline.seconds:.3g} s")
    if isinstance(found, Exception):
        raise found if isinstance(found, OSError) else OSError(str(found))
    return found[0][4]


def _in_time(name: str, port: int, family: int, deadline: Deadline) -> Addresses | Exception | None:
    """Look a name up; the system's resolver knows no deadline, so it is left to itself then."""
    if _is_address(name):
        return _look_up(name, port, family)
    answers: list[Addresses | Exception] = []
    done = threading.Event()

    def look_up() -> None:
        answers.append(_look_up(name, port, family))
        done.set()

    threading.Thread(target=look_up, name=f"look up {name}", daemon=True).start()
    return answers[0] if deadline.wait(done) else None


def _resolve(settings: Settings, deadline: Deadline) -> Addresses:
    answer = _in_time(settings.address, settings.port, settings.family, deadline)
    if answer is None:
        raise _UnresolvedError(
            ConnectError,
            f"its name {settings.address!r} was looked up in vain for {deadline.seconds:.3g} s",
            "Does this computer's name server answer? See `getent hosts NAME`; or give its address "
            "as HostName in ssh_config.",
            "the look-up of the name gave no answer in time",
        )
    return _found(settings, answer)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def _look_up(name: str, port: int, family: int) -> Addresses | Exception:
    try:
        return socket.getaddrinfo(name, port, family, socket.SOCK_STREAM)
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
