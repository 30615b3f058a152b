"""Which call runs where.  Pure: no I/O, no threads, no clock; time comes in as `now`.

Events go in by `handle`, commands come out.  The Pool knows calls by their number only; what they
are, and their Futures, is the engine's.  One event or command is about many calls where many come
together: what is done once for each call is what the Pool costs.

    a call:  waiting -> running on a host -> gone
    a host:  connecting -> up -> down

A host with a free worker gets the next call; hosts take turns.  Only when every worker of every
host is busy do calls queue up on hosts (see `room`), and on none more than its share of what is to
be done.  They can be had back until they start: when a host is stuck in long calls, when another
one has nothing to do, and when what has not started is to be cancelled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from .errors import BrokenSSHExecutor, HostError, InterstateError
from .events import (
    Broken,
    Cancelled,
    Close,
    Closing,
    Command,
    Done,
    Down,
    Drop,
    Event,
    Fail,
    Recall,
    Returned,
    Send,
    Settle,
    Started,
    Submitted,
    Unsent,
    Up,
)
from .room import HostState


class Pool:
    """The state of every call and host.

    Args:
        hosts: How many hosts there are; they are known by their index.
    """

    def __init__(self, hosts: int) -> None:
        self._hosts = {index: HostState(index) for index in range(hosts)}
        self._waiting: deque[int] = deque()  # for any host; may hold calls cancelled since
        self._wanted: set[int] = set()  # the calls that wait, for any host or for one
        self._turns: deque[HostState] = deque()  # hosts that may have a free worker
        self._queues: deque[HostState] = deque()  # hosts that may have room beyond their workers
        self._lenders: deque[HostState] = deque()  # hosts that may have calls to spare
        self._ahead: dict[int, HostState] = {}  # hosts that have more calls than workers
        self._resting: dict[int, HostState] = {}  # hosts that may be closed, when closing
        self._idle: HostState | None = None  # one that got a free worker in this `handle`
        self._sends: dict[int, list[int]] = {}  # what this `handle` sends to each host
        self._workers = 0  # of all hosts that are up
        self._running = 0  # calls, on all hosts
        self._errors: dict[int, HostError] = {}
        self._closing = False
        self._cancelling = False  # what has not started, and comes back, is cancelled
        self.broken: InterstateError | None = None  # by a Broken
        self.lost: InterstateError | None = None  # since no host is left

    def __repr__(self) -> str:
        hosts = ", ".join(
            f"{h.index}: {len(h.running)}/{h.depth}" if h.up else f"{h.index}: connecting"
            for h in self._hosts.values()
        )
        return f"<Pool: {len(self._wanted)} waiting; {hosts or 'no hosts'}>"

    def handle(self, events: Iterable[Event], now: float) -> list[Command]:
        """Take events in, in order, and return what is to be done about them, in order."""
        commands: list[Command] = []
        for event in events:
            _HANDLERS[type(event)](self, event, now, commands)
        if self._waiting:
            self._dispatch(now)
        if self._idle is not None:
            self._find_work(self._idle, commands)
            self._idle = None
        if self._sends:
            commands += [Send(host, calls) for host, calls in self._sends.items()]
            self._sends = {}
        if self._resting and not self._wanted and not self._ahead:
            self._close_resting(commands)
        return commands

    @property
    def finished(self) -> bool:
        """Whether every host is gone, and no call will come."""
        return self._closing and not self._hosts

    # --------------------------------------------------------------------------- events

    def _submitted(self, event: Submitted, now: float, commands: list[Command]) -> None:
        error = self.broken or self.lost
        if event.host is not None and event.host not in self._hosts:
            error = self._errors[event.host]
        if error is not None:
            commands.append(Fail(event.calls, error))
            return
        self._wanted.update(event.calls)
        if event.host is None:
            self._waiting.extend(event.calls)
        else:
            self._hosts[event.host].own.extend(event.calls)
            self._offer(self._hosts[event.host], now)

    def _cancelled(self, event: Cancelled, now: float, commands: list[Command]) -> None:
        if event.call in self._wanted:
            self._wanted.remove(event.call)
            commands.append(Drop([event.call]))

    def _unsent(self, event: Unsent, now: float, commands: list[Command]) -> None:
        host = self._hosts[event.host]
        self._remove(host, event.calls)
        self._offer(host, now)

    def _up(self, event: Up, now: float, commands: list[Command]) -> None:
        host = self._hosts[event.host]
        host.up = True
        host.workers = host.depth = event.workers
        self._workers += event.workers
        self._offer(host, now)

    def _started(self, event: Started, now: float, commands: list[Command]) -> None:
        host = self._hosts.get(event.host)
        if host is None or event.call not in host.running:
            return
        host.long.add(event.call)
        if host.stuck and host.quick and host.spare > 0:
            self._recall(host, host.spare, commands)

    def _done(self, event: Done, now: float, commands: list[Command]) -> None:
        host = self._hosts.get(event.host)
        if host is None:
            return  # its calls have failed
        calls = self._remove(host, event.calls)
        if calls:  # else they were given up before
            host.learn(event.calls, event.seconds, now, bool(self._waiting or host.own))
            commands.append(Settle(calls))
            self._offer(host, now)

    def _returned(self, event: Returned, now: float, commands: list[Command]) -> None:
        host = self._hosts.get(event.host)
        if host is None:
            return
        if not host.asked:
            host.learn_that_calls_are_long()
        only = host.only & set(event.calls)
        calls = self._remove(host, event.calls)
        if self._cancelling:
            commands.append(Drop(calls))
            calls = []
        self._wanted.update(calls)
        host.own.extendleft(call for call in calls if call in only)
        self._waiting.extendleft(call for call in calls if call not in only)
        self._offer(host, now)
        self._lend(host)

    def _down(self, event: Down, now: float, commands: list[Command]) -> None:
        host = self._hosts.pop(event.host, None)
        if host is None:
            return
        self._errors[event.host] = event.error
        self._workers -= host.workers
        lost = [*self._remove(host, list(host.running)), *self._taken(host.own, len(host.own))]
        host.up = False
        self._sends.pop(event.host, None)  # they are among the lost
        self._resting.pop(event.host, None)
        self._fail(lost, event.error, commands)
        if not self._hosts:
            self.lost = _no_host_left(self._errors)
            self._fail(self._take_all(), self.broken or self.lost, commands)

    def _broke(self, event: Broken, now: float, commands: list[Command]) -> None:
        for host in self._hosts.values():
            self._fail(self._remove(host, list(host.running)), event.error, commands)
        self._resting.update(self._hosts)
        self.broken = self.broken or event.error
        self._fail(self._take_all(), event.error, commands)

    def _close(self, event: Closing, now: float, commands: list[Command]) -> None:
        self._closing = True
        self._resting.update(self._hosts)
        if event.cancel:
            self._cancelling = True
            self._dispatch(now)  # a call that had a free worker has started, however late we learn
            dropped = self._take_all()
            if dropped:
                commands.append(Drop(dropped))
            for host in self._ahead.values():
                self._recall(host, len(host.running) - host.workers, commands)

    def _fail(self, calls: list[int], error: InterstateError, commands: list[Command]) -> None:
        if calls:
            commands.append(Fail(calls, error))

    # --------------------------------------------------------------------------- calls

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

    def _send(self, host: HostState, calls: list[int], now: float) -> None:
        if not calls:
            return
        host.send(calls, now)
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

    # ------------------------------------------------------------------------- dispatch

    def _offer(self, host: HostState, now: float) -> None:
        """Send a host the calls that wait for it alone, then give it its place in the turns."""
        while host.own and host.room > 0:
            calls = self._taken(host.own, host.room)
            host.only.update(calls)
            self._send(host, calls, now)
        self._line_up(host)

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
            share = len(waiting) // (len(turns) + 1) or 1
            self._send(host, self._taken(waiting, min(host.free, share)), now)
            self._line_up(host)
        while waiting and queues:
            host = queues.popleft()
            host.in_queues = False
            if host.room > 0:  # it may be down by now, as may be all
                count = min(host.room, self._share(host))
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

    def _close_resting(self, commands: list[Command]) -> None:
        for host in self._resting.values():
            if not host.running and not host.closing:
                host.closing = True
                commands.append(Close(host.index))
        self._resting.clear()


_HANDLERS: dict[type, Callable[[Pool, Any, float, list[Command]], None]] = {
    Submitted: Pool._submitted,
    Cancelled: Pool._cancelled,
    Unsent: Pool._unsent,
    Up: Pool._up,
    Started: Pool._started,
    Done: Pool._done,
    Returned: Pool._returned,
    Down: Pool._down,
    Broken: Pool._broke,
    Closing: Pool._close,
}


def _no_host_left(errors: dict[int, HostError]) -> InterstateError:
    """The one host's own error; of several, one that tells of each."""
    if len(errors) == 1:
        return next(iter(errors.values()))
    reasons = "\n".join(f"  {error}" for error in errors.values())
    return BrokenSSHExecutor(
        f"none of the {len(errors)} hosts is left to run calls on:\n{reasons}",
        {str(error.host): error for error in errors.values()},
    )
