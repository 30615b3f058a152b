"""Hops: which lead to a host, and one connection to each, shared by all hosts behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from ..errors import ConnectError
from ..hosts import Host
from .deadline import Deadline
from .settings import Settings
from .transport import Transport
from .trouble import BusyError, WayError

Chain = tuple[Host, ...]
_LONGEST = 32  # hops; a longer chain is a loop in which no host is named twice


class Hops:
    """The connections to hops, by the chain that ends in them.  Its mutable state: these.

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
        self._open: dict[Chain, Future[Transport]] = {}

    def chain(self, host: Host) -> Chain:
        """Return the hops to go over to a host, in order.

        As with ssh, the ProxyJump of the first hop applies to it; those of later ones do not.  A
        host that is itself one of the `via` is reached over those before it.

        Raises:
            WayError: The hops lead in a circle.
        """
        if host in self._via:
            chain = self._via[: self._via.index(host)]
        else:
            chain = self._via or self._settings(host).jumps
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

    def transport(self, chain: Chain, deadline: Deadline) -> Transport:
        """Return the connection to the last hop of a chain; whoever comes first opens it.

        Raises:
            WayError: It cannot be opened, or not in time.
        """
        with self._lock:
            future = self._open.get(chain)
            mine = future is None or _is_dead(future)
            if future is None or mine:
                future = self._open[chain] = Future()
        if mine:
            self._fill(chain, future, deadline)
        return _outcome(future, chain[-1], deadline)

    def _fill(self, chain: Chain, future: Future[Transport], deadline: Deadline) -> None:
        try:
            future.set_result(self._connect(chain[-1], chain[:-1], deadline))
        except BaseException as error:
            with self._lock:  # those who wait get the error; the next one tries again
                self._open.pop(chain, None)
            future.set_exception(error)
            if not isinstance(error, Exception):
                raise


def _is_dead(future: Future[Transport]) -> bool:
    return future.done() and not future.result().is_active()


def _outcome(future: Future[Transport], hop: Host, deadline: Deadline) -> Transport:
    def settled(timeout: float) -> bool:
        try:
            return future.exception(timeout) is None or True
        except TimeoutError:
            return False

    if not deadline.until(settled):
        raise BusyError(f"the connection to its hop {hop} was not there in time")
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, WayError):
        what = f"its hop {hop} cannot be used: {error.what}"
        raise WayError(error.kind, what, error.advice) from error
    raise WayError(
        ConnectError, f"its hop {hop} cannot be used: {error!r}", "Try again."
    ) from error


def _circle(hosts: list[Host]) -> WayError:
    return WayError(
        ConnectError,
        f"ProxyJump leads in a circle: {' needs '.join(map(str, hosts))}",
        "Give the hop that is to be reached directly a `ProxyJump none` of its own in ssh_config.",
    )
