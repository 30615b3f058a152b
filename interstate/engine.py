"""Owns the Pool and the Futures: turns events into commands and performs them.

    users' threads ---- Submitted, Cancelled, Closing ---> inbox -+
    links ------------- Up, Down ------------------------> inbox -+-> the engine's thread
    links' readers ---- frames ----------------------------------------> Pool -> commands

The Pool is touched under one lock, by threads that we own.  Commands are performed after its
release: first what is to be sent, then what users' code may run in.
"""

from __future__ import annotations

import copy
import itertools
import json
import logging
import pickle
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import InvalidStateError
from typing import Any, NamedTuple

from . import boot, ending, events, pool
from .blobs import Blob
from .callbacks import Callbacks
from .errors import BrokenSSHExecutor, HostLost, HostMemoryError, InterstateError
from .future import RemoteFuture
from .hosts import Host
from .link import Arrived, Down, Link, Up
from .outcome import result_of, shown, worker_died
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


class _Call:
    """A call on its way, and the Future that waits for it."""

    __slots__ = ("arriving", "blobs", "future", "host", "name", "payload")

    def __init__(
        self, future: RemoteFuture[Any], content: bytes, blobs: Sequence[Blob], name: str
    ) -> None:
        self.future = future
        self.host = -1  # the one that it was sent to
        self.payload = content
        self.blobs = blobs
        self.name = name
        self.arriving: payload.Arriving | None = None  # a large outcome that is coming in


class _News(NamedTuple):
    """What frames that came together tell: for the Pool, and for the Futures."""

    happened: list[events.Event]
    outcomes: dict[int, Any]  # call -> an Outcome, or the exception that it ends with


class Engine:
    """Runs calls on hosts until it is closed and all of them have ended."""

    def __init__(self, hosts: Sequence[Host], settings: Settings) -> None:
        self._hosts = hosts
        self._settings = settings
        self._inbox: queue.SimpleQueue[int | events.Event] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards the Pool and _calls
        self._pool = pool.Pool(len(hosts))
        self._calls: dict[int, _Call] = {}
        self._numbers = itertools.count(1)
        self._clocks: dict[int, float] = {}  # host -> how far its clock is behind ours, seconds
        self._workers: dict[int, int] = {}  # host -> its workers; 0 when it is down
        self._known = threading.Condition()  # notified when _workers changes
        self._callbacks = settings.callbacks
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
        return RemoteFuture(call, self._callbacks, self._cancelled)

    def submit(
        self,
        future: RemoteFuture[Any],
        content: bytes,
        blobs: Sequence[Blob],
        name: str,
        host: int | None,
    ) -> None:
        """Run a call, on any host or on one; its Future tells of it."""
        self._calls[future.call] = _Call(future, content, blobs, name)
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

    def _cancelled(self, call: int) -> None:
        """A Future was cancelled: forget its call."""
        self._inbox.put(events.Cancelled(call))

    def _owns(self, thread: threading.Thread) -> bool:
        return (
            thread is self._thread
            or any(link.owns(thread) for link in self._links)
            or self._callbacks.owns(thread)
        )

    # ------------------------------------------------------------------- the engine's thread

    def _run(self) -> None:
        while not self._pool.finished:
            self._step(self._posted())
        for link in self._links:
            link.join()
        self._settings.close()
        self._callbacks.close()

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
            commands = self._pool.handle(happened, time.monotonic())
            sends = self._claim(commands)
        for host, calls in sends.items():
            self._send(self._links[host], calls)
        for command in commands:
            perform = _PERFORM.get(type(command))
            if perform is not None:
                perform(self, command, outcomes or {})

    def _claim(self, commands: list[events.Command]) -> dict[int, list[_Call]]:
        """Mark the Futures of calls to be sent as running; leave out those cancelled meanwhile."""
        sends: dict[int, list[_Call]] = {}
        for command in commands:  # grows while we look at it
            if not isinstance(command, events.Send):
                continue
            claimed = [call for call in command.calls if self._claim_one(command.host, call)]
            if claimed:
                sends.setdefault(command.host, []).extend(map(self._calls.__getitem__, claimed))
            if len(claimed) < len(command.calls):
                unsent = events.Unsent(command.host, [*{*command.calls} - {*claimed}])
                commands += self._pool.handle([unsent], time.monotonic())
        return sends

    def _claim_one(self, host: int, call: int) -> bool:
        entry = self._calls[call]
        if not _set_running(entry.future):
            del self._calls[call]
            return False
        entry.host, entry.future.host = host, self._hosts[host]
        return True

    @staticmethod
    def _send(link: Link, calls: list[_Call]) -> None:
        frames = []
        for call in calls:
            frame = wire.encode(wire.CALL, call.future.call, call.payload)
            if call.blobs:
                link.send_with(call.blobs, frame)
            else:
                frames.append(frame)
        if frames:
            link.send(b"".join(frames))

    def _settle(self, command: events.Settle, outcomes: dict[int, Any]) -> None:
        for call in command.calls:
            self._settle_one(call, outcomes[call])

    def _settle_one(self, call: int, outcome: Any) -> None:
        entry = self._calls.pop(call)
        self._ended(entry)
        if isinstance(outcome, payload.Outcome):
            ended = outcome.started + outcome.seconds + self._clocks[entry.host]
            entry.future.finished_at = min(ended, time.time())
            entry.future.started_at = entry.future.finished_at - outcome.seconds
            _set_outcome(entry.future, *result_of(outcome, entry.name, entry.future.host))
        else:
            entry.future.finished_at = time.time()
            _set_outcome(entry.future, False, outcome)

    def _fail(self, command: events.Fail, outcomes: dict[int, Any]) -> None:
        for call in command.calls:
            entry = self._calls.pop(call)
            self._ended(entry)
            if entry.future.running() or _set_running(entry.future):
                _set_outcome(entry.future, False, _copy(command.error))

    def _ended(self, entry: _Call) -> None:
        self._settings.output.ended((entry.host, entry.future.call))
        if entry.blobs and entry.host >= 0:
            self._links[entry.host].done_with(entry.blobs)

    def _drop(self, command: events.Drop, outcomes: dict[int, Any]) -> None:
        for call in command.calls:
            entry = self._calls.pop(call)
            if entry.future.cancel():
                _set_running(entry.future)  # tells who waits

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
        news = _News([], {})
        for kind, call, content in frames:
            handle = _FRAMES.get(kind)
            if handle is None:
                raise wire.ProtocolError(f"no agent sends a frame of kind {kind}")
            handle(self, host, call, content, news)
        if news.happened:
            self._step(news.happened, news.outcomes)

    def _done(self, host: int, call: int, content: wire.Bytes, news: _News) -> None:
        entry = self._calls.get(call)
        large = entry.arriving.taken() if entry is not None and entry.arriving else ()
        outcome = news.outcomes[call] = payload.parse_outcome(content, large)
        events.add_done(news.happened, host, call, outcome.seconds)

    def _large(self, host: int, call: int, content: wire.Bytes, news: _News) -> None:
        entry = self._calls.get(call)
        if entry is not None:
            entry.arriving = payload.Arriving(content)

    def _part(self, host: int, call: int, content: wire.Bytes, news: _News) -> None:
        entry = self._calls.get(call)
        if entry is not None and entry.arriving is not None:
            entry.arriving.add(content)

    def _printed(self, host: int, call: int, content: wire.Bytes, news: _News) -> None:
        stream, data = content[0], bytes(content[1:])
        entry = self._calls.get(call)
        if entry is not None:
            entry.future._printed.append((stream, data))
        elif call < wire.NO_CALL:  # a thread that goes on when its call has ended
            call = wire.NO_CALL
        self._settings.output.printed(self._hosts[host], (host, call), stream, data)

    def _started(self, host: int, call: int, content: wire.Bytes, news: _News) -> None:
        entry = self._calls.get(call)
        if entry is not None:
            (at,) = wire.SECONDS.unpack(content)
            entry.future.started_at = at + self._clocks[host]
            news.happened.append(events.Started(host, call))

    def _returned(self, host: int, call: int, content: wire.Bytes, news: _News) -> None:
        entry = self._calls.get(call)
        if entry is not None:
            self._links[host].done_with(entry.blobs)
            entry.future.wait_again()
            news.happened.append(events.Returned(host, [call]))

    def _refused(self, host: int, call: int, content: wire.Bytes, news: _News) -> None:
        entry = self._calls.get(call)
        if entry is not None:
            where = self._hosts[host]
            why = bytes(content).decode(errors="replace")
            news.outcomes[call] = HostMemoryError(f"{where}: {entry.name} cannot run: {why}", where)
            events.add_done(news.happened, host, call, 0.0)

    def _died(self, host: int, call: int, content: wire.Bytes, news: _News) -> None:
        status = json.loads(bytes(content))["exit_status"]
        entry = self._calls.get(call)
        if entry is None and call:
            return  # it was given up before
        what = entry.name if entry is not None else "the initializer"
        where = self._hosts[host]
        error = worker_died(status, what, where)
        if entry is None:
            news.happened.append(events.Broken(_broken_by(where, error)))
        else:
            news.outcomes[call] = error
            events.add_done(news.happened, host, call, 0.0)

    def _broke(self, host: int, call: int, content: wire.Bytes, news: _News) -> None:
        where = self._hosts[host]
        _, error = result_of(payload.parse_outcome(content), "the initializer", where)
        _log.critical("the initializer failed on %s", where, exc_info=error)
        news.happened.append(events.Broken(_broken_by(where, error)))

    def _agent_failed(self, host: int, call: int, content: wire.Bytes, news: _News) -> None:
        text = bytes(content).decode(errors="replace")
        raise HostLost(f"{self._hosts[host]}: the agent failed:\n{text}", self._hosts[host])


_PERFORM: dict[type, Callable[[Engine, Any, dict[int, Any]], None]] = {
    events.Settle: Engine._settle,
    events.Fail: Engine._fail,
    events.Drop: Engine._drop,
    events.Close: Engine._close,
    events.Recall: Engine._recall,
}
_FRAMES: dict[int, Callable[[Engine, int, int, wire.Bytes, _News], None]] = {
    wire.DONE: Engine._done,
    wire.PRINTED: Engine._printed,
    wire.STARTED: Engine._started,
    wire.DIED: Engine._died,
    wire.RETURNED: Engine._returned,
    wire.BROKEN: Engine._broke,
    wire.FAILED: Engine._agent_failed,
    wire.REFUSED: Engine._refused,
    wire.LARGE: Engine._large,
    wire.PART: Engine._part,
}


def _set_running(future: RemoteFuture[Any]) -> bool:
    try:
        return future.set_running_or_notify_cancel()
    except (InvalidStateError, RuntimeError):  # somebody else has settled it
        return False


def _set_outcome(future: RemoteFuture[Any], ok: bool, value: Any) -> None:
    try:
        if ok:
            future.set_result(value)
        else:
            future.set_exception(value)
    except InvalidStateError:
        _log.warning("a Future of ours was settled by somebody else: %r", future)


def _copy(error: InterstateError) -> InterstateError:
    """One for each Future: a traceback grows on it wherever it is raised."""
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin


def _broken_by(host: Host, error: BaseException) -> BrokenSSHExecutor:
    problem = BrokenSSHExecutor(f"{host}: the initializer failed: {shown(error)}")
    problem.__cause__ = error
    return problem
