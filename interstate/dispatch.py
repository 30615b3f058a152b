"""Which host gets which call next.  Pure, as the Pool is, whose lower half this is.

A host with a free worker gets the next call; hosts take turns.  Only when every worker of every
host is busy do calls queue up on hosts (see `room`), and on none more than its share of what is to
be done.  They can be had back until they start.  A call that was lost with a host before waits for
a free worker, and none queues meanwhile, nor later on the host that has it; those that were lost
together go to different hosts.
"""

from __future__ import annotations

from collections import deque

from .events import Command, Recall
from .retries import Retries
from .room import HostState


class Dispatch:
    """The calls that wait, and the hosts' turns.

    Args:
        hosts: How many hosts there are; they are known by their index.
    """

    def __init__(self, hosts: int) -> None:
        self._hosts = {index: HostState(index) for index in range(hosts)}
        self._waiting: deque[int] = deque()  # for any host; may hold calls cancelled since
        self._wanted: set[int] = set()  # the calls that wait, for any host or for one
        self._retries = Retries()
        self._turns: deque[HostState] = deque()  # hosts that may have a free worker
        self._queues: deque[HostState] = deque()  # hosts that may have room beyond their workers
        self._lenders: deque[HostState] = deque()  # hosts that may have calls to spare
        self._ahead: dict[int, HostState] = {}  # hosts that have more calls than workers
        self._resting: dict[int, HostState] = {}  # hosts that may be closed, when closing
        self._idle: HostState | None = None  # one that got a free worker in this `handle`
        self._sends: dict[int, list[int]] = {}  # what this `handle` sends to each host
        self._workers = 0  # of all hosts that are up, or away
        self._running = 0  # calls, on all hosts
        self._closing = False
        self._holding = False  # no host is given calls, for too few are up

    def reaches(self, host: int) -> bool:
        """Whether a host is up, and not away."""
        state = self._hosts.get(host)
        return state is not None and state.up

    def hosts(self) -> list[HostState]:
        """Those that are there, or may be again."""
        return list(self._hosts.values())

    def state(self, host: HostState) -> str:
        """What a host is doing, in a word."""
        if host.closing:
            return "leaving"
        if host.up:
            return "up"
        if host.away:
            return "away"
        return "lost" if host.was_up else "connecting"

    def _taken(self, queue: deque[int], count: int) -> list[int]:
        """Take calls off the front of a queue; return those that are still wanted."""
        wanted = self._wanted
        front = [queue.popleft() for _ in range(min(count, len(queue)))]
        calls = [call for call in front if call in wanted]
        wanted.difference_update(calls)
        return calls

    def _take_all(self) -> list[int]:
        calls = sorted(self._wanted)  # as they were submitted
        self._wanted.clear()
        return calls

    def _wait_again(self, host: HostState, calls: list[int], only: set[int]) -> None:
        """Calls wait first of all, those of `only` for that host."""
        self._wanted.update(calls)
        host.own.extendleft(call for call in calls if call in only)
        self._waiting.extendleft(call for call in calls if call not in only)

    def _send(self, host: HostState, calls: list[int], now: float) -> None:
        if not calls:
            return
        host.send(calls, now)
        host.risky.update(self._retries.lost_among(calls))
        self._running += len(calls)
        if len(host.running) > host.workers:
            self._ahead[host.index] = host
            self._lend(host)
        if host.index in self._sends:
            self._sends[host.index] += calls
        else:
            self._sends[host.index] = calls

    def _remove(self, host: HostState, calls: list[int]) -> list[int]:
        """Calls are not on a host any more; return those that were till now."""
        calls = host.remove(calls)
        self._running -= len(calls)
        if len(host.running) <= host.workers:
            self._ahead.pop(host.index, None)
            if self._closing and not host.running:
                self._resting[host.index] = host
        return calls

    def _offer(self, host: HostState, now: float) -> None:
        """Send a host the calls that wait for it alone, then give it its place in the turns."""
        if self._holding:
            return
        while host.own and (count := self._first(host.own, host.room, host.free)) > 0:
            calls = self._taken(host.own, count)
            host.only.update(calls)
            self._send(host, calls, now)
        if not host.own:
            self._line_up(host)

    def _first(self, queue: deque[int], room: int, free: int) -> int:
        """How many calls to send first: those before any that was lost, else that one alone."""
        return self._retries.before_lost(queue, room) or min(free, 1)

    def _line_up(self, host: HostState) -> None:
        if host.free > 0:
            self._idle = host
            if not host.in_turns:
                host.in_turns = True
                self._turns.append(host)
        elif host.room > 0 and not host.in_queues:
            host.in_queues = True
            self._queues.append(host)

    def _dispatch(self, now: float) -> None:
        """Send what may run anywhere, for as long as there is a call and a place for it."""
        waiting, turns, queues = self._waiting, self._turns, self._queues
        while waiting and turns:
            host = turns.popleft()
            host.in_turns = False
            share = min(host.free, len(waiting) // (len(turns) + 1) or 1)
            count = self._first(waiting, share, share)
            self._send(host, self._taken(waiting, count), now)
            self._line_up(host)
        while waiting and queues and not self._retries.losses(waiting[0]):
            host = queues.popleft()
            host.in_queues = False
            if host.room > 0 and not host.own:  # it may be down by now, as may be all
                count = self._retries.before_lost(waiting, min(host.room, self._share(host)))
                self._send(host, self._taken(waiting, count), now)

    def _share(self, host: HostState) -> int:
        """How many calls more a host may have, lest others have none to run at the end."""
        all_calls = len(self._waiting) + self._running
        return all_calls * host.workers // self._workers - len(host.running)

    def _lend(self, host: HostState) -> None:
        if not host.in_lenders and host.spare > 0:
            host.in_lenders = True
            self._lenders.append(host)

    def _find_work(self, idle: HostState, commands: list[Command]) -> None:
        """Let a host with free workers have calls that wait on another one."""
        while self._lenders and not self._waiting and idle.free > 0:
            host = self._lenders.popleft()
            host.in_lenders = False
            if host.spare > 0 and host.worth_asking:
                self._recall(host, min(host.spare, idle.free), commands)
                return

    def _recall(self, host: HostState, count: int, commands: list[Command]) -> None:
        host.asked = True
        commands.append(Recall(host.index, count))
