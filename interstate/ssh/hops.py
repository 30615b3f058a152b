"""Hops: which lead to a host, and the connections to them, shared by all hosts behind.

The first 128 hosts behind a hop share one connection, the next 128 another one, and so on: an sshd
looks at all channels of a connection whenever it wakes up, so each message through it takes as
long as there are many, and each channel is one of its 1,024 open files.  A hop at which a password
or a code was typed has one connection for all.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import NamedTuple

from ..errors import AuthenticationError, ConnectError
from ..hosts import Host
from .deadline import Deadline
from .settings import Settings
from .transport import Transport
from .trouble import BusyError, HopLostError, WayError

Chain = tuple[Host, ...]
SHARE = 128  # hosts that share a connection to their hop
REFUSED = 30.0  # seconds that a hop is not asked again which lets us in by none of our keys
LOST = 0.5  # seconds that a hop is not asked again that was there, and is not there now
_LONGEST = 32  # hops; a longer chain is a loop in which no host is named twice
_ANY = Host("any")
_Identity = tuple[Settings, ...]
_log = logging.getLogger(__name__)


class _Opening(NamedTuple):
    """A connection, once it is there."""

    seconds: float  # that whoever opens it has for it
    future: Future[Transport]

    @property
    def ended(self) -> bool:
        """Whether there was none, or it is lost."""
        return self.future.done() and self.transport is None

    @property
    def transport(self) -> Transport | None:
        """The connection, if it is there and alive."""
        there = self.future.done() and self.future.exception() is None
        return self.future.result() if there and self.future.result().is_active() else None


class _HopError(WayError):
    """What is wrong with a hop, which its error names."""


class Hops:
    """The connections to hops, by what holds for the hops on the way to them and for themselves.

    Two names of one hop are one, if user, port, keys and all else are the same.  Its mutable
    state: the connections, which there were before, which hosts there are behind each hop, which
    hops have but one, and which have refused us, or were not there, just now.

    Args:
        via: The hops to go over instead of a host's own ProxyJump.
        settings: Returns what holds for a host.
        connect: Connects to a host over a chain.
    """

    def __init__(
        self,
        via: Chain,
        settings: Callable[[Host], Settings],
        connect: Callable[[Host, Chain, Deadline], Transport],
    ) -> None:
        self._via = via
        self._settings = settings
        self._connect = connect
        self._lock = threading.Lock()
        self._open: dict[tuple[_Identity, int], _Opening] = {}
        self._behind: defaultdict[_Identity, dict[Host, int]] = defaultdict(dict)
        self._single: set[_Identity] = set()
        self._reached: set[tuple[_Identity, int]] = set()
        self._refused: dict[tuple[_Identity, int], float] = {}  # until when that holds for all

    def chain(self, host: Host) -> Chain:
        """Return the hops to go over to a host, in order.

        As with ssh, the ProxyJump of the first hop applies to it; those of later ones do not.  A
        host that is itself one of the `via` is reached over those before it.

        Raises:
            WayError: The hops lead in a circle.
        """
        place = self._via.index(host) if host in self._via else len(self._via)
        chain = self._via[:place] or self._settings(host).jumps
        seen = [host]
        while chain:
            if chain[0] in seen or len(chain) > _LONGEST:
                raise _circle([*seen, chain[0]])
            seen.append(chain[0])
            jumps = self._settings(chain[0]).jumps
            if not jumps:
                break
            chain = (*jumps, *chain)
        return chain

    def transport(self, chain: Chain, host: Host, deadline: Deadline) -> Transport:
        """Return a connection to the last hop of a chain, for a host behind it.

        Whoever comes first opens it.

        Raises:
            WayError: It cannot be opened, or not in time.
        """
        hops = self._identity(chain)
        first = self._shared((hops, 0), chain, deadline)
        with self._lock:
            behind = self._behind[hops]
            number = behind.setdefault(host, len(behind)) // SHARE
            alone = hops in self._single or not first.repeatable
        if not number or alone:
            return first
        try:
            return self._shared((hops, number), chain, deadline.within(deadline.remaining() / 2))
        except (WayError, BusyError) as error:
            _log.info("all hosts behind %s share its one connection: %s", chain[-1], error)
        with self._lock:
            if first.is_active() and (hops, number) not in self._reached:  # else the hop was lost
                self._single.add(hops)
        return first

    def close_silent(self, chain: Chain, seconds: float) -> None:
        """Close the connections to hops that do not answer any more, and so what is stuck in them.

        Args:
            chain: The hops.
            seconds: How long each may take to answer.
        """
        for place in range(1, len(chain) + 1):  # what goes over a silent one is silent as well
            hops = self._identity(chain[:place])
            with self._lock:
                openings = [opening for key, opening in self._open.items() if key[0] == hops]
            for transport in [opening.transport for opening in openings]:
                if transport is not None and not transport.responds(seconds):
                    transport.close()

    def _identity(self, chain: Chain) -> _Identity:
        return tuple(replace(self._settings(hop), host=_ANY) for hop in chain)

    def _shared(self, key: tuple[_Identity, int], chain: Chain, deadline: Deadline) -> Transport:
        while True:
            with self._lock:
                opening = self._open.get(key)
                refused = time.monotonic() < self._refused.get(key, 0.0)
                mine = opening is None or (opening.ended and not refused)
                if opening is None or mine:
                    opening = self._open[key] = _Opening(deadline.seconds, Future())
            if mine:
                self._fill(key, chain, opening.future, deadline)
            try:
                return _outcome(opening.future, chain[-1], deadline)
            except WayError as error:
                with self._lock:
                    was_there = (key[0], 0) in self._reached
                if error.kind is ConnectError and was_there:
                    raise HopLostError(error.reason) from error  # it was there: it may start again
                if error.kind is not ConnectError or opening.seconds >= deadline.seconds:
                    raise  # else there was less time for it than we have

    def _fill(
        self,
        key: tuple[_Identity, int],
        chain: Chain,
        future: Future[Transport],
        deadline: Deadline,
    ) -> None:
        try:
            transport = self._connect(chain[-1], chain[:-1], deadline)
            with self._lock:
                self._reached.add(key)
            future.set_result(transport)
        except BaseException as error:
            refused = isinstance(error, WayError) and error.kind is AuthenticationError
            with self._lock:  # who is refused once for each host is soon barred
                if refused or key in self._reached:
                    self._refused[key] = time.monotonic() + (REFUSED if refused else LOST)
            future.set_exception(error)  # those who wait get it, too; the next one tries again
            if not isinstance(error, Exception):
                raise


def _outcome(future: Future[Transport], hop: Host, deadline: Deadline) -> Transport:
    if not deadline.until(lambda seconds: bool(wait([future], seconds).done)):
        raise HopLostError(f"the connection to its hop {hop} was not there in time")
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, WayError):
        what, reason = error.what, error.reason
        if not isinstance(error, _HopError):  # else a hop before it is bad, which is to be named
            what, reason = (f"its hop {hop} cannot be used: {text}" for text in (what, reason))
        raise _HopError(error.kind, what, error.advice, reason) from error.__cause__
    raise _HopError(
        ConnectError, f"its hop {hop} cannot be used: {error!r}", "Try again."
    ) from error


def _circle(hosts: list[Host]) -> WayError:
    return WayError(
        ConnectError,
        f"ProxyJump leads in a circle: {' needs '.join(map(str, hosts))}",
        "Give the hop that is to be reached directly a `ProxyJump none` of its own in ssh_config.",
        "ProxyJump leads in a circle",
    )
