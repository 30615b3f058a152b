"""How many may be at something at once: as many as is found to go well.  Pure but for Line.

Who waits in a Line is not late: a server that lets few in at a time, or slowly, costs time, but no
host.  The wait ends when those before get no answer any more.
"""

from __future__ import annotations

import itertools
import math
import threading
import time

from .deadline import Deadline

_SHORTEST = 0.05  # seconds: while somebody is asked, no time is left or lost: not in a tight loop
_FEWER = 0.7  # what each failure multiplies their number by; as many successes add one


class Places:
    """The places, and how many of them there are to be.  Time is passed in.

    Args:
        first: How many there are before anything is known.
        most: How many there may be.
        young: Seconds after which who holds a place counts no more: a place is for who may yet be
            a burden, and who never gets an answer must not keep others waiting.

    Attributes:
        limit: How many there are; its fraction is for the next.
    """

    def __init__(self, first: int, most: int, young: float = math.inf) -> None:
        self.limit = float(first)
        self._most = most
        self._young = young
        self._tickets = itertools.count()
        self._since: dict[int, float] = {}  # ticket -> when it was taken; the oldest first

    def free_at(self, now: float) -> float:
        """When there is a place, as things are: `now`, later, or never (infinity)."""
        counted = [since for since in self._since.values() if now < since + self._young]
        too_many = len(counted) - int(self.limit)
        return now if too_many < 0 else counted[too_many] + self._young

    def take(self, now: float) -> int:
        """Take a place; return the ticket to give it back with."""
        ticket = next(self._tickets)
        self._since[ticket] = now
        return ticket

    def give_back(self, ticket: int, well: bool | None) -> None:
        """Leave.

        Args:
            ticket: What `take` returned.
            well: Whether it went well; None: it says nothing of how many are well at once.
        """
        del self._since[ticket]
        if well:
            self.limit = min(self.limit + 1 / self.limit, self._most)
        elif well is False:
            self.limit = max(self.limit * _FEWER, 1.0)


class Line:
    """Threads that wait for places.

    Attributes:
        places: What they wait for.
    """

    def __init__(self, places: Places) -> None:
        self.places = places
        self._answered = 0  # how many had a place, and were let in or turned away
        self._closed = False
        self._changed = threading.Condition()  # guards both

    def take(self, deadline: Deadline) -> int | None:
        """Wait for a place, at the deadline's expense only if nothing moves.

        Returns:
            The ticket of a place; None if nobody had an answer in the time that was left, or there
            are to be no more.
        """
        with self._changed:
            while (free := self.places.free_at(now := time.monotonic())) > now:
                before, left = self._answered, deadline.remaining()
                self._changed.wait(min(max(left, _SHORTEST), free - now))
                if self._closed:
                    return None
                if self._answered != before or time.monotonic() >= free:
                    deadline.postpone(left - deadline.remaining())
                elif not deadline.remaining():
                    self._changed.notify()  # it may be that this thread was just told
                    return None
            return self.places.take(now)

    def give_back(self, ticket: int, well: bool | None) -> None:
        """Leave, as from `Places`."""
        with self._changed:
            self.places.give_back(ticket, well)
            self._answered += well is not None
            self._changed.notify(2)  # there may be one more place than before

    def close(self) -> None:
        """Send everybody away who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
