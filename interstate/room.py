"""What the Pool knows of one host: its calls, how quick they are, and how many more it may have.

A call that ends is followed at once by another only if that one lies there already.  So calls queue
up on a host, as many as are worked off in two round trips, judged by how long calls took lately.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

COVER = 2  # round trips that are covered: at times one takes longer, and answers come in bursts
WINDOW = 0.01  # seconds of work that lie on a host besides
QUICKEST = 25e-6  # seconds: no host is taken to answer calls more often than this
DEEPEST = 10_000  # calls that queue on a host at most
GROWTH = 7  # calls more that may queue on a host for each quick one that comes back
PROBES = 8  # good measurements of the round trip after which those before count no more
LEARN = 0.2  # how much one call counts against those before it
SURPRISE = 4  # times what is usual: for no longer than this is a call taken, however long it is
MOMENT = 0.02  # seconds: an agent tells of a call that runs for longer
LONG = 0.5  # seconds: what calls are taken to need where some came back unasked


def depth(workers: int, seconds: float | None, round_trip: float) -> int:
    """How many calls to have on a host: one for each worker, and what covers the round trip.

    Args:
        workers: How many the host has.
        seconds: How long a call takes, lately; None: not known, so nothing queues there.
        round_trip: The time from here to there and back, seconds.
    """
    if seconds is None:
        return workers
    ahead = (COVER * round_trip + WINDOW) / max(seconds / workers, QUICKEST)
    return workers + int(min(ahead, DEEPEST))


@dataclass(slots=True, eq=False)
class HostState:
    """One host, by its index."""

    index: int
    up: bool = False
    away: bool = False  # it was up, and is expected back with all its calls
    was_up: bool = False  # ever; so it is tried again when it is lost
    up_since: float = 0.0
    failures: int = 0  # how often it was lost, or not reached again, lately
    workers: int = 0
    depth: int = 0  # how many calls it may have: beyond its workers, some for each quick call
    seconds: float | None = None  # a call's, lately
    round_trip: float = float("inf")  # the shortest seen lately
    running: set[int] = field(default_factory=set)  # the calls that were sent there
    own: deque[int] = field(default_factory=deque)  # calls that wait for this very host
    only: set[int] = field(default_factory=set)  # calls that run here and may run nowhere else
    risky: set[int] = field(default_factory=set)  # calls here that were lost with a host before
    long: set[int] = field(default_factory=set)  # calls that have been running for long
    probe: int | None = None  # the call by which the round trip is measured now
    probed: float = 0.0  # when that one was sent
    before_probe: int = 0  # how many calls were there then
    probes: int = 0  # good measurements, up to PROBES
    shortest: float = float("inf")  # round trip of these
    in_turns: bool = False  # it has a place in the Pool's `_turns`; likewise the next two
    in_queues: bool = False
    in_lenders: bool = False
    asked: bool = False  # it was asked to return calls, since any was sent there
    closing: bool = False  # it gets no more calls
    leaving: bool = False  # since somebody has it removed

    @property
    def free(self) -> int:
        """How many workers have nothing to do."""
        return self.workers - len(self.running) if self.up and not self.closing else 0

    @property
    def room(self) -> int:
        """How many calls more may be sent there."""
        if self.risky:  # nothing is to lie behind these when this host is lost, too
            return self.free
        takes_more = self.up and not self.closing and not self.stuck
        return self.depth - len(self.running) if takes_more else 0

    @property
    def stuck(self) -> bool:
        """Whether every worker is busy with a long call."""
        return len(self.long) >= self.workers

    @property
    def quick(self) -> bool:
        """Whether a call that runs for a moment is unusual."""
        return self.seconds is None or self.seconds < MOMENT

    @property
    def spare(self) -> int:
        """How many calls wait there that may run elsewhere."""
        return len(self.running) - max(self.workers, len(self.only)) if self.up else 0

    @property
    def worth_asking(self) -> bool:
        """Whether what waits there takes longer than it would to have it back."""
        seconds = max((self.seconds or 0.0) / self.workers, QUICKEST)
        return self.spare * seconds > self.round_trip

    def send(self, calls: list[int], now: float) -> None:
        """Note that calls are sent there."""
        if self.probe is None:
            self.probe, self.probed, self.before_probe = calls[0], now, len(self.running)
        self.running.update(calls)
        self.asked = False

    def remove(self, calls: list[int]) -> list[int]:
        """Note that calls are there no more; return those that were, till now."""
        running = self.running
        if not running.issuperset(calls):
            calls = [call for call in calls if call in running]
        running.difference_update(calls)
        if self.long:
            self.long.difference_update(calls)
        if self.risky:
            self.risky.difference_update(calls)
        if self.only:
            self.only.difference_update(calls)
        return calls

    def learn(self, calls: list[int], seconds: Sequence[float], now: float, more: bool) -> None:
        """Take in how long calls ran that are removed just now, and whether others wait."""
        count = len(seconds)
        usual = sum(seconds) / count
        if self.seconds is not None:
            usual = min(usual, SURPRISE * self.seconds)
            usual += (1 - LEARN) ** count * (self.seconds - usual)
        self.seconds = usual
        self._measure(calls, seconds, now)
        if more:
            self._plan(self.depth - self.workers + GROWTH * count)
        else:  # begin anew when nothing is left to do
            self._plan(self.depth - self.workers if self.running else 0)

    def _measure(self, calls: list[int], seconds: Sequence[float], now: float) -> None:
        if self.probe is None or self.probe in self.running:
            return
        if self.probe in calls:  # else it came back unanswered
            away = now - self.probed - seconds[calls.index(self.probe)]
            self._take_in(max(0.0, away))
        self.probe = None

    def _take_in(self, away: float) -> None:
        """A call came back after so many seconds, without those that it ran.

        It was on the way, or in a queue while others were on their way: what is longer shows.  So
        the round trip is no longer than that; and no shorter, where the queue was short.
        """
        self.round_trip = min(self.round_trip, away)
        ahead = max(0, self.before_probe + 1 - self.workers)
        if away > 2 * ahead * (self.seconds or 0.0) / self.workers:
            self.probes += 1
            self.shortest = min(self.shortest, away)
        if self.probes == PROBES:  # the way may have become longer
            self.round_trip, self.shortest, self.probes = self.shortest, float("inf"), 0

    def learn_that_calls_are_long(self) -> None:
        self.seconds = max(self.seconds or 0.0, LONG)
        self._plan(0)

    def _plan(self, ahead: int) -> None:
        """Queue calls here no faster than quick ones come back: the next may be long."""
        most = depth(self.workers, self.seconds, self.round_trip)
        self.depth = min(self.workers + ahead, most)
