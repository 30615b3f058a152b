"""The agent: the one process of ours on a host.  It supervises the workers that run the calls.

One thread, one epoll, no locks, so that forking is safe at any moment.  It always reads its
standard input and never blocks on anything.  When its input ends, it kills its workers and goes.

    stdin -> frames -> waiting -> a worker's inbox -> … -> its outbox -> frames -> stdout
"""

from __future__ import annotations

import os
import select
import time

from . import payload, wire, worker
from .blob import Blobs
from .hello import hello
from .lean import deque, pickle, signal, socket
from .sink import Sink
from .slot import Call, Slot, exit_status
from .title import set_title
from .watcher import Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

READ = 1 << 16  # bytes at once
MOMENT = 0.02  # seconds: a call that takes longer is announced, and holds no other behind it
PATIENCE = 0.5  # seconds: when every worker is busy for longer, what waits here is given back


class Agent:
    """Reads frames from one descriptor and writes frames to another, until the first ends."""

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._sink = Sink(sink)
        self._decoder = wire.Decoder()
        self._watcher = Watcher()
        self._config: dict[str, Any] = {}
        self._slots: dict[int, Slot] = {}  # by pid
        self._idle: dict[Slot, None] = {}  # who was busy last is first to be so again: it is warm
        self._waiting: deque[Call] = deque()
        self._blobs = Blobs()
        self._sink_watched = False
        self._paused = False
        self._old_pipes: set[int] = set()
        self._broken = False
        self._next_tick: float | None = None
        self._handlers: dict[int, Callable[[int, wire.Bytes], None]] = {
            wire.CALL: self._take_call,
            wire.RECALL: self._recall,
            wire.CONFIG: lambda _, content: self._start(pickle.loads(content)),
            **self._blobs.handlers,
        }
        self._deaths = socket.socketpair()  # the interpreter writes to it at each SIGCHLD

    # ------------------------------------------------------------------------- the loop

    def run(self) -> None:
        """Supervise until the input ends; leave no worker behind."""
        os.set_blocking(self._source, False)
        os.set_blocking(self._sink.descriptor, False)
        self._watcher.watch(self._source, self._read_source)
        self._watch_for_deaths()
        self._sink.put(wire.encode(wire.HELLO, 0, hello()))
        self._flush()
        try:
            while self._source is not None:
                self._turn()
        except (BrokenPipeError, ConnectionResetError):
            pass  # nobody listens any more: the same as the end of the input
        except Exception:
            self._tell_of_failure()
        finally:
            for slot in self._slots.values():
                slot.kill()
            for pid in self._slots:
                os.waitpid(pid, 0)

    def _tell_of_failure(self) -> None:
        """Say in the last bytes that we write why they are the last."""
        import traceback

        self._sink.put(wire.encode(wire.FAILED, 0, traceback.format_exc().encode()))
        os.set_blocking(self._sink.descriptor, True)
        self._sink.flush()

    def _turn(self) -> None:
        """Handle what happens; write when nothing does, or what is to be written gets old."""
        happened = self._watcher.handle(0 if self._sink.gathering else self._until_tick())
        now = time.monotonic()
        if self._next_tick is not None and now >= self._next_tick:
            self._tick()
        if self._sink.gathering:
            nothing_more = not happened or len(self._idle) == len(self._slots)
            if nothing_more or self._sink.is_due(now):
                self._flush()

    def _until_tick(self) -> float | None:
        return None if self._next_tick is None else max(0.0, self._next_tick - time.monotonic())

    # ---------------------------------------------------------------------- stdin, stdout

    def _read_source(self) -> None:
        data = os.read(self._source, READ)
        if not data:
            self._source = None  # type: ignore[assignment]
            return
        for kind, number, content in self._decoder.receive(data):
            handle = self._handlers.get(kind)
            if handle is None:
                raise wire.ProtocolError(f"an agent takes no frame of kind {kind}")
            handle(number, content)
        self._assign()

    def _take_call(self, number: int, content: wire.Bytes) -> None:
        if len(self._slots) < self._config["workers"]:
            payload.prepare_for(content)
        needed = self._blobs.needed(payload.references(content)) if content[0] else ()
        obstacle = next((blob.obstacle for blob in needed if blob.obstacle), "")
        if obstacle:
            self._sink.put(wire.encode(wire.REFUSED, number, obstacle.encode()))
        else:
            self._waiting.append(Call(number, content, needed))

    def _flush(self) -> None:
        """Write what the pipe takes; the workers wait while too much is left."""
        self._watch_sink(self._sink.flush())
        self._pause(self._sink.full)

    def _watch_sink(self, wanted: bool) -> None:
        if wanted == self._sink_watched:
            return
        self._sink_watched = wanted
        if wanted:
            self._watcher.watch(self._sink.descriptor, self._flush, select.EPOLLOUT)
        else:
            self._watcher.forget(self._sink.descriptor)

    def _pause(self, wanted: bool) -> None:
        if wanted != self._paused:
            self._paused = wanted
            for slot in self._slots.values():
                self._listen(slot)
            for pipe in self._old_pipes:
                self._listen_to_old(pipe)

    # --------------------------------------------------------------------------- workers

    def _start(self, config: dict[str, Any]) -> None:
        self._config = config
        set_title(f"interstate: agent for {config['owner']}")
        if config["initializer"] is not None:
            payload.prepare_for(config["initializer"])

    def _fork_for_waiting(self) -> None:
        """Fork a worker for each call that has none, as long as there may be more."""
        wanted = len(self._waiting) - len(self._idle)
        wanted -= sum(slot.starting for slot in self._slots.values())
        for _ in range(min(wanted, self._config["workers"] - len(self._slots))):
            try:
                self._fork()
            except OSError:
                if not self._slots:
                    raise
                self._config["workers"] = len(self._slots)  # the host lets us have no more
                return

    def _fork(self) -> None:
        slot = Slot()
        pid = os.fork()
        if pid == 0:
            self._be_a_worker(slot)
        slot.forked(pid)
        self._slots[pid] = slot
        slot.starting = self._config["initializer"] is not None
        if not slot.starting:
            self._idle[slot] = None
        self._listen(slot)

    def _be_a_worker(self, slot: Slot) -> NoReturn:
        """In the child: close what is the agent's, so that its end is the end of our inbox."""
        try:
            signal.set_wakeup_fd(-1)
            self._watcher.close()
            closables: list[Any] = [*self._slots.values(), *self._deaths, self._blobs]
            for closable in closables:
                closable.close()
            for descriptor in (self._source, self._sink.descriptor, *self._old_pipes):
                os.close(descriptor)
            set_title(f"interstate: worker for {self._config['owner']}")
            ends = slot.worker_ends()
        except BaseException:
            os._exit(1)
        worker.main(*ends, self._config["initializer"])

    def _listen(self, slot: Slot) -> None:
        """Watch what the state of a slot makes worth watching, and nothing else."""
        wanted: dict[int, Callable[[], object]] = {}
        if not self._paused and slot.pid in self._slots:
            wanted[slot.outbox.fileno()] = lambda: self._read_outbox(slot)
            if slot.announced or slot.starting:
                wanted.update({pipe: lambda: self._read_pipes(slot) for pipe in slot.pipes})
        for descriptor in slot.watched - wanted.keys():
            self._watcher.forget(descriptor)
        for descriptor in wanted.keys() - slot.watched:
            self._watcher.watch(descriptor, wanted[descriptor])
        slot.watched = set(wanted)

    def _read_outbox(self, slot: Slot) -> bool:
        """Pass on what a worker says; return whether there was anything."""
        try:
            frames = slot.receive()
            for frame in frames or ():
                self._pass_on(slot, frame)
        except wire.ProtocolError:  # something in the worker wrote where it must not
            slot.kill()
            return False
        return frames is not None

    def _pass_on(self, slot: Slot, frame: wire.Frame) -> None:
        kind, call, content = frame
        if kind == wire.DONE:
            self._done(slot, call, content)
        elif kind == wire.PIPES:
            self._adopt_old_pipes(slot)
        elif kind == wire.READY:
            slot.starting = False
            self._listen(slot)
            self._idle[slot] = None
            self._assign()
        else:
            self._broken = self._broken or kind == wire.BROKEN
            self._sink.put(wire.HEADER.pack(kind, call, len(content)), content)

    def _adopt_old_pipes(self, slot: Slot) -> None:
        """Read on what the children that a call left behind print; it is no call's any more."""
        self._listen(slot)
        for pipe in slot.take_old_pipes():
            self._old_pipes.add(pipe)
            self._listen_to_old(pipe)

    def _listen_to_old(self, pipe: int) -> None:
        if not self._paused:
            self._watcher.watch(pipe, lambda: self._read_old_pipe(pipe))
        elif pipe in self._watcher:
            self._watcher.forget(pipe)

    def _read_old_pipe(self, pipe: int) -> None:
        data = os.read(pipe, READ)
        if data:
            self._sink.put(wire.encode(wire.PRINTED, 0, b"\1" + data))
        else:
            self._watcher.forget(pipe)
            self._old_pipes.remove(pipe)
            os.close(pipe)

    def _watch_for_deaths(self) -> None:
        for end in self._deaths:
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._deaths[1].fileno(), warn_on_full_buffer=False)
        self._watcher.watch(self._deaths[0].fileno(), self._bury)

    def _bury(self) -> None:
        self._deaths[0].recv(READ)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            slot = self._slots.pop(pid, None)
            if slot is not None:
                self._died(slot, status)

    def _died(self, slot: Slot, status: int) -> None:
        """Tell what its worker printed and answered to the end, then put another in its place."""
        slot.reaped = True
        slot.kill()
        while self._read_outbox(slot):
            pass
        self._pass_on_output(slot)
        self._waiting.extendleft(reversed(slot.take_back()))
        self._idle.pop(slot, None)
        self._listen(slot)
        slot.close()
        lost = [call.id for call in slot.calls]
        if slot.starting:
            lost, self._broken = [0], True  # it was in the initializer
        how = b'{"exit_status": %d}' % exit_status(status)
        for call in lost:
            self._sink.put(wire.encode(wire.DIED, call, how))
        self._assign()

    # ----------------------------------------------------------------------------- calls

    def _assign(self) -> None:
        """Give out what waits: one call to each idle worker, then a few behind short ones."""
        if self._waiting and not self._broken:
            self._fork_for_waiting()
        while self._waiting and self._idle:
            self._give(self._idle.popitem()[0])
        if self._waiting:
            for slot in self._slots.values():
                self._fill(slot)
        if self._waiting:
            self._tick_soon()

    def _tick_soon(self) -> None:
        if self._next_tick is None:
            self._next_tick = time.monotonic() + MOMENT

    def _fill(self, slot: Slot) -> None:
        while self._waiting and slot.has_room() and self._give(slot):
            pass

    def _give(self, slot: Slot) -> bool:
        """Put the next call into a worker's inbox; False when it takes none now."""
        given = slot.give(self._waiting[0])
        if given:
            self._waiting.popleft()
            self._tick_soon()
        return given

    def _done(self, slot: Slot, call: int, content: wire.Bytes) -> None:
        announced = slot.announced
        slot.finish(call)
        if announced:
            self._listen(slot)
        self._sink.put(wire.encode(wire.DONE, call, content))
        self._fill(slot)
        if slot.calls:
            self._tick_soon()
        else:
            self._idle[slot] = None
            self._take_back_for_idle()

    def _take_back_for_idle(self) -> None:
        """A worker is free while calls wait behind others': let it have them."""
        for slot in self._slots.values():
            if len(slot.calls) > 1:
                self._waiting.extendleft(reversed(slot.take_back()))
                self._assign()
                return

    def _tick(self) -> None:
        """Look for calls that run for longer than a moment; go on while that may matter."""
        now = time.monotonic()
        for slot in self._slots.values():
            if slot.calls and not slot.announced and now - slot.since >= MOMENT:
                self._announce(slot)
        self._assign()
        if self._waiting and all(slot.busy_since(now - PATIENCE) for slot in self._slots.values()):
            self._give_back(len(self._waiting))
        unsure = any(slot.calls and not slot.announced for slot in self._slots.values())
        self._next_tick = now + MOMENT if unsure or self._waiting else None

    def _recall(self, _: int, content: wire.Bytes) -> None:
        """Return what is asked for; take it out of the inboxes where not enough waits here."""
        (limit,) = wire.COUNT.unpack(content)
        if len(self._waiting) < limit:
            for slot in self._slots.values():
                self._waiting.extendleft(reversed(slot.take_back()))
                if not slot.calls and not slot.starting:
                    self._idle[slot] = None
        self._give_back(limit)

    def _give_back(self, limit: int) -> None:
        """Return what waits, the newest first, to whom it came from: another host may be free."""
        for _ in range(min(limit, len(self._waiting))):
            self._sink.put(wire.encode(wire.RETURNED, self._waiting.pop().id))

    def _announce(self, slot: Slot) -> None:
        """Say that a call runs, free what waits behind it, and listen to its pipes."""
        self._waiting.extendleft(reversed(slot.take_back()))
        if slot.calls:  # else it was answered just now, and that is not read yet
            slot.announced = True
            self._listen(slot)
            started = time.time() - (time.monotonic() - slot.since)
            self._sink.put(wire.encode(wire.STARTED, slot.calls[0].id, wire.SECONDS.pack(started)))

    def _read_pipes(self, slot: Slot) -> None:
        """Pass on what C code and child processes print while a call is busy.

        Nothing lies in the inbox behind an announced call, so while its outcome is not there, what
        is in the pipes can only be its own.
        """
        if (slot.announced or slot.starting) and not self._read_outbox(slot):
            self._pass_on_output(slot)

    def _pass_on_output(self, slot: Slot) -> None:
        call = slot.calls[0].id if slot.calls else wire.NO_CALL | slot.pid
        for stream, data in slot.unread_output():
            self._sink.put(wire.encode(wire.PRINTED, call, bytes((stream,)) + data))
        self._adopt_old_pipes(slot)
