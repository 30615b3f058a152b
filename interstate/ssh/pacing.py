"""How many connections are made at once, and how long to wait before the next attempt.

sshd drops new connections at random once 10 wait to log in (MaxStartups 10:30:100), so fewer than
that go to one sshd: few at first, more while it lets us in, and fewer when it turns us away, for
others may be connecting to it as well.  Firewalls drop what asks for a connection too often; the
kernel then asks again after a second, so what takes that long is done by fewer at once.  A crowd
of handshakes at once only takes turns on this computer's processor.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ConnectError
from ..hosts import Host
from .deadline import Deadline
from .places import Line, Places
from .settings import Settings
from .trouble import BusyError, HopLostError, WayError

_AT_FIRST, _PER_SERVER = 4, 8
_AT_SERVER = (
    2.0  # seconds; what a ProxyCommand leads to may never answer, and its hop has let us in
)
_DIALLED_FIRST, _DIALLED = 16, 32
_SLOW = 0.9  # seconds: a connection that took longer was asked for more than once
_DIALLING = 1.3  # seconds, in which what was asked for a second time has had its answer
_AGAIN = 3.5  # seconds: then we ask anew, in our turn; the kernel would only after ever longer
_CROWD = 64
_CROWD_SECONDS = 2.0  # then we go ahead: servers that never answer must not keep others waiting
PAUSES = 0.05, 1.0  # seconds between attempts: the first and the longest
_COMMAND = "ProxyCommand"


class Pacing:
    """Its mutable state: the lines at each server and for asking for one, a semaphore for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: defaultdict[object, Line] = defaultdict(_at_server)
        self._commands = Line(Places(_AT_FIRST, _PER_SERVER, _AT_SERVER))
        self._dialling = Line(Places(_DIALLED_FIRST, _DIALLED, _DIALLING))
        self._crowd = threading.Semaphore(_CROWD)

    @contextmanager
    def slot(
        self, settings: Settings, chain: tuple[Host, ...], deadline: Deadline
    ) -> Iterator[None]:
        """Hold one of the few places for those who have not yet logged in to one server.

        How that ends says how many there are to be from now on.

        Raises:
            WayError: Nobody else was done with it in time.
        """
        with self._lock:
            server = _server(settings, chain)
            line = self._commands if server is _COMMAND else self._servers[server]
        ticket = _place_in(line, deadline)
        got_in = None
        try:
            yield
            got_in = True
        except HopLostError:
            raise
        except BusyError:
            got_in = False
            raise
        finally:
            line.give_back(ticket, got_in)

    @contextmanager
    def dialling(self, deadline: Deadline, asked: int) -> Iterator[float]:
        """Hold one of the places for those who have asked for a TCP connection.

        Args:
            deadline: When to give up.
            asked: How often we have asked so far.

        Returns:
            After how many seconds to leave and ask anew.

        Raises:
            WayError: As by `slot`.
        """
        ticket = _place_in(self._dialling, deadline)
        began, quick = time.monotonic(), None
        try:
            yield patience(self._dialling.places, asked)
            quick = time.monotonic() - began < _SLOW
        finally:
            self._dialling.give_back(ticket, quick)

    @contextmanager
    def crowd(self, deadline: Deadline) -> Iterator[None]:
        """Hold a place in the crowd, or go ahead without when that takes too long."""
        held = deadline.within(_CROWD_SECONDS).acquire(self._crowd)
        try:
            yield
        finally:
            if held:
                self._crowd.release()

    def close(self) -> None:
        """Send everybody away who waits for a place."""
        with self._lock:
            lines = [*self._servers.values(), self._commands, self._dialling]
        for line in lines:
            line.close()


def _server(settings: Settings, chain: tuple[Host, ...]) -> object:
    """What tells one sshd from another, as far as we can know."""
    if settings.command and not chain:
        return _COMMAND  # most likely they all lead over one head node
    is_here = settings.address.startswith("127.") or settings.address == "localhost"
    return chain, "127" if is_here else settings.address, settings.port


def _at_server() -> Line:
    return Line(Places(_AT_FIRST, _PER_SERVER))


def _place_in(line: Line, deadline: Deadline) -> int:
    ticket = line.take(deadline)
    if ticket is None:
        raise WayError(
            ConnectError,
            f"its turn to connect did not come: none of those before it had an answer within "
            f"{deadline.seconds:.3g} s",
            "Few connections to one server are begun at once. Give it more time.",
            "its turn to connect did not come in time",
        )
    return ticket


def patience(places: Places, asked: int) -> float:
    """How long to wait for a connection before asking anew, in our turn, seconds.

    Where others had to be asked for again, this may have been dropped more than once; else whom we
    ask is most likely not there, and need not be asked often.

    Args:
        places: Those of who ask.
        asked: How often we have asked so far.
    """
    seconds = _AGAIN if places.limit < _DIALLED_FIRST else _AGAIN * 2.0**asked
    return seconds * random.uniform(0.7, 1.3)  # noqa: S311  # what was dropped together parts
