"""A bound on how long code of the user's may take that we run for him, and that may never end."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECONDS = 2.0  # that a method of the user's may take
_AGAIN = 0.1  # seconds: who catches it gets it again
enabled = False  # whether this process is a worker: its timer and signals are ours to use


class TookTooLong(BaseException):  # no Exception: users' code catches these
    """It was ended."""


class Alarm:
    """Ends what takes too long within its with-block, by an exception.

    It uses the process's timer, and so works in a worker only, and in its main thread; elsewhere it
    does nothing.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._before: Any = None

    def __enter__(self) -> None:
        if not enabled:
            return
        import signal

        try:
            handler = signal.signal(signal.SIGALRM, _end)
        except ValueError:  # not the main thread
            return
        self._before = handler, signal.setitimer(signal.ITIMER_REAL, self._seconds, _AGAIN)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            import signal

            handler, timer = self._before
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
            signal.setitimer(signal.ITIMER_REAL, *timer)


def _end(*_: object) -> None:
    raise TookTooLong(f"it took longer than {SECONDS:g} s")
