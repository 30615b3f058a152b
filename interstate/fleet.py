"""The links to all hosts of an executor: opened, looked after, and closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import boot
from .hostnews import HostNews
from .hosts import Host
from .link import BEAT_CHECKS, Equip, Link, Patience
from .messages import Deliver
from .progress import Progress
from .turns import Turns

OPENING = 32  # hosts that are being opened at the same time, but for those that take long
_ENDING = 0.25  # seconds between looks at links that are to end
_FAREWELL = 0.7  # seconds that an agent may take to end what runs there, and itself


class Reach(NamedTuple):
    """How hosts are reached."""

    python: str | None
    patience: Patience
    open_stream: Callable[[Host, str, float], boot.Stream]
    way: Callable[[Host], str]
    ends: Sequence[Callable[[], object]]  # called when all links are closed
    equip: Equip
    progress: Progress


class Fleet:
    """One link for each host, by the host's index; the engine's thread looks after them.

    Args:
        hosts: The first of them.
        reach: How they are reached.
        deliver: Told of what happens on each link.
        run: Runs users' code, elsewhere.

    Attributes:
        hosts: All that there have been, by index.
        news: What becomes of them, to be told.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        reach: Reach,
        deliver: Deliver,
        run: Callable[[Callable[[], object]], None],
    ) -> None:
        self.hosts: list[Host] = []
        self.news = HostNews(self.hosts, reach.way, reach.progress, run)
        self._reach = reach
        self._deliver = deliver
        self._start = boot.prepare(reach.python)
        self._turn = Turns(OPENING)
        self._links: list[Link] = []
        self._replaced: list[Link] = []
        self._workers: dict[int, int] = {}  # host -> its workers; 0 when it is down
        self._known = threading.Condition()  # notified when _workers changes
        self._period = reach.patience.heartbeat / BEAT_CHECKS
        self._last_beat = time.monotonic()
        self._next_beat = self._last_beat + self._period
        self._ending: list[Link] = []
        self._end_by = 0.0  # when those have had their time, unless one of them ends before
        for host in hosts:
            self.add(host)

    def __getitem__(self, index: int) -> Link:
        return self._links[index]

    def add(self, host: Host) -> int:
        """Have a link to one more host; return the host's index."""
        self.hosts.append(host)
        index = len(self.hosts) - 1
        self._links.append(self._new_link(index))
        return index

    def open_all(self) -> None:
        self.news.begin()
        for link in self._links:
            link.open()

    def open_anew(self, index: int) -> None:
        """Connect to a host that was lost."""
        self._replaced = [link for link in self._replaced if link.alive]
        self._replaced.append(self._links[index])
        self._links[index] = self._new_link(index)
        self._links[index].open()

    @property
    def next_beat(self) -> float:
        """When `beat` should be called, by the monotonic clock."""
        return min(self._next_beat, self.news.due)

    def beat(self, now: float) -> None:
        """Have every link look whether it hears of its host, and is heard of; tell the news."""
        self.news.tell(now)
        if now < self._next_beat:
            return
        stopped = now - self._last_beat > 2 * self._period  # this process was, it may be
        if stopped:
            for link in self._links:  # what came meanwhile is yet to be read
                link.excuse(now)
        ending = [link for link in self._links if link.tick(now)]
        if stopped or ending != self._ending:  # many take their turns on a busy computer
            self._ending, self._end_by = ending, now + _FAREWELL
        elif now >= self._end_by:
            for link in ending:
                link.hang_up()
        self._period = _ENDING if ending else self._reach.patience.heartbeat / BEAT_CHECKS
        self._last_beat, self._next_beat = now, now + self._period

    def hurry(self) -> None:
        """Look soon: a link is to end."""
        self._next_beat = time.monotonic()

    def join(self) -> None:
        """Wait for the end of links that were closed; then nothing can be opened any more."""
        for link in (*self._links, *self._replaced):
            link.join()
        for end in self._reach.ends:
            end()
        self.news.end()

    def abandon(self, signal: int, seconds: float) -> None:
        """Close all links; none has more time to end than that."""
        for link in self._links:
            link.close(signal)
        for link in self._links:
            link.join(seconds)
            link.hang_up()

    def owns(self, thread: threading.Thread) -> bool:
        return any(link.owns(thread) for link in self._links)

    def note_workers(self, host: int, workers: int) -> None:
        """A host is up, with so many workers, or down, with none."""
        with self._known:
            self._workers[host] = workers
            self._known.notify_all()

    def count_workers(self) -> int:
        """Wait until each host is up or down, and return how many workers there are."""
        with self._known:
            self._known.wait_for(lambda: len(self._workers) == len(self.hosts))
            return sum(self._workers.values())

    def _new_link(self, index: int) -> Link:
        host, reach = self.hosts[index], self._reach
        return Link(
            index, host, reach.way(host), reach.open_stream, self._start,
            reach.patience, self._turn, self._deliver, reach.equip,
        )  # fmt: skip
