"""Which call runs where.  Pure: no I/O, no threads, no clock; time comes in as `now`.

Events go in by `handle`, commands come out.  The Pool knows calls by their number only; what they
are, and their Futures, is the engine's.

    a call:  waiting -> running on a host -> gone
    a host:  connecting -> up -> down

A host with a free worker gets the next call; hosts take turns.  Only when every worker of every
host is busy do calls queue up on hosts, as many as cover the round trip (see `depth`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .errors import BrokenSSHExecutor, HostError, InterstateError

# ------------------------------------------------------------------------------ events


class Submitted(NamedTuple):
    """A call is there to be run, anywhere or on one host."""

    call: int
    host: int | None = None


class Cancelled(NamedTuple):
    """A call is not wanted any more; it was not sent, though it may just have been given a host."""

    call: int
    host: int | None = None


class Up(NamedTuple):
    """A host's agent has said HELLO."""

    host: int
    workers: int


class Down(NamedTuple):
    """A host is gone for good."""

    host: int
    error: HostError


class Done(NamedTuple):
    """A call was answered; it ran for so many seconds."""

    host: int
    call: int
    seconds: float


class Returned(NamedTuple):
    """A call was not started on its host, which is busy with long ones, and came back."""

    host: int
    call: int


class Broken(NamedTuple):
    """The pool can't be used any more, though hosts may be up."""

    error: InterstateError


class Closing(NamedTuple):
    """No call will be submitted any more."""

    cancel: bool = False


Event = Submitted | Cancelled | Up | Down | Done | Returned | Broken | Closing

# ---------------------------------------------------------------------------- commands


class Send(NamedTuple):
    """Send calls to a host."""

    host: int
    calls: list[int]


class Settle(NamedTuple):
    """A call's outcome is there: hand it to its Future."""

    call: int


class Fail(NamedTuple):
    """A call will not run (any further), because of this."""

    call: int
    error: InterstateError


class Drop(NamedTuple):
    """A call that waited is cancelled."""

    call: int


class Close(NamedTuple):
    """Close the link to a host: it has nothing more to do."""

    host: int


Command = Send | Settle | Fail | Drop | Close

# ------------------------------------------------------------------------------- depth

WINDOW = 0.005  # seconds of work that lie on a host besides what covers the round trip
QUICKEST = 50e-6  # seconds: no call is taken to be quicker than this
DEEPEST = 1000  # calls for each worker
LONG = 0.5  # seconds: what calls are taken to need where some came back


def depth(workers: int, seconds: float | None, round_trip: float) -> int:
    """How many calls to have on a host: one for each worker, and what covers a round trip.

    Args:
        workers: How many the host has.
        seconds: How long a call takes, lately; None: not known, so nothing queues there.
        round_trip: The time from here to there and back, seconds.
    """
    if seconds is None:
        return workers
    ahead = (round_trip + WINDOW) / max(seconds, QUICKEST)
    return workers + int(workers * min(ahead, DEEPEST))


@dataclass(slots=True, eq=False)
class _Host:
    index: int
    up: bool = False
    workers: int = 0
    depth: int = 0  # how many calls it may have: beyond its workers, one more for each quick call
    seconds: float | None = None  # a call's, lately
    round_trip: float = float("inf")  # the shortest seen
    running: dict[int, float] = field(default_factory=dict)  # call -> when it was sent
    own: deque[int] = field(default_factory=deque)  # calls that wait for this very host
    only: set[int] = field(default_factory=set)  # calls that run here and may run nowhere else
    in_turns: bool = False  # it has a place in `_turns`
    in_queues: bool = False  # it has a place in `_queues`
    closing: bool = False

    @property
    def has_free_worker(self) -> bool:
        return self.up and len(self.running) < self.workers

    @property
    def has_room(self) -> bool:
        return self.up and len(self.running) < self.depth

    def learn(self, seconds: float, elapsed: float, more: bool) -> None:
        """Take in how long a call ran, how long it was away, and whether more calls wait."""
        self.round_trip = min(self.round_trip, max(0.0, elapsed - seconds))
        before = seconds if self.seconds is None else self.seconds
        self.seconds = before + 0.2 * (seconds - before)
        self._plan(self.depth - self.workers + 1 if more else 0)

    def learn_that_calls_are_long(self) -> None:
        self.seconds = max(self.seconds or 0.0, LONG)
        self._plan(0)

    def _plan(self, ahead: int) -> None:
        """Queue calls here no faster than quick ones come back: the next may be long."""
        most = depth(self.workers, self.seconds, self.round_trip)
        self.depth = min(self.workers + ahead, most)


class Pool:
    """The state of every call and host.

    Args:
        hosts: How many hosts there are; they are known by their index.
    """

    def __init__(self, hosts: int) -> None:
        self._hosts = {index: _Host(index) for index in range(hosts)}
        self._waiting: deque[int] = deque()  # may hold calls that were cancelled since
        self._wanted: dict[int, int | None] = {}  # the calls that wait -> the host they want
        self._turns: deque[_Host] = deque()  # hosts that may have a free worker
        self._queues: deque[_Host] = deque()  # hosts that may have room beyond their workers
        self._sends: dict[int, list[int]] = {}  # what this `handle` sends to each host
        self._errors: dict[int, HostError] = {}
        self._closing = False
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
        self._dispatch(now)
        commands += [Send(host, calls) for host, calls in self._sends.items()]
        self._sends = {}
        if self._closing and not self._wanted:
            self._close_idle(commands)
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
            commands.append(Fail(event.call, error))
            return
        self._wanted[event.call] = event.host
        if event.host is None:
            self._waiting.append(event.call)
        else:
            self._hosts[event.host].own.append(event.call)
            self._offer(self._hosts[event.host], now)

    def _cancelled(self, event: Cancelled, now: float, commands: list[Command]) -> None:
        if self._take(event.call):
            commands.append(Drop(event.call))
        if event.host in self._hosts:
            host = self._hosts[event.host]
            host.running.pop(event.call, None)
            host.only.discard(event.call)
            self._offer(host, now)

    def _up(self, event: Up, now: float, commands: list[Command]) -> None:
        host = self._hosts[event.host]
        host.up = True
        host.workers = host.depth = event.workers
        self._offer(host, now)

    def _done(self, event: Done, now: float, commands: list[Command]) -> None:
        host = self._hosts.get(event.host)
        sent = host.running.pop(event.call, None) if host else None
        if host is None or sent is None:
            return  # it was given up before
        more = bool(self._waiting or host.own)
        host.learn(event.seconds, now - sent, more)
        host.only.discard(event.call)
        commands.append(Settle(event.call))
        self._offer(host, now)

    def _returned(self, event: Returned, now: float, commands: list[Command]) -> None:
        host = self._hosts.get(event.host)
        if host is None or host.running.pop(event.call, None) is None:
            return
        host.learn_that_calls_are_long()
        if event.call in host.only:
            host.only.discard(event.call)
            self._wanted[event.call] = host.index
            host.own.appendleft(event.call)
        else:
            self._wanted[event.call] = None
            self._waiting.appendleft(event.call)

    def _down(self, event: Down, now: float, commands: list[Command]) -> None:
        host = self._hosts.pop(event.host, None)
        if host is None:
            return
        host.up = False
        self._errors[event.host] = event.error
        commands += [Fail(call, event.error) for call in host.running]
        commands += [Fail(call, event.error) for call in host.own if self._take(call)]
        if not self._hosts:
            self.lost = _no_host_left(self._errors)
            self._fail_all(self.broken or self.lost, commands)

    def _broke(self, event: Broken, now: float, commands: list[Command]) -> None:
        for host in self._hosts.values():
            commands += [Fail(call, event.error) for call in host.running]
            commands.append(Close(host.index))
            host.running.clear()
        self.broken = event.error
        self._fail_all(event.error, commands)

    def _close(self, event: Closing, now: float, commands: list[Command]) -> None:
        self._closing = True
        if event.cancel:
            self._dispatch(now)  # a call that had a free worker has started, however late we learn
            commands += [Drop(call) for call in self._wanted]
            self._wanted.clear()

    def _fail_all(self, error: InterstateError, commands: list[Command]) -> None:
        commands += [Fail(call, error) for call in self._wanted]
        self._wanted.clear()

    # ------------------------------------------------------------------------- dispatch

    def _take(self, call: int) -> bool:
        """Take a call out of those that wait; False when it was cancelled meanwhile."""
        return self._wanted.pop(call, _GONE) is not _GONE

    def _offer(self, host: _Host, now: float) -> None:
        """Send a host the calls that wait for it alone, then give it its place in the turns."""
        while host.own and host.has_room:
            call = host.own.popleft()
            if self._take(call):
                host.only.add(call)
                self._send(host, call, now)
        self._line_up(host)

    def _line_up(self, host: _Host) -> None:
        if not host.in_turns and host.has_free_worker:
            host.in_turns = True
            self._turns.append(host)
        elif not host.in_queues and host.has_room:
            host.in_queues = True
            self._queues.append(host)

    def _send(self, host: _Host, call: int, now: float) -> None:
        host.running[call] = now
        self._sends.setdefault(host.index, []).append(call)

    def _dispatch(self, now: float) -> None:
        """Send what may run anywhere, for as long as there is a call and a place for it."""
        while self._waiting:
            call = self._waiting[0]
            if call in self._wanted:
                host = self._next_host()
                if host is None:
                    return
                self._take(call)
                self._send(host, call, now)
                self._line_up(host)
            self._waiting.popleft()

    def _next_host(self) -> _Host | None:
        """The next host in turn with a free worker, else the next with room."""
        while self._turns:
            host = self._turns.popleft()
            host.in_turns = False
            if host.has_free_worker:
                return host
            self._line_up(host)
        while self._queues:
            host = self._queues.popleft()
            host.in_queues = False
            if host.has_room:
                return host
        return None

    def _close_idle(self, commands: list[Command]) -> None:
        for host in self._hosts.values():
            if not host.running and not host.closing:
                host.closing = True
                commands.append(Close(host.index))


_GONE = object()

_HANDLERS: dict[type, Callable[[Pool, Any, float, list[Command]], None]] = {
    Submitted: Pool._submitted,
    Cancelled: Pool._cancelled,
    Up: Pool._up,
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
