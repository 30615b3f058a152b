"""The agent: the one process of ours on a host.  It supervises the workers that run the calls.

One thread, one epoll, no locks, so that forking is safe at any moment.  It always reads what comes
in and never blocks on anything.  When it will hear of nobody any more, it kills its workers and all
that they have started, and goes.

    session -> frames -> foreman -> a worker's inbox -> … -> its outbox -> frames -> session
"""

from __future__ import annotations

import os
import time

from . import current, death, family, payload, places, telling, wire, worker
from .answers import Answers
from .blob import Blobs
from .foreman import Foreman
from .hello import hello
from .lean import pickle, signal, socket
from .session import Session
from .slot import Call, Slot, exit_status
from .title import set_title
from .watcher import Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from .memory import Evidence, Verdict

READ = 1 << 16  # bytes at once
LONGEST = 3600.0  # seconds that we wait for anything; epoll refuses infinity
_LAST = 3.0  # seconds that what was killed may take to end


class Agent:
    """Reads frames from one descriptor and writes frames to another, or to those that follow."""

    def __init__(self, source: int, sink: int) -> None:
        self._watcher = Watcher()
        self._session = Session(source, sink, self._watcher, self._take)
        self._sink = self._session.sink
        self._foreman = Foreman(self._sink.put, self._fork, self._listen, self._hear)
        self._config: dict[str, Any] = {}
        self._slots: dict[int, Slot] = {}  # by pid
        self._dying: list[Slot] = []  # whose workers have ended just now
        self._blobs = Blobs()
        self._answers = Answers(self._watcher, self._sink.put)
        self._evidence: Evidence | None = None  # of kills for want of memory
        self._levels = b""  # of the loggers
        self._about = b""  # what is said about most calls
        self._abouts: dict[int, bytes] = {}  # and about some that are to come
        self._paused = False
        self._streams: dict[int, int] = {}  # of each worker's pipes, also of its old ones
        self._old_pipes: set[int] = set()
        self._last_signal = int(signal.SIGKILL)
        self._handlers: dict[int, Callable[[int, wire.Bytes], None]] = {
            wire.CALL: self._take_call,
            wire.LIMIT: self._foreman.limit,
            wire.LEVELS: self._set_levels,
            wire.SERVED: self._answers.take,
            wire.ABOUT: self._tell_about,
            wire.RECALL: self._foreman.recall,
            wire.REVOKE: self._foreman.revoke,
            wire.STOP: self._foreman.stop,
            wire.ACK: lambda count, _: self._sink.ledger.arrived(count),
            wire.CONFIG: lambda _, content: self._start(pickle.loads(content)),
            wire.END: self._end,
            **self._blobs.handlers,
        }
        self._deaths = socket.socketpair()  # the interpreter writes to it at each SIGCHLD

    # ------------------------------------------------------------------------- the loop

    def run(self) -> None:
        """Supervise until nobody is heard of any more; leave nothing behind."""
        self._watch_for_deaths()
        self._sink.put(wire.encode(wire.HELLO, 0, hello(self._session.door)))
        self._flush()
        try:
            while not self._session.over:
                self._turn()
        except Exception:
            self._tell_of_failure()
        finally:
            self._end_all()

    def _tell_of_failure(self) -> None:
        """Say in the last bytes that we write why they are the last."""
        import traceback

        self._sink.put(wire.encode(wire.FAILED, 0, traceback.format_exc().encode()))
        if self._sink.descriptor is not None:
            os.set_blocking(self._sink.descriptor, True)
            self._session.flush()

    def _end(self, _: int, content: wire.Bytes) -> None:
        (self._last_signal,) = wire.COUNT.unpack(content)
        self._session.over = True

    def _end_all(self) -> None:
        """End what our calls have started, and them."""
        self._session.close_door()  # nobody need wait for an answer
        if self._last_signal == signal.SIGTERM:
            for slot in self._slots.values():
                slot.signal(signal.SIGTERM)
            left = family.wait_for(self._slots, self._config["grace"])
            for pid, slot in self._slots.items():
                slot.reaped = pid not in left
        for slot in self._slots.values():
            slot.kill()
        family.end_all(_LAST, self._blobs.janitor)
        self._blobs.end()

    def _turn(self) -> None:
        """Handle what happens; write when nothing does, or what is to be written gets old."""
        happened = self._watcher.handle(0 if self._sink.gathering else self._until_due())
        now = time.monotonic()
        if self._foreman.next_tick is not None and now >= self._foreman.next_tick:
            self._foreman.tick()
        if now >= self._session.due:
            self._session.tick(now)
        if self._sink.gathering:
            nothing_more = not happened or self._foreman.all_idle
            if nothing_more or self._sink.is_due(now):
                self._flush()
        elif self._paused:
            self._pause(self._sink.full)

    def _until_due(self) -> float:
        due = self._session.due
        if self._foreman.next_tick is not None and self._foreman.next_tick < due:
            due = self._foreman.next_tick
        return max(0.0, min(due - time.monotonic(), LONGEST))

    # ------------------------------------------------------------------- what is heard, and said

    def _take(self, frames: list[wire.Frame]) -> None:
        for kind, number, content in frames:
            handle = self._handlers.get(kind)
            if handle is None:
                raise wire.ProtocolError(f"an agent takes no frame of kind {kind}")
            handle(number, content)
        self._foreman.assign()

    def _take_call(self, number: int, content: wire.Bytes) -> None:
        self._answers.calls += 1
        if self._foreman.may_fork:
            payload.prepare_for(content)
        apart = content[:2] != payload.NOTHING_APART
        needed = self._blobs.needed(payload.references(content)) if apart else ()
        missing = next((blob for blob in needed if blob.obstacle), None)
        if missing is not None:
            self._foreman.forget(number)
            why = missing.about + missing.obstacle.encode(errors="replace")
            self._sink.put(wire.encode(wire.REFUSED, number, why))
        else:
            about = self._abouts.pop(number, self._about)
            self._foreman.take(Call(number, content, needed, about))

    def _set_levels(self, _: int, content: wire.Bytes) -> None:
        self._levels = bytes(content)
        self._about = telling.about(self._levels)

    def _tell_about(self, number: int, content: wire.Bytes) -> None:
        (attempt,) = wire.COUNT.unpack_from(content)
        name = bytes(content[wire.COUNT.size :]).decode()
        self._abouts[number] = telling.about(self._levels, name, attempt)

    def _flush(self) -> None:
        """Write what the channel takes; the workers wait while too much is left."""
        self._session.flush()
        self._pause(self._sink.full)

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
        self._session.configure(config["heartbeat"], config["reconnect"])
        self._foreman.configure(config["workers"], config["grace"])
        places.owner = config["owner"]
        set_title(f"interstate: agent for {config['owner']}")
        current.host, current.python = config["host"], config["python"]
        family.adopt_orphans()
        if config.get("path"):
            from . import libraries

            libraries.use(config["path"])
        if config["initializer"] is not None:
            payload.prepare_for(config["initializer"])

    def _fork(self) -> Slot | None:
        """Fork a worker; None if the host lets us have no more."""
        try:
            slot = Slot(self._config["max_calls"])
            pid = os.fork()
        except OSError:
            if not self._slots:
                raise
            return None
        if pid == 0:
            self._be_a_worker(slot)
        slot.forked(pid)
        self._slots[pid] = slot
        self._note_birth(pid)
        slot.starting = self._config["initializer"] is not None
        return slot

    def _note_birth(self, pid: int) -> None:
        """While the worker starts, see what the kernel has counted before it."""
        if self._evidence is None:
            from .memory import Evidence

            self._evidence = Evidence()
        self._evidence.born(pid)

    def _be_a_worker(self, slot: Slot) -> NoReturn:
        """In the child: close what is the agent's, so that its end is the end of our inbox."""
        try:
            signal.set_wakeup_fd(-1)
            self._watcher.close()
            closables: list[Any] = [*self._slots.values(), *self._dying, *self._deaths]
            closables += self._answers, self._blobs, self._session, self._evidence
            for closable in closables:
                if closable is not None:
                    closable.close()
            for descriptor in self._old_pipes:
                os.close(descriptor)
            set_title(f"interstate: worker for {self._config['owner']}")
            ends = slot.worker_ends()
        except BaseException:
            os._exit(1)
        worker.main(*ends, self._config["initializer"], self._about, self._answers.asking)

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

    def _hear(self, slot: Slot) -> None:
        while self._read_outbox(slot):
            pass

    def _read_outbox(self, slot: Slot) -> bool:
        """Pass on what a worker says; return whether there was anything."""
        try:
            frames = slot.receive()
            for frame in frames or ():
                self._pass_on(slot, frame)
        except wire.ProtocolError:
            slot.kill("something in it wrote where only we write")
            return False
        return frames is not None

    def _pass_on(self, slot: Slot, frame: wire.Frame) -> None:
        kind, call, content = frame
        if kind == wire.DONE:
            self._foreman.done(slot, call, content)
        elif kind == wire.PRINTED:
            self._sink.put_printed(call, content)
        elif kind == wire.PIPES:
            self._adopt_old_pipes(slot)
        elif kind == wire.READY:
            self._foreman.ready(slot)
        else:
            self._foreman.broken = self._foreman.broken or kind == wire.BROKEN
            self._sink.put(wire.HEADER.pack(kind, call, len(content)), content)

    def _adopt_old_pipes(self, slot: Slot) -> None:
        """Read on what the children that a call left behind print; it is no call's any more."""
        self._listen(slot)
        for pipe in slot.take_old_pipes():
            self._old_pipes.add(pipe)
            self._listen_to_old(pipe)
        self._streams.update(slot.pipes)

    def _listen_to_old(self, pipe: int) -> None:
        if not self._paused:
            self._watcher.watch(pipe, lambda: self._read_old_pipe(pipe))
        elif pipe in self._watcher:
            self._watcher.forget(pipe)

    def _read_old_pipe(self, pipe: int) -> None:
        data = os.read(pipe, READ)
        if data:
            self._sink.put_printed(0, bytes((self._streams.get(pipe, 1),)) + data)
        else:
            self._watcher.forget(pipe)
            self._old_pipes.remove(pipe)
            os.close(pipe)

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
            self._sink.put_printed(call, bytes((stream,)) + data)
        self._adopt_old_pipes(slot)

    # ---------------------------------------------------------------------------- deaths

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
        """Tell what its worker printed and answered to the end; another takes its place."""
        slot.reaped = True
        how = self._how_it_ended(slot, exit_status(status))
        slot.kill()
        self._dying.append(slot)
        self._hear(slot)
        self._pass_on_output(slot)
        self._listen(slot)
        self._foreman.died(slot, how)
        slot.close()
        self._dying.remove(slot)
        self._foreman.assign()

    def _how_it_ended(self, slot: Slot, status: int) -> bytes:
        verdict: Verdict = False, ""
        if status == -signal.SIGKILL and slot.killed_for:
            verdict = False, f"was killed by its agent, since {slot.killed_for}"
        elif status == -signal.SIGKILL and self._evidence is not None:
            verdict = self._evidence.about(slot.pid)
        return death.report(status, slot.stacks, verdict)
