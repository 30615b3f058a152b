"""Tells how far the packages for hosts have come, by lines on the standard error."""

from __future__ import annotations

import threading
import time

from .output import write

_PAUSE = 1.0  # seconds between lines on how much has been sent to a host


class Progress:
    """Where it is told, if anywhere.

    Args:
        shown: Whether anything is written.
    """

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._lock = threading.Lock()  # so that lines are whole, and guards the next
        self._due: dict[str, float] = {}

    def tell(self, whose: object, what: str) -> None:
        """Something has begun, or is done.

        Args:
            whose: A host, or the platform that hosts have in common.
            what: Something like "resolving".
        """
        if self._shown:
            with self._lock:
                self._due[str(whose)] = time.monotonic() + _PAUSE
                write("stderr", f"[interstate] {whose}: {what}\n")

    def sent(self, whose: object, done: int, total: int) -> None:
        """So many bytes of so many have been sent to a host; not each time is told."""
        if done == total:
            self.tell(whose, "unpacking")
        elif self._shown and time.monotonic() >= self._due.get(str(whose), 0.0):
            self.tell(whose, f"sent {megabytes(done)} of {megabytes(total)}")


def megabytes(size: int) -> str:
    """A number of bytes, for people."""
    return f"{size / 1e6:.1f} MB"
