"""Owns the Pool and the Futures: turns events into commands and performs them.

    users' threads ---- Submitted, Cancelled, Closing ---> inbox -+
    links ------------- Up, Away, Back, Down ------------> inbox -+-> the engine's thread
    connections' threads --- frames -----------------------------------> Pool -> commands

The Pool is touched under one lock, by threads that we own.  Commands are performed after its
release: first what is to be sent, then what users' code may run in.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from . import ending, events
from .arrivals import Arrivals
from .calls import Call, fail, frame_to_stop, frames_of, set_running
from .errors import BrokenSSHExecutor, HostLost, InterstateError
from .fleet import Fleet
from .future import RemoteFuture
from .hosts import Host
from .logs import Logs
from .messages import Arrived, Away, Back, Down, Message, Up
from .outcome import settle
from .pool import Pool
from .posted import Posted
from .remote import wire
from .settings import Settings
from .shipment import shipment

KILL, TERMINATE = signal.SIGKILL, signal.SIGTERM  # how calls can be ended with their executor
_REVOKING = 2.0  # seconds that a host may take to say whether a call has started
_LONGEST = 3600.0  # seconds that the engine waits at once

_log = logging.getLogger("interstate")


class Engine:
    """Runs calls on hosts until it is closed and all of them have ended.

    Attributes:
        pool: Who runs what; to be looked at only, by others.
        fleet: The links to the hosts; likewise.
        callbacks: Where users' callbacks run.
    """

    def __init__(self, hosts: Sequence[Host], settings: Settings) -> None:
        self._settings = settings
        self._inbox = Posted()
        self._lock = threading.Lock()  # guards the Pool and _calls
        self.pool = Pool(len(hosts), settings.reach.patience.reconnect, settings.min_hosts)
        self._wake: float | None = None  # when the Pool wants a Tick
        self._calls: dict[int, Call] = {}
        self._numbers = itertools.count(1)
        self._told: dict[int, int] = {}  # host -> its workers, until it says that it has its CONFIG
        self._clocks: dict[int, float] = {}  # host -> how far its clock is behind ours, seconds
        self._logs = Logs(settings.forward_logs)
        self._last_signal = int(KILL)
        self.is_elsewhere = False  # in a forked child of the process that has our threads
        self.fleet = Fleet(hosts, settings.reach, self._deliver, settings.callbacks.run)
        self._arrivals = Arrivals(
            self._calls, self.fleet.hosts, self._clocks, settings.output, self._done_with,
            self.fleet.__getitem__, settings.callbacks.run, settings.serving,
        )  # fmt: skip
        self._finished = threading.Event()
        self.callbacks, self.output_limit = settings.callbacks, settings.output_limit
        self._thread = threading.Thread(target=self._run, name="interstate engine", daemon=True)
        ending.watch(self)
        for begin in (self._thread.start, settings.serving.start, self.fleet.open_all):
            begin()
        try:
            shipment()  # made here while they are being opened
        except Exception as error:
            self.abort(BrokenSSHExecutor(f"the agent's sources cannot be read: {error}"))
            raise

    # ------------------------------------------------------------------ for users' threads

    def new_future(self) -> RemoteFuture[Any]:
        """Return the Future of a call that may be submitted."""
        return RemoteFuture(next(self._numbers), self)

    def submit(self, call: Call, host: int | None, retries: int) -> None:
        """Run a call, on any host or on one; its Future tells of it."""
        number = call.future.call
        self._calls[number] = call
        if host is None and not retries:
            self._inbox.put(number)
        else:
            self._inbox.put(events.Submitted([number], host, retries))

    def close(self, *, cancel: bool = False) -> None:
        """End when all calls have ended; cancel those that wait if asked.  Returns at once."""
        self._inbox.put(events.Closing(cancel))

    def abort(self, error: InterstateError, how: int = KILL) -> None:
        """End now, and by a signal what runs.  Returns at once."""
        self._inbox.put(lambda: self._begin_to_end(how))
        self._inbox.put(events.Broken(error))
        self._inbox.put(events.Closing())

    def add(self, hosts: Sequence[Host]) -> None:
        """Run calls on these hosts, too.  Returns at once."""
        self._inbox.put(lambda: self._add(hosts))

    def remove(self, hosts: Sequence[Host], *, now: bool) -> None:
        """Run no more calls on these hosts.  Returns at once."""
        self._inbox.put(lambda: self._remove(hosts, now))

    def join(self) -> None:
        """Wait for the end; a thread of our own, which cannot wait for itself, returns at once."""
        thread = threading.current_thread()
        if not (self._owns(thread) or self.callbacks.owns(thread)):
            self._finished.wait()  # a join that Ctrl-C interrupts takes the thread for ended
            self._thread.join()

    def cancelled(self, call: int) -> None:
        """A Future was cancelled: forget its call."""
        self._inbox.put(events.Cancelled(call))

    def revoke(self, future: RemoteFuture[Any], *, wait: bool = True) -> None:
        """Cancel a call that waits on a host; wait until it is known whether it does."""
        answered = threading.Event()
        self._inbox.put(lambda: self._take_back(future, wire.REVOKE, answered))
        if wait and not self._owns(threading.current_thread()):
            answered.wait(_REVOKING)
            if not answered.is_set():
                self._inbox.put(lambda: self._no_more_unwanted(future))

    def stop(self, future: RemoteFuture[Any]) -> None:
        """Stop a call that runs, or cancel it.  Returns at once."""
        self._inbox.put(lambda: self._take_back(future, wire.STOP, threading.Event()))

    def forked(self) -> None:
        """This is a child of the process that has our threads."""
        self.is_elsewhere = True

    def check_process(self) -> None:
        """Raise a RuntimeError in a forked child, where nothing would ever happen."""
        if self.is_elsewhere:
            raise RuntimeError(
                f"this SSHExecutor belongs to another process, and cannot be used in process "
                f"{os.getpid()}, which was forked from that: make one here, after the fork"
            )

    def _owns(self, thread: threading.Thread) -> bool:
        return thread is self._thread or self.fleet.owns(thread)

    # ------------------------------------------------------------------- the engine's thread

    def _run(self) -> None:
        try:
            while not self.pool.finished:
                self._step(self._posted())
                self.fleet.beat(time.monotonic())
        except Exception as error:  # a mistake of ours: nobody may wait for ever because of it
            self._give_up(error)
        finally:
            self.fleet.join()
            self._arrivals.close()
            self.callbacks.close()
            self._finished.set()

    def _give_up(self, error: Exception) -> None:
        _log.critical("Interstate failed, and ends what it ran", exc_info=error)
        broken = BrokenSSHExecutor(f"Interstate itself failed: {error!r}; please report it")
        broken.__cause__ = error
        self.pool.broken = broken
        for call in list(self._calls.values()):
            fail(call.future, broken)
        self.fleet.abandon(KILL, _REVOKING)

    def _posted(self) -> list[events.Event]:
        """Wait for what is posted, or due, and return all that is."""
        happened = self._inbox.take(self._until_due())
        if self._wake is not None and time.monotonic() >= self._wake:
            happened.append(events.Tick())
        return happened

    def _until_due(self) -> float:
        due = self.fleet.next_beat
        if self._wake is not None and self._wake < due:
            due = self._wake
        return min(max(0.0, due - time.monotonic()), _LONGEST)

    def _step(self, happened: list[events.Event], outcomes: dict[int, Any] | None = None) -> None:
        """Let the Pool decide, and do what it says: send first, then settle."""
        with self._lock:
            self._let_wait_again(happened)
            commands = self.pool.handle(happened, time.monotonic())
            sends = self._claim(commands)
            self._wake = self.pool.wake
        told = self._logs.frames_for(sends)
        for host, calls in sends.items():
            self._send(host, calls, told.get(host, []))
        for command in commands:
            perform = _PERFORM.get(type(command))
            if perform is not None:
                perform(self, command, outcomes or {})

    def _let_wait_again(self, happened: list[events.Event]) -> None:
        """Calls that came back can be cancelled, and not before the Pool is told of both."""
        for event in happened:
            if type(event) is events.Returned:
                for entry in filter(None, map(self._calls.get, event.calls)):
                    entry.host = -1
                    entry.future.wait_again()
                    self._cancel_unwanted(entry)

    @staticmethod
    def _cancel_unwanted(call: Call) -> None:
        if call.unwanted:
            call.future.cancel_here()
            call.answer()

    def _claim(self, commands: list[events.Command]) -> dict[int, list[Call]]:
        """Mark the Futures of calls to be sent as running; leave out those cancelled meanwhile."""
        sends: dict[int, list[Call]] = {}
        for command in commands:  # grows while we look at it
            if isinstance(command, events.Send):
                calls = sends.setdefault(command.host, [])
                unsent = [n for n in command.calls if not self._claim_one(command.host, n, calls)]
                if unsent:
                    gone = events.Unsent(command.host, unsent)
                    commands += self.pool.handle([gone], time.monotonic())
            elif isinstance(command, events.Again):
                self._let_run_again(command.calls)
        return sends

    def _claim_one(self, host: int, number: int, calls: list[Call]) -> bool:
        call = self._calls[number]
        if not set_running(call.future):
            del self._calls[number]
            call.answer()
            return False
        call.host, call.future.host = host, self.fleet.hosts[host]
        call.future.attempts += 1
        calls.append(call)
        return True

    def _let_run_again(self, numbers: Sequence[int]) -> None:
        """What happened to calls is undone: they wait, and what they printed is forgotten."""
        for call in map(self._calls.__getitem__, numbers):
            if call.blobs and call.host >= 0:
                self._done_with(call.host, call.future.call)
            self._settings.output.ended((call.host, call.future.call))
            call.arriving, call.stopped, call.host = None, b"", -1
            call.future.wait_anew()
            self._cancel_unwanted(call)

    def _send(self, host: int, calls: list[Call], frames: list[bytes]) -> None:
        link = self.fleet[host]
        for call in calls:
            frame = frames_of(call)
            if call.blobs:
                link.send_with(call.future.call, call.blobs, b"".join((*frames, frame)))
                frames.clear()
            else:
                frames.append(frame)
        if frames:
            link.send(b"".join(frames))
        for call in calls:
            if call.unwanted:  # since it was told to be sent: that may have gone before it
                link.send_in_line(frame_to_stop(call))

    def _settle(self, command: events.Settle, outcomes: dict[int, Any]) -> None:
        now = time.time()
        for number in command.calls:
            self._settle_one(self._calls.pop(number), outcomes[number], now)

    def _settle_one(self, call: Call, outcome: Any, now: float) -> None:
        self._ended(call, call.refused)
        if call.told:
            call.future.heard = self.callbacks.mark()
        settle(call, outcome, self._clocks[call.host], now)

    def _fail(self, command: events.Fail, outcomes: dict[int, Any]) -> None:
        for entry in map(self._calls.pop, command.calls):
            self._ended(entry)
            fail(entry.future, command.error)

    def _ended(self, entry: Call, refused: bool = False) -> None:
        self._settings.output.ended((entry.host, entry.future.call))
        if entry.host >= 0 and entry.blobs:
            self._done_with(entry.host, entry.future.call, refused)
        entry.content, entry.blobs, entry.arriving = b"", (), None  # tracebacks may lead to it
        entry.answer()

    def _done_with(self, host: int, call: int, refused: bool = False) -> None:
        self.fleet[host].done_with(call, refused)

    def _drop(self, command: events.Drop, outcomes: dict[int, Any]) -> None:
        for call in command.calls:
            entry = self._calls.pop(call)
            entry.future.wait_again()
            if entry.future.cancel_here():
                set_running(entry.future)  # tells who waits
            self._ended(entry)

    def _recall(self, command: events.Recall, outcomes: dict[int, Any]) -> None:
        self.fleet[command.host].send(wire.encode(wire.RECALL, 0, wire.COUNT.pack(command.limit)))

    def _open(self, command: events.Open, outcomes: dict[int, Any]) -> None:
        self.fleet.open_anew(command.host)

    def _close(self, command: events.Close, outcomes: dict[int, Any]) -> None:
        self.fleet[command.host].close(self._last_signal)
        self._inbox.put(self.fleet.hurry)

    # ------------------------------------------------------------- tasks of the engine's thread

    def _begin_to_end(self, how: int) -> None:
        self._last_signal = how

    def _add(self, hosts: Sequence[Host]) -> list[events.Event]:
        added: list[events.Event] = []
        for host in hosts:
            index = self.fleet.add(host)
            self.fleet[index].open()
            added.append(events.Added(index))
        return added

    def _remove(self, hosts: Sequence[Host], now: bool) -> list[events.Event]:
        return [
            events.Removed(index, HostLost(f"{host}: it was removed from the executor", host), now)
            for index, host in enumerate(self.fleet.hosts)
            if host in hosts
        ]

    def _take_back(self, future: RemoteFuture[Any], kind: int, answered: threading.Event) -> None:
        """Ask for a call that was sent, or stop it; one that waits here is cancelled."""
        call = self._calls.get(future.call)
        if call is None or (kind == wire.REVOKE and future.started_at is not None):
            answered.set()
        elif call.host < 0:
            future.cancel_here()
            answered.set()
        elif kind == wire.REVOKE and not self.pool.reaches(call.host):
            answered.set()  # nobody can say
        else:
            call.unwanted, call.stopping = True, call.stopping or kind == wire.STOP
            call.answered.append(answered)
            self.fleet[call.host].send_in_line(frame_to_stop(call))

    def _no_more_unwanted(self, future: RemoteFuture[Any]) -> None:
        """The host did not say in time whether the call has started: it goes on."""
        call = self._calls.get(future.call)
        if call is not None:
            call.unwanted = call.stopping

    # ----------------------------------------------------------------------- from the links

    def _deliver(self, host: int, message: Message) -> None:
        if isinstance(message, Arrived):
            self._arrived(host, message.frames)
            return
        self.fleet.news.note(host, message)
        if isinstance(message, Up):
            self._up(host, message)
        elif isinstance(message, Away):
            self._inbox.put(events.Away(host))
        elif isinstance(message, Back):
            self._inbox.put(events.Back(host))
        else:
            self._down(host, message)

    def _up(self, host: int, up: Up) -> None:
        workers = self._settings.workers_on(up.hello)
        self._clocks[host] = time.time() - up.hello.time
        self._logs.forget(host)
        config = self._settings.config_for(self.fleet.hosts[host], *up)
        self._told[host] = workers
        self.fleet[host].send(wire.encode(wire.CONFIG, 0, config))

    def _down(self, host: int, message: Down) -> None:
        self._told.pop(host, None)
        self.fleet.note_workers(host, 0)
        self._inbox.put(events.Down(host, message.error, message.unsent))

    def _arrived(self, host: int, frames: list[wire.Frame]) -> None:
        news = self._arrivals.read(host, frames)
        if host in self._told:
            self._inbox.put(events.Up(host, workers := self._told.pop(host)))
            self.fleet.note_workers(host, workers)  # who waited for it submits after the Up
        if news.happened:
            self._step(news.happened, news.outcomes)
            if self.pool.finished:
                self._inbox.put(self.fleet.hurry)


_PERFORM: dict[type, Callable[[Engine, Any, dict[int, Any]], None]] = {
    events.Settle: Engine._settle,
    events.Fail: Engine._fail,
    events.Drop: Engine._drop,
    events.Open: Engine._open,
    events.Close: Engine._close,
    events.Recall: Engine._recall,
}
