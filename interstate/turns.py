"""Turns: few do something at a time, and those that take long keep nobody waiting."""

from __future__ import annotations

import threading
import time

LONG = 2.0  # seconds, after which a place is free again though its holder goes on
_UNUSUAL = 4  # times what it takes others: so long at least, for all are slow on a busy computer
_LEARN = 0.2  # how much one that is done counts against those before it


class Turns:
    """Some places, to be held in with-statements; each thread holds one at most.

    A with-statement's `as` is how long it takes others, seconds; 0 while nobody was done.

    Its mutable state: who is inside, since when, and how long it took those who are done.

    Args:
        places: How many there are.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._changed = threading.Condition()  # guards the next; notified when a place is free
        self._since: dict[int, float] = {}  # thread -> when, with a place; the longest first
        self._late: dict[int, float] = {}  # likewise, of those whose places are free again
        self._usual = 0.0  # seconds

    def __enter__(self) -> float:
        with self._changed:
            while self._taken():
                oldest = next(iter(self._since.values()))
                self._changed.wait(oldest + self._long() - time.monotonic())
            self._since[threading.get_ident()] = time.monotonic()
            return self._usual

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        thread = threading.get_ident()
        with self._changed:
            had_place = thread in self._since
            since = self._since.pop(thread) if had_place else self._late.pop(thread)
            if kind is None:  # else it says nothing of how long it takes
                taken = time.monotonic() - since
                self._usual += _LEARN * (taken - self._usual) if self._usual else taken
            if had_place:
                self._changed.notify()

    def _taken(self) -> bool:
        """Whether all places are, now that those who took long are not counted any more."""
        due = time.monotonic() - self._long()
        for thread in [thread for thread, since in self._since.items() if since <= due]:
            self._late[thread] = self._since.pop(thread)
        return len(self._since) >= self._places

    def _long(self) -> float:
        return max(LONG, _UNUSUAL * self._usual)
