"""Deadlines, on a clock that stands still while a person is typing a secret."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SHORTEST = 0.05  # while the clock stands still, waits end early: not in a tight loop
_LONGEST = 3600.0  # locks refuse an infinite timeout


class Clock:
    """Monotonic time less the time that a person was being asked for something."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stood = 0.0
        self._since: float | None = None

    def now(self) -> float:
        with self._lock:
            return (time.monotonic() if self._since is None else self._since) - self._stood

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the clock; one at a time, which is the caller's to see to."""
        with self._lock:
            self._since = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._stood += time.monotonic() - self._since
                self._since = None


class Deadline:
    """A moment on a Clock, and waits that end there.

    Args:
        clock: The clock that it is read from.
        seconds: How far ahead the moment is.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock.now() + seconds

    def remaining(self) -> float:
        """Return the seconds left, never less than 0."""
        return max(0.0, self._end - self._clock.now())

    def within(self, seconds: float | None) -> Deadline:
        """Return this deadline, or the one in so many seconds if that is sooner."""
        if seconds is None or seconds >= self.remaining():
            return self
        return Deadline(self._clock, seconds)

    def wait(self, event: threading.Event) -> bool:
        """Wait for an event; return whether it came in time."""
        return self.until(event.wait)

    def acquire(self, lock: threading.Lock | threading.Semaphore) -> bool:
        """Wait for a lock; return whether it was free in time."""
        return self.until(lambda timeout: lock.acquire(timeout=timeout))

    def until(self, attempt: Callable[[float], bool]) -> bool:
        """Repeat an attempt, given the seconds that it may take; return whether one succeeded."""
        seconds = self.remaining()
        while not attempt(min(seconds, _LONGEST)):
            if not self.remaining():
                return False
            seconds = max(self.remaining(), _SHORTEST)
        return True
