"""Owns the Pool and the Futures: turns events into commands and performs them.

    users' threads ---- Submitted, Cancelled, Closing ---> inbox -+
    links ------------- Up, Down ------------------------> inbox -+-> the engine's thread
    connections' threads --- frames -----------------------------------> Pool -> commands

The Pool is touched under one lock, by threads that we own.  Commands are performed after its
release: first what is to be sent, then what users' code may run in.
"""

from __future__ import annotations

import itertools
import logging
import pickle
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from . import boot, ending, events, pool
from .arrivals import Arrivals
from .blobs import Blob
from .callbacks import Callbacks
from .calls import Call, fail, set_outcome, set_running
from .errors import BrokenSSHExecutor, HostMemoryError, InterstateError
from .future import RemoteFuture
from .hosts import Host
from .link import Arrived, Down, Link, Up
from .outcome import result_of
from .output import Output
from .remote import payload, wire

OPENING = 32  # hosts that are being opened at the same time

_log = logging.getLogger("interstate")


class Settings(NamedTuple):
    """What every host of an executor is told or treated by."""

    workers_per_host: int | None
    python: str | None
    initializer: bytes | None
    connect_timeout: float
    open_stream: Callable[[Host, str, float], boot.Stream]
    way: Callable[[Host], str]
    close: Callable[[], None]  # called when all links are closed
    output: Output
    callbacks: Callbacks


class Engine:
    """Runs calls on hosts until it is closed and all of them have ended."""

    def __init__(self, hosts: Sequence[Host], settings: Settings) -> None:
        self._hosts = hosts
        self._settings = settings
        self._inbox: queue.SimpleQueue[int | events.Event] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards the Pool and _calls
        self._pool = pool.Pool(len(hosts))
        self._calls: dict[int, Call] = {}
        self._numbers = itertools.count(1)
        self._clocks: dict[int, float] = {}  # host -> how far its clock is behind ours, seconds
        self._arrivals = Arrivals(
            self._calls, hosts, self._clocks, settings.output, self._done_with
        )
        self._workers: dict[int, int] = {}  # host -> its workers; 0 when it is down
        self._known = threading.Condition()  # notified when _workers changes
        self.callbacks = settings.callbacks
        self._thread = threading.Thread(target=self._run, name="interstate engine", daemon=True)
        start, turn = boot.prepare(settings.python), threading.Semaphore(OPENING)
        self._links = [
            Link(i, host, settings.way(host), settings.open_stream, start,
                 settings.connect_timeout, turn, self._deliver)
            for i, host in enumerate(hosts)
        ]  # fmt: skip
        ending.watch(self)
        self._thread.start()
        for link in self._links:
            link.open()
        try:
            boot.shipment()  # made here while they are being opened
        except Exception as error:
            self.abort(BrokenSSHExecutor(f"the agent's sources cannot be read: {error}"))
            raise

    # ------------------------------------------------------------------ for users' threads

    @property
    def broken(self) -> InterstateError | None:
        """Why no call is taken any more: the initializer failed, or all was ended."""
        return self._pool.broken

    @property
    def lost(self) -> InterstateError | None:
        """Why no call can run any more: no host is left."""
        return self._pool.lost

    def new_future(self) -> RemoteFuture[Any]:
        """Return the Future of a call that may be submitted."""
        call = next(self._numbers)
        return RemoteFuture(call, self)

    def submit(
        self,
        future: RemoteFuture[Any],
        content: bytes,
        blobs: Sequence[Blob],
        name: str,
        host: int | None,
    ) -> None:
        """Run a call, on any host or on one; its Future tells of it."""
        self._calls[future.call] = Call(future, content, blobs, name)
        self._inbox.put(future.call if host is None else events.Submitted([future.call], host))

    def close(self, *, cancel: bool = False) -> None:
        """End when all calls have ended; cancel those that wait if asked.  Returns at once."""
        self._inbox.put(events.Closing(cancel))

    def abort(self, error: InterstateError) -> None:
        """End now, and what runs with it.  Returns at once."""
        self._inbox.put(events.Broken(error))
        self._inbox.put(events.Closing())

    def join(self) -> None:
        """Wait for the end; a thread of our own, which cannot wait for itself, returns at once."""
        if not self._owns(threading.current_thread()):
            self._thread.join()

    def count_workers(self) -> int:
        """Wait until each host is up or down, and return how many workers there are."""
        with self._known:
            self._known.wait_for(lambda: len(self._workers) == len(self._hosts))
            return sum(self._workers.values())

    def cancelled(self, call: int) -> None:
        """A Future was cancelled: forget its call."""
        self._inbox.put(events.Cancelled(call))

    def _owns(self, thread: threading.Thread) -> bool:
        return (
            thread is self._thread
            or any(link.owns(thread) for link in self._links)
            or self.callbacks.owns(thread)
        )

    # ------------------------------------------------------------------- the engine's thread

    def _run(self) -> None:
        try:
            while not self._pool.finished:
                self._step(self._posted())
        except Exception as error:  # a mistake of ours: nobody may wait for ever because of it
            self._give_up(error)
        for link in self._links:
            link.join()
        self._settings.close()
        self.callbacks.close()

    def _give_up(self, error: Exception) -> None:
        _log.critical("Interstate failed, and ends what it ran", exc_info=error)
        broken = BrokenSSHExecutor(f"Interstate itself failed: {error!r}; please report it")
        broken.__cause__ = error
        self._pool.broken = broken
        for link in self._links:
            link.close()
        for call in list(self._calls.values()):
            fail(call.future, broken)

    def _posted(self) -> list[events.Event]:
        """Wait for what is posted, and return all that is."""
        happened: list[events.Event] = []
        while not happened or not self._inbox.empty():
            item = self._inbox.get()
            if isinstance(item, int):
                events.add_submitted(happened, item)
            else:
                happened.append(item)
        return happened

    def _step(self, happened: list[events.Event], outcomes: dict[int, Any] | None = None) -> None:
        """Let the Pool decide, and do what it says: send first, then settle."""
        with self._lock:
            self._let_wait_again(happened)
            commands = self._pool.handle(happened, time.monotonic())
            sends = self._claim(commands)
        for host, calls in sends.items():
            self._send(self._links[host], calls)
        for command in commands:
            perform = _PERFORM.get(type(command))
            if perform is not None:
                perform(self, command, outcomes or {})

    def _let_wait_again(self, happened: list[events.Event]) -> None:
        """Calls that came back can be cancelled, and not before the Pool is told of both."""
        for event in happened:
            if type(event) is events.Returned:
                for entry in filter(None, map(self._calls.get, event.calls)):
                    entry.future.wait_again()

    def _claim(self, commands: list[events.Command]) -> dict[int, list[Call]]:
        """Mark the Futures of calls to be sent as running; leave out those cancelled meanwhile."""
        sends: dict[int, list[Call]] = {}
        for command in commands:  # grows while we look at it
            if isinstance(command, events.Send):
                calls = sends.setdefault(command.host, [])
                unsent = [n for n in command.calls if not self._claim_one(command.host, n, calls)]
                if unsent:
                    gone = events.Unsent(command.host, unsent)
                    commands += self._pool.handle([gone], time.monotonic())
        return sends

    def _claim_one(self, host: int, number: int, calls: list[Call]) -> bool:
        call = self._calls[number]
        if not set_running(call.future):
            del self._calls[number]
            return False
        call.host, call.future.host = host, self._hosts[host]
        calls.append(call)
        return True

    @staticmethod
    def _send(link: Link, calls: list[Call]) -> None:
        frames = []
        for call in calls:
            frame = wire.encode(wire.CALL, call.future.call, call.content)
            if call.blobs:
                link.send_with(call.future.call, call.blobs, frame)
            else:
                frames.append(frame)
        if frames:
            link.send(b"".join(frames))

    def _settle(self, command: events.Settle, outcomes: dict[int, Any]) -> None:
        now = time.time()
        for number in command.calls:
            self._settle_one(self._calls.pop(number), outcomes[number], now)

    def _settle_one(self, call: Call, outcome: Any, now: float) -> None:
        self._ended(call, isinstance(outcome, HostMemoryError))
        future = call.future
        future.finished_at = now
        if not isinstance(outcome, payload.Outcome):
            set_outcome(future, False, outcome)
            return
        ended = outcome.started + outcome.seconds + self._clocks[call.host]
        if ended < now:
            future.finished_at = ended
        future.started_at = future.finished_at - outcome.seconds
        set_outcome(future, *result_of(outcome, call.name, future.host))

    def _fail(self, command: events.Fail, outcomes: dict[int, Any]) -> None:
        for call in command.calls:
            entry = self._calls.pop(call)
            self._ended(entry)
            fail(entry.future, command.error)

    def _ended(self, entry: Call, refused: bool = False) -> None:
        self._settings.output.ended((entry.host, entry.future.call))
        if entry.host >= 0 and entry.blobs:
            self._done_with(entry.host, entry.future.call, refused)
        entry.content, entry.blobs = b"", ()  # an exception's traceback may lead to it for long

    def _done_with(self, host: int, call: int, refused: bool = False) -> None:
        self._links[host].done_with(call, refused)

    def _drop(self, command: events.Drop, outcomes: dict[int, Any]) -> None:
        for call in command.calls:
            entry = self._calls.pop(call)
            if entry.future.cancel():
                set_running(entry.future)  # tells who waits

    def _recall(self, command: events.Recall, outcomes: dict[int, Any]) -> None:
        limit = wire.COUNT.pack(command.limit)
        self._links[command.host].send(wire.encode(wire.RECALL, 0, limit))

    def _close(self, command: events.Close, outcomes: dict[int, Any]) -> None:
        self._links[command.host].close()

    # ----------------------------------------------------------------------- from the links

    def _deliver(self, host: int, message: Up | Arrived | Down) -> None:
        if isinstance(message, Arrived):
            self._arrived(host, message.frames)
        elif isinstance(message, Up):
            self._up(host, message.hello)
        else:
            self._note_workers(host, 0)
            self._inbox.put(events.Down(host, message.error))

    def _up(self, host: int, hello: boot.Hello) -> None:
        workers = self._settings.workers_per_host or hello.cpus
        config = {
            "workers": workers,
            "owner": boot.owner(),
            "initializer": self._settings.initializer,
        }
        self._clocks[host] = time.time() - hello.time
        self._links[host].send(wire.encode(wire.CONFIG, 0, pickle.dumps(config, protocol=4)))
        self._inbox.put(events.Up(host, workers))
        self._note_workers(host, workers)  # who waited for it submits after the Up

    def _note_workers(self, host: int, workers: int) -> None:
        with self._known:
            self._workers[host] = workers
            self._known.notify_all()

    def _arrived(self, host: int, frames: list[wire.Frame]) -> None:
        news = self._arrivals.read(host, frames)
        if news.happened:
            self._step(news.happened, news.outcomes)


_PERFORM: dict[type, Callable[[Engine, Any, dict[int, Any]], None]] = {
    events.Settle: Engine._settle,
    events.Fail: Engine._fail,
    events.Drop: Engine._drop,
    events.Close: Engine._close,
    events.Recall: Engine._recall,
}
