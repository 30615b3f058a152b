"""Every exception that Interstate raises of its own, split by whose fault it is.

A call's own exception is never wrapped: it arrives as itself.  What is here says that a host, a
worker or the way to them failed, or that an exception could not be brought home.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from typing import TYPE_CHECKING, Any

from .remote.errors import InterstateError as InterstateError
from .remote.errors import PythonVersionError as PythonVersionError
from .remote.errors import RemoteError as RemoteError

if TYPE_CHECKING:
    from .hosts import Host


class HostError(InterstateError):
    """A host could not be used.

    Args:
        message: What happened, by which way the host was reached, and what to do.
        host: The host that it happened on.
        reason: What happened, in words that are the same for every host that it happens to;
            default: the message's first line, without the host and the way to it in front.
    """

    def __init__(self, message: str, host: Host | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.host = host
        self._reason = reason

    @property
    def reason(self) -> str:
        """What happened, in few words, without the host and the way to it."""
        return self._reason or _without_host(str(self), str(self.host))


def _without_host(message: str, host: str) -> str:
    """`host: what` and `host (way): what`, without what comes before `what`."""
    rest = message.partition("\n")[0].removeprefix(host)
    return re.sub(r"^(?: \([^()]*\))?: ", "", rest)


class ConnectError(HostError):
    """No connection: the name does not resolve, the port is refused, or nothing answered."""


class AuthenticationError(HostError):
    """The host is there, and accepted none of the keys and passwords that we had for it."""


class HostKeyError(HostError):
    """The host's key is unknown or has changed, so nothing was sent to it."""


class BootError(HostError):
    """We could log in, but no Python that can run our agent was found, or something else ran."""


class PackagesError(HostError):
    """Packages that a host should get cannot be had for it, or there is no room for them on it."""


class HostLost(HostError, BrokenExecutor):
    """A host was lost: its agent ended, or there was no way back to it in time."""


class HostMemoryError(HostError, MemoryError):
    """A host has no room for what a call needs, neither in memory nor for temporary files."""


class FileTransferError(HostError, OSError):
    """A file could not be brought to a host, or back from it; the message names it."""


class WorkerDied(InterstateError, BrokenExecutor):
    """The process that ran a call ended before the call did.

    Args:
        message: What happened, and on which host.
        host: The host that it happened on.
        exit_status: The process's exit status; negative: the number of the signal that ended it.
        stack: Where each of its Python threads was, as `faulthandler` writes it, when it crashed:
            by SIGSEGV, SIGABRT, SIGBUS, SIGFPE or SIGILL. Its files have the names that they have
            over there. "" if it did not crash, or if a call had `faulthandler` write elsewhere.
        out_of_memory: Whether it was killed for want of memory. True: the kernel tells of such a
            kill at that time. None: it was ended by SIGKILL, and nothing tells why. False: it
            ended in another way.
    """

    def __init__(
        self,
        message: str,
        host: Host | None = None,
        exit_status: int | None = None,
        stack: str = "",
        out_of_memory: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.host = host
        self.exit_status = exit_status
        self.stack = stack
        self.out_of_memory = out_of_memory

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n\n{self.stack}" if self.stack else message


class _CallStopped(InterstateError):
    """A call was stopped while it ran.

    Its `__cause__` is how it ended then: a KeyboardInterrupt, whose traceback says where it was,
    or a WorkerDied, if it did not end by itself.

    Args:
        message: What happened, and on which host.
        host: The host that it happened on.
    """

    def __init__(self, message: str, host: Host | None = None) -> None:
        super().__init__(message)
        self.host = host


class CallTimeout(_CallStopped, TimeoutError):
    """A call ran for longer than its `timeout` allows, and was stopped.

    Its `__cause__` is how it ended then: a KeyboardInterrupt, whose traceback says where it was,
    or a WorkerDied, if it did not end by itself.
    """


class CallTerminated(_CallStopped, CancelledError):
    """A call that was running was stopped by `RemoteFuture.terminate`.

    Its `__cause__` is how it ended then, as with CallTimeout.
    """


class ExecuteError(InterstateError, ExceptionGroup[Exception]):
    """Some of the hosts of an `execute` failed: one exception for each of them, in host order.

    Attributes:
        results: What each host returned, in host order; its exception where it failed.
    """

    results: list[Any]

    def __new__(
        cls, message: str, exceptions: Sequence[Exception], results: Sequence[Any] = ()
    ) -> ExecuteError:
        self = super().__new__(cls, message, exceptions)
        self.results = list(results)
        return self

    def __init__(
        self, message: str, exceptions: Sequence[Exception], results: Sequence[Any] = ()
    ) -> None:
        super().__init__(message, exceptions)

    def derive(self, excs: Sequence[Exception]) -> ExecuteError:  # type: ignore[override]
        return ExecuteError(self.message, excs, self.results)


class BrokenSSHExecutor(InterstateError, BrokenExecutor):
    """No call can run any more: no host is left, or the initializer has failed.

    Args:
        message: Each host and why it is not there.
        errors: For each host, as text, the exception that it was lost by.
    """

    def __init__(self, message: str, errors: Mapping[str, Exception] | None = None) -> None:
        super().__init__(message)
        self.errors = dict(errors or {})
