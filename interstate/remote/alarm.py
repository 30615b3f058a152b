"""A bound on how long code of the user's may take that we run for him, and that may never end."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

SECONDS = 2.0  # of the processor's time that a method of the user's may take
LONGEST = 10.0  # seconds that it may take if it waits for something
_TICK = 0.1  # seconds
enabled = False  # whether this process is a worker: its timer and signals are ours to use
_uncounted: set[CodeType] = set()  # of functions


class TookTooLong(BaseException):  # no Exception: users' code catches these
    """It was ended."""


def uncounted(function: F) -> F:
    """Have what waits within a function take as long as it takes; a decorator."""
    _uncounted.add(function.__code__)
    return function


class Alarm:
    """Ends what takes too long within its with-block, by an exception.

    Time is counted in ticks: one in which the computer stands still, or the process does not get
    to run, is one tick however long it is.

    It uses the process's timer, and so works in a worker only, and in its main thread; elsewhere it
    does nothing.
    """

    def __init__(self) -> None:
        self._before: Any = None
        self._ticks = 0
        self._began = 0.0

    def __enter__(self) -> None:
        if not enabled:
            return
        import signal

        try:
            handler = signal.signal(signal.SIGALRM, self._tick)
        except ValueError:  # not the main thread
            return
        self._began = time.thread_time()
        self._before = handler, signal.setitimer(signal.ITIMER_REAL, _TICK, _TICK)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            import signal

            handler, timer = self._before
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
            signal.setitimer(signal.ITIMER_REAL, *timer)

    def _tick(self, _: int, frame: FrameType | None) -> None:
        """Count, and end it if it is time; who catches that gets it again with the next tick."""
        while frame is not None:
            if frame.f_code in _uncounted:
                return
            frame = frame.f_back
        self._ticks += 1
        if time.thread_time() - self._began > SECONDS:
            raise TookTooLong(f"it took more than {SECONDS:g} s of the processor's time")
        if self._ticks * _TICK > LONGEST:
            raise TookTooLong(f"it took longer than {LONGEST:g} s")
