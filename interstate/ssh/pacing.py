"""How many connections are made at once, and how long to wait before the next attempt.

sshd drops new connections at random once 10 wait to log in (MaxStartups 10:30:100), so fewer than
that go to one sshd.  A crowd of handshakes at once only takes turns on this computer's processor.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ConnectError
from ..hosts import Host
from .deadline import Deadline
from .settings import Settings
from .trouble import WayError

_PER_SERVER = 8
_CROWD = 64
_CROWD_SECONDS = 2.0  # then we go ahead: servers that never answer must not keep others waiting
PAUSES = 0.05, 1.0  # seconds between attempts: the first and the longest


class Pacing:
    """Its mutable state: a semaphore for each server, and one for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: defaultdict[object, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(_PER_SERVER)
        )
        self._crowd = threading.Semaphore(_CROWD)

    @contextmanager
    def slot(
        self, settings: Settings, chain: tuple[Host, ...], deadline: Deadline
    ) -> Iterator[None]:
        """Hold one of the few places for those who have not yet logged in to one server.

        Raises:
            WayError: None was free in time.
        """
        with self._lock:
            slots = self._servers[_server(settings, chain)]
        if not deadline.acquire(slots):
            raise WayError(
                ConnectError,
                f"its turn to connect did not come within {deadline.seconds:.3g} s",
                f"At most {_PER_SERVER} connections to one sshd are begun at once, and those "
                "before it took long. Give it more time.",
            )
        try:
            yield
        finally:
            slots.release()

    @contextmanager
    def crowd(self, deadline: Deadline) -> Iterator[None]:
        """Hold a place in the crowd, or go ahead without when that takes too long."""
        held = deadline.within(_CROWD_SECONDS).acquire(self._crowd)
        try:
            yield
        finally:
            if held:
                self._crowd.release()


def _server(settings: Settings, chain: tuple[Host, ...]) -> object:
    """What tells one sshd from another, as far as we can know."""
    if settings.command and not chain:
        return "ProxyCommand"  # most likely they all lead over one head node
    is_here = settings.address.startswith("127.") or settings.address == "localhost"
    return chain, "127" if is_here else settings.address, settings.port
