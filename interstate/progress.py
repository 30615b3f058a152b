"""Tells on the standard error how many hosts are up, and how far their packages have come."""

from __future__ import annotations

import threading
import time

from .output import erase, show, write

_PAUSE = 1.0  # seconds between lines on how much has been sent to a host
_OFTEN, _SELDOM = 0.1, 5.0  # seconds between numbers of hosts: on a terminal, and elsewhere


class Progress:
    """Where it is told, if anywhere.

    Args:
        shown: Whether anything is written.
    """

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._lock = threading.Lock()  # so that lines are whole, and guards the next
        self._due: dict[str, float] = {}
        self._hosts_due = 0.0

    def connecting(self, up: int, failed: int, hosts: int) -> None:
        """So many hosts have been connected to, and so many could not be; not each time is told.

        On a terminal that is one line, which is written anew.
        """
        if not self._shown:
            return
        with self._lock:
            last, now = up + failed == hosts, time.monotonic()
            if last or now >= self._hosts_due:
                told = f", {failed} failed" if failed else ""
                text = f"[interstate] {up} of {hosts} hosts are up{told}"
                self._hosts_due = now + (_OFTEN if show(text, last) else _SELDOM)

    def step_aside(self) -> None:
        """Somebody else is to write to the terminal."""
        if self._shown:
            with self._lock:
                erase()

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
