"""Deadlines, on a clock that stands still while a person is typing a secret."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_BEGUN = 0.049  # seconds that may have gone by: with them, it rounds to the tenth it was before
_GRACE = 0.3  # seconds: who sees a deadline by itself needs no help
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

    Attributes:
        seconds: That, to the next tenth, to be told: what was asked for began a moment earlier.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.seconds = round(seconds + _BEGUN, 1) if seconds > _BEGUN else seconds
        self._clock = clock
        self._end = clock.now() + seconds

    def remaining(self) -> float:
        """Return the seconds left, never less than 0."""
        return max(0.0, self._end - self._clock.now())

    def postpone(self, seconds: float) -> None:
        """Move this deadline: so many seconds are not to count."""
        self._end += seconds

    def within(self, seconds: float | None) -> Deadline:
        """Return this deadline, or the one in so many seconds if that is sooner."""
        if seconds is None or seconds >= self.remaining():
            return self
        return Deadline(self._clock, seconds)

    def wait(self, event: threading.Event) -> bool:
        """Wait for an event; return whether it came in time."""
        return self.until(event.wait)

    @contextmanager
    def watched(self, late: Callable[[], object], name: str) -> Iterator[None]:
        """Have something done on a thread of its own if this comes before the with-block ends.

        It is to end what waits in there and knows no deadline.
        """
        done = threading.Event()

        def watch() -> None:
            if not self.wait(done) and not done.wait(_GRACE):
                late()

        threading.Thread(target=watch, name=name, daemon=True).start()
        try:
            yield
        finally:
            done.set()

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
