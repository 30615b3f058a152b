"""The local handle of a call."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, _base
from types import TracebackType
from typing import Any, Protocol, TypeVar, cast

from .callbacks import Callbacks
from .hosts import Host
from .printed import Printed
from .tracebacks import Site, as_it_came

T = TypeVar("T")
STDOUT, STDERR = 1, 2
_HEARING = 1.0  # seconds that users' code may take to handle what a call logged, before its result


class Owner(Protocol):
    """Whom a Future tells, and whose threads it uses."""

    callbacks: Callbacks
    is_elsewhere: bool  # this is a forked child of the process that has its threads
    output_limit: int | None  # bytes that are kept of what a call prints

    def cancelled(self, call: int) -> None:
        """A Future was cancelled."""

    def revoke(self, future: RemoteFuture[Any], *, wait: bool = True) -> None:
        """Cancel a call that was sent, unless it has started."""

    def stop(self, future: RemoteFuture[Any]) -> None:
        """Stop a call."""

    def check_process(self) -> None:
        """Raise a RuntimeError in a forked child, where nothing would ever happen."""


class _Condition:
    """A condition variable that is small until somebody waits: there may be very many of them."""

    __slots__ = ("_full", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._full: threading.Condition | None = None  # made by who waits first, with that lock

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def acquire(self) -> None:
        self._lock.acquire()

    def release(self) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        if self._full is None:
            self._full = threading.Condition(self._lock)
        return self._full.wait(timeout)

    def notify_all(self) -> None:
        if self._full is not None:
            self._full.notify_all()


class RemoteFuture(Future[T]):
    """A Future of a call that runs on a host.

    Attributes:
        host: The Host that the call runs or ran on; None until it is sent to one.
        started_at: When it started, as Unix time in seconds, by this computer's clock; None until
            that is known.
        finished_at: When it ended, likewise.
        attempts: How often it was sent to a host, and not returned from there unstarted.
    """

    host: Host | None = None
    started_at: float | None = None
    finished_at: float | None = None
    attempts: int = 0
    heard: threading.Event | None = None  # set when users' code was told what it logged
    site: Site | None = None  # where it was submitted
    _traceback: TracebackType | None = None  # as the exception came with: raising makes it grow
    _printed: Printed | None = None  # made when the call prints

    def __init__(self, call: int, owner: Owner) -> None:
        # What Future.__init__ sets; the Condition that it makes is a quarter of what a call costs.
        self._condition = cast(threading.Condition, _Condition())
        self._state = _base.PENDING
        self._result: T | None = None
        self._exception: BaseException | None = None
        self._waiters: list[Any] = []
        self._done_callbacks: list[Callable[[Future[T]], object]] = []
        self.call = call  # its number
        self._owner = owner

    @property
    def stdout(self) -> str:
        """What the call has written to its standard output so far, as text."""
        return self.stdout_bytes.decode(errors="replace")

    @property
    def stderr(self) -> str:
        """What the call has written to its standard error so far, as text."""
        return self.stderr_bytes.decode(errors="replace")

    @property
    def output(self) -> str:
        """What the call has written to both so far, in the order in which it wrote it, as text."""
        return self.output_bytes.decode(errors="replace")

    @property
    def stdout_bytes(self) -> bytes:
        """What the call has written to its standard output so far, as it wrote it."""
        return self._written_to(STDOUT)

    @property
    def stderr_bytes(self) -> bytes:
        """What the call has written to its standard error so far, as it wrote it."""
        return self._written_to(STDERR)

    @property
    def output_bytes(self) -> bytes:
        """What the call has written to both so far, in the order in which it wrote it."""
        return self._written_to(STDOUT, STDERR)

    def result(self, timeout: float | None = None) -> T:
        """Return what the call returned, or raise what it raised."""
        __tracebackhide__ = True  # who shows a traceback may leave this frame out
        error = self.exception(timeout)
        if error is None:
            return cast(T, self._result)
        try:
            raise as_it_came(error, self._traceback, self.site, sys._getframe())
        finally:
            del self, error  # the traceback leads to this frame

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the call raised, or None."""
        if self._owner.is_elsewhere and not self.done():
            self._owner.check_process()
        error = super().exception(timeout)
        heard = self.heard  # which another thread that asks may be about to forget
        if heard is not None and not self._owner.callbacks.owns(threading.current_thread()):
            heard.wait(_HEARING)
            self.heard = None
        return error

    def set_exception(self, exception: BaseException | None) -> None:
        """Settle it; only who runs the call does so."""
        if exception is not None:
            self._traceback = exception.__traceback__
        super().set_exception(exception)

    def cancel(self) -> bool:
        """Cancel the call if it has not started; return whether it is cancelled.

        Where it waits on a host, that is asked to return it, and its answer waited for, two seconds
        at most.
        """
        if not self.cancel_here() and self._may_wait_there():
            self._owner.revoke(self)
        return self.cancelled()

    def give_up(self) -> None:
        """Cancel the call if it has not started, without waiting to know whether it has."""
        if not self.cancel_here() and self._may_wait_there():
            self._owner.revoke(self, wait=False)

    def terminate(self) -> None:
        """Stop the call, if it has not ended, and what it has started; returns at once.

        If it runs, it is interrupted, as by Ctrl-C, and killed if it does not end within the grace
        of its executor.  The Future then raises CallTerminated, or returns what the call returned
        all the same.  If it has not started, it is cancelled.
        """
        if not self.cancel_here() and not self.done():
            self._owner.stop(self)

    def cancel_here(self) -> bool:
        """Cancel the call if it was not sent; return whether it is cancelled."""
        cancelled = super().cancel()
        if cancelled:
            self._owner.cancelled(self.call)
        return cancelled

    def _may_wait_there(self) -> bool:
        return self.started_at is None and not self.done()

    def __reduce__(self) -> Any:
        raise TypeError(
            "a Future cannot travel: what it waits for comes to this computer only; pass its "
            "result() to the call"
        )

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Call `fn` with this Future when it is done; at once when it is.

        `fn` runs on a thread of its own kind: it may submit calls and wait for their results.
        """
        adder = threading.current_thread()  # another may have its number later

        def call(future: Future[T]) -> None:
            if threading.current_thread() is adder:
                fn(future)
            else:
                self._owner.callbacks.run(lambda: fn(future))

        if not self.done():
            self._owner.callbacks.start()
        super().add_done_callback(call)

    def add_printed(self, stream: int, data: bytes) -> None:
        """Keep what the call has written."""
        if self._printed is None:
            self._printed = Printed(self._owner.output_limit)
        self._printed.add(stream, data)

    def wait_again(self) -> None:
        """Undo `set_running_or_notify_cancel`: the call has come back and was not started."""
        with self._condition:
            if self._state == _base.RUNNING:
                self._state = _base.PENDING
                self.host = None
                self.attempts -= 1

    def wait_anew(self) -> None:
        """Undo it: the call was begun, maybe, and will run again."""
        with self._condition:
            if self._state == _base.RUNNING:
                self._state = _base.PENDING
                self.host = self.started_at = None
                self._printed = None

    def _written_to(self, *streams: int) -> bytes:
        printed = self._printed
        return b"" if printed is None else printed.joined(streams)
