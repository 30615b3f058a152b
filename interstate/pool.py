"""Which call runs where.  Pure: no I/O, no threads, no clock; time comes in as `now`.

Events go in by `handle`, commands come out.  The Pool knows calls by their number only; what they
are, and their Futures, is the engine's.  One event or command is about many calls where many come
together: what is done once for each call is what the Pool costs.

    a call:  waiting -> running on a host -> gone
    a host:  connecting -> up -> away -> up; lost -> connecting anew, or gone (see `comebacks`)
    all:     holding, until so many hosts are up as there must be -> going on, for good

Which host a call goes to is decided in `dispatch`.  Calls that were sent can be had back until they
start: when a host is stuck in long calls, when another one has nothing to do, and when what has not
started is to be cancelled.

When a host is lost, or a worker dies, a call that may have begun there fails, unless it may be
tried again; what was never sent goes to another host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .comebacks import Comebacks
from .dispatch import Dispatch
from .errors import HostError, InterstateError
from .events import (
    Added,
    Again,
    Away,
    Back,
    Broken,
    Cancelled,
    Close,
    Closing,
    Command,
    Died,
    Done,
    Down,
    Drop,
    Event,
    Fail,
    Open,
    Removed,
    Returned,
    Revoked,
    Send,
    Settle,
    Started,
    Submitted,
    Tick,
    Unsent,
    Up,
)
from .room import HostState


class Pool(Dispatch):
    """The state of every call and host.

    Args:
        hosts: How many hosts there are; they are known by their index.
        patience: How long none but lost hosts may be there before all is given up, seconds; 0: a
            lost host is not tried again.
        quorum: No call is sent before so many hosts are up.
    """

    def __init__(self, hosts: int, patience: float = 0.0, quorum: int = 1) -> None:
        super().__init__(hosts)
        self._quorum = quorum  # 1 when it was there
        self._holding = quorum > 1
        self._leaving: dict[int, HostState] = {}  # hosts that are to go when their calls have ended
        self._lost: set[int] = set()  # hosts that are tried again
        self._vacant = False  # the last host was taken away, and another one may be added
        self._comebacks = Comebacks(patience)
        self._cancelling = False  # what has not started, and comes back, is cancelled
        self.broken: InterstateError | None = None  # by a Broken
        self.lost: InterstateError | None = None  # since no host is left, or too few

    def __repr__(self) -> str:
        hosts = ", ".join(
            f"{h.index}: {len(h.running)}/{h.depth}" if h.up else f"{h.index}: {self.state(h)}"
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
        if self._leaving:
            self._close_leaving(commands)
        if self._resting and not self._wanted and not self._ahead:
            self._close_resting(commands)
        return commands

    @property
    def finished(self) -> bool:
        """Whether every host is gone, and no call will come."""
        return self._closing and not self._hosts

    @property
    def closing(self) -> bool:
        """Whether no call will come."""
        return self._closing

    @property
    def errors(self) -> dict[int, HostError]:
        """Why each host was lost last."""
        return self._comebacks.errors

    @property
    def wake(self) -> float | None:
        """When a Tick is to come, if nothing happens before."""
        return self._comebacks.wake

    # --------------------------------------------------------------------------- events

    def _submitted(self, event: Submitted, now: float, commands: list[Command]) -> None:
        error = self.broken or self.lost
        if event.host is not None and event.host not in self._hosts:
            error = self._comebacks.errors.get(event.host) or self._no_host_left()
        if error is not None:
            commands.append(Fail(event.calls, error))
            return
        self._wanted.update(event.calls)
        self._retries.allow(event.calls, event.retries)
        if event.host is None:
            self._waiting.extend(event.calls)
        else:
            self._hosts[event.host].own.extend(event.calls)
            self._offer(self._hosts[event.host], now)

    def _cancelled(self, event: Cancelled, now: float, commands: list[Command]) -> None:
        if event.call in self._wanted:
            self._wanted.remove(event.call)
            self._drop([event.call], commands)

    def _unsent(self, event: Unsent, now: float, commands: list[Command]) -> None:
        host = self._hosts[event.host]
        self._retries.forget(self._remove(host, event.calls))
        self._offer(host, now)

    def _added(self, event: Added, now: float, commands: list[Command]) -> None:
        self._hosts[event.host] = HostState(event.host)
        self._vacant = False
        if len(self._hosts) >= self._quorum:
            self.lost = None

    def _removed(self, event: Removed, now: float, commands: list[Command]) -> None:
        host = self._hosts.get(event.host)
        if host is None:
            return
        self._fail(self._taken(host.own, len(host.own)), event.error, commands)
        if self._comebacks.waits(host.index):
            self._forget(host)
            self._vacant = True
            self._look_for_hosts(now, commands)
            return
        host.closing = host.leaving = True
        self._leaving[host.index] = host
        if event.now:
            self._lose(host, event.error, (), commands)
        elif host.spare > 0:
            self._recall(host, host.spare, commands)

    def _up(self, event: Up, now: float, commands: list[Command]) -> None:
        host = self._hosts.get(event.host)
        if host is None:
            return  # it was removed
        host.up = host.was_up = True
        host.up_since = now
        host.workers = host.depth = event.workers
        self._workers += event.workers
        self._lost.discard(host.index)
        self._look_for_hosts(now, commands)
        if self._holding:
            self._go_on(now)
        else:
            self._offer(host, now)

    def _go_on(self, now: float) -> None:
        """If as many hosts are up as there must be, they get what waits for them."""
        up = [h for h in self._hosts.values() if (h.up or h.away) and not h.closing]
        if len(up) >= self._quorum:
            self._quorum, self._holding = 1, False
            for host in up:
                self._offer(host, now)

    def _away(self, event: Away, now: float, commands: list[Command]) -> None:
        host = self._hosts.get(event.host)
        if host is not None and host.up:
            host.up, host.away = False, True

    def _back(self, event: Back, now: float, commands: list[Command]) -> None:
        host = self._hosts.get(event.host)
        if host is not None and host.away:
            host.up, host.away = True, False
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
            self._settle(calls, commands)
            self._offer(host, now)

    def _died(self, event: Died, now: float, commands: list[Command]) -> None:
        host = self._hosts.get(event.host)
        if host is None:
            return
        only = host.only & {event.call}
        if not self._remove(host, [event.call]):
            return
        if self._retries.spend(event.call):
            self._run_again(host, [event.call], only, commands)
        else:
            self._settle([event.call], commands)
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
            self._drop(calls, commands)
            calls = []
        self._wait_again(host, calls, only)
        self._offer(host, now)
        self._lend(host)

    def _revoked(self, event: Revoked, now: float, commands: list[Command]) -> None:
        host = self._hosts.get(event.host)
        if host is not None:
            self._drop(self._remove(host, [event.call]), commands)
            self._offer(host, now)

    def _down(self, event: Down, now: float, commands: list[Command]) -> None:
        host = self._hosts.get(event.host)
        if host is None:
            return
        unsent = [*event.unsent, *self._sends.pop(event.host, ())]
        again = self._comebacks.expected(host, event.error)
        self._vacant = host.leaving
        if not host.leaving:
            self._comebacks.errors[event.host] = event.error
        self._forget(host)
        if again:
            self._hosts[event.host] = self._comebacks.schedule(host, now)
            self._lost.add(event.host)
        self._lose(host, event.error, unsent, commands)
        self._resting.pop(event.host, None)
        if again and self._closing:
            self._resting[event.host] = self._hosts[event.host]
        elif not again:
            self._fail(self._taken(host.own, len(host.own)), event.error, commands)
        self._look_for_hosts(now, commands)
        self._open_due(now, commands)

    def _tick(self, event: Tick, now: float, commands: list[Command]) -> None:
        self._look_for_hosts(now, commands)
        self._open_due(now, commands)

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
            self._drop(self._take_all(), commands)
            for host in self._ahead.values():
                self._recall(host, len(host.running) - host.workers, commands)
        self._look_for_hosts(now, commands)

    def _settle(self, calls: list[int], commands: list[Command]) -> None:
        self._retries.forget(calls)
        commands.append(Settle(calls))

    def _fail(self, calls: list[int], error: InterstateError, commands: list[Command]) -> None:
        if calls:
            self._retries.forget(calls)
            commands.append(Fail(calls, error))

    def _drop(self, calls: list[int], commands: list[Command]) -> None:
        if calls:
            self._retries.forget(calls)
            commands.append(Drop(calls))

    # ---------------------------------------------------------------------- hosts that are lost

    def _forget(self, host: HostState) -> None:
        """A host is not there any more."""
        del self._hosts[host.index]
        self._workers -= host.workers if host.up or host.away else 0
        host.up = host.away = False
        self._comebacks.forget(host.index)
        self._lost.discard(host.index)
        self._resting.pop(host.index, None)
        self._leaving.pop(host.index, None)

    def _lose(
        self, host: HostState, error: HostError, unsent: Iterable[int], commands: list[Command]
    ) -> None:
        """What a host had is lost there: it fails, or runs elsewhere."""
        never_sent, only = set(unsent), set(host.only)
        calls = self._remove(host, list(host.running))
        spend = self._retries.spend_with_host
        again = [call for call in calls if call in never_sent or spend(call)]
        again.sort(key=self._retries.losses)  # the last of them will be the first that waits
        here = self._hosts.get(host.index)
        if here is None or host.closing:
            stranded = only.intersection(again)
            again = [call for call in again if call not in stranded]
        kept = set(again)
        self._run_again(here or host, again, only, commands)
        self._fail([call for call in calls if call not in kept], error, commands)

    def _run_again(
        self, host: HostState, calls: list[int], only: set[int], commands: list[Command]
    ) -> None:
        if calls:
            commands.append(Again(calls))
            self._wait_again(host, calls, only)

    def _look_for_hosts(self, now: float, commands: list[Command]) -> None:
        """Give up what waits when no host is left that it could run on, or too few are."""
        if len(self._hosts) >= self._quorum:
            there = len(self._hosts) - len(self._lost)
            if not self._comebacks.given_up(there >= self._quorum, now):
                return
        else:
            self._comebacks.given_up(True, now)  # there is nobody to wait for
            if self._vacant and not self._closing:
                return  # others may be added
        for host in [self._hosts[index] for index in self._lost]:
            if not self._comebacks.waits(host.index):
                commands.append(Close(host.index))
            self._fail(self._taken(host.own, len(host.own)), self._reason(host), commands)
            self._forget(host)
        self.lost = self._no_host_left()
        self._fail(self._take_all(), self.broken or self.lost, commands)

    def _reason(self, host: HostState) -> InterstateError:
        return self._comebacks.errors.get(host.index) or self._no_host_left()

    def _no_host_left(self) -> InterstateError:
        return self._comebacks.no_host_left(self._hosts, self._quorum)

    def _open_due(self, now: float, commands: list[Command]) -> None:
        commands += [Open(host) for host in self._comebacks.due(now)]

    def _close_leaving(self, commands: list[Command]) -> None:
        for host in list(self._leaving.values()):
            if not host.running:
                del self._leaving[host.index]
                commands.append(Close(host.index))

    def _close_resting(self, commands: list[Command]) -> None:
        for host in list(self._resting.values()):
            if self._comebacks.waits(host.index):
                self._forget(host)
            elif not host.running and not host.closing:
                host.closing = True
                commands.append(Close(host.index))
        self._resting.clear()


_HANDLERS: dict[type, Callable[[Pool, Any, float, list[Command]], None]] = {
    Submitted: Pool._submitted,
    Cancelled: Pool._cancelled,
    Unsent: Pool._unsent,
    Added: Pool._added,
    Removed: Pool._removed,
    Up: Pool._up,
    Away: Pool._away,
    Back: Pool._back,
    Died: Pool._died,
    Revoked: Pool._revoked,
    Tick: Pool._tick,
    Started: Pool._started,
    Done: Pool._done,
    Returned: Pool._returned,
    Down: Pool._down,
    Broken: Pool._broke,
    Closing: Pool._close,
}
