"""A worker: a process that runs one call at a time.

Calls come in as whole messages of a socket that keeps their boundaries, so that the agent can take
back what lies there unread.  Outcomes, and what calls print, go out as frames on another socket.
"""

from __future__ import annotations

import array
import fcntl
import mmap
import os
import resource
import struct
import sys

from . import alarm, death, imports, payload, wire
from .blob import mapped
from .capture import Capture
from .errors import Unreadable
from .lean import RLock, deque, signal, socket
from .packer import PIECE, Packer
from .telling import Telling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, NoReturn

NUMBER = struct.Struct("!Q")  # a call's id
CALL = struct.Struct("!QI")  # that, and the size of what is said about it
FILES = resource.getrlimit(resource.RLIMIT_NOFILE)  # what calls may open, not the agent's
MESSAGE = CALL.size + 4 * payload.LARGE  # bytes: a call's two pickles, and what is in front
QUICK = 50e-6  # seconds: no call starts a process, and sees it end, in less
_ANCILLARY = socket.CMSG_SPACE(struct.calcsize("i") * payload.DESCRIPTORS)


def main(
    inbox: socket.socket,
    outbox: socket.socket,
    lifeline: int,
    stacks: int,
    interrupted: mmap.mmap,
    initializer: bytes | None,
    about: bytes,
    asking: socket.socket,
) -> NoReturn:
    """Be a worker, in a process just forked for it, until the inbox ends.

    Args:
        stacks: Where a crash writes the stacks of our threads.
        interrupted: Where the agent writes which call a SIGINT is for.
        about: What is said about the initializer.
        asking: Where the agent takes questions of imports.
    """
    status = 1
    try:
        _become_a_process_of_our_own()
        _die_with(lifeline)
        death.prepare(stacks)
        imports.install(asking)
        worker = Worker(inbox, outbox, interrupted, about)
        if initializer is None or worker.initialize(initializer):
            worker.serve()
        status = 0
    except OSError:  # the agent is gone, and nobody is left to tell
        pass
    finally:
        os._exit(status)


class Worker:
    """Runs the calls that arrive on the inbox, and tells of them on the outbox."""

    def __init__(
        self, inbox: socket.socket, outbox: socket.socket, interrupted: mmap.mmap, about: bytes
    ) -> None:
        self._inbox = inbox
        self._interrupted = interrupted
        self._running = False
        self._call = wire.NO_CALL | os.getpid()
        self._pid = os.getpid()
        self._reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._sender = _Sender(outbox)
        self._packer = Packer()
        self._descriptors: list[int] = []  # of the call's blobs that are not mapped yet
        self._capture = Capture(self._printed)
        self._telling = Telling(self._tell)
        self._telling.begin(about)
        self._send_new_pipes()
        signal.signal(signal.SIGINT, self._interrupt)

    def initialize(self, initializer: bytes) -> bool:
        """Run the initializer; say so and return False when it fails."""
        ran = self._run(initializer)
        if ran.outcome().status == payload.RETURNED:
            self._sender.send(wire.encode(wire.READY, 0))
            return True
        self._sender.send(wire.encode(wire.BROKEN, 0, ran.whole()))
        return False

    def serve(self) -> None:
        """Run calls until the inbox ends; keep nothing of one once it is answered."""
        buffer = bytearray(MESSAGE)
        while size := self._receive(buffer):
            self._call, about = CALL.unpack_from(buffer)
            begin = CALL.size + about
            self._telling.begin(bytes(memoryview(buffer)[CALL.size : begin]))
            self._serve(bytes(memoryview(buffer)[begin:size]))

    def _receive(self, buffer: bytearray) -> int:
        size, ancillary, _, _ = self._inbox.recvmsg_into([buffer], _ANCILLARY)
        self._descriptors = list(descriptors_in(ancillary)) if ancillary else []
        return size

    def _serve(self, content: bytes) -> None:
        ran = self._run(content)
        if ran.large:
            ran = self._send_large(ran)
        self._sender.send(wire.encode(wire.DONE, self._call, ran.content))

    def _send_large(self, ran: payload.Ran) -> payload.Ran:
        """Send what is large in an outcome; return that, or what came of it."""
        self._sender.send(wire.encode(wire.LARGE, self._call, ran.described))
        try:
            for part in ran.large:
                for piece in _pieces(part):  # the agent takes it as fast as the link does
                    self._packer.send(self._call, piece, self._sender.send)
        except Unreadable as obstacle:
            return self._send_large(payload.failed(obstacle.error, ran))
        return ran

    def _run(self, content: bytes) -> payload.Ran:
        """Run a call and return its outcome, once all that it printed is sent."""
        self._running = True
        try:
            ran = payload.run_call(content, self._attached)
        finally:
            self._running = False
        while self._descriptors:  # it could not be unpickled
            os.close(self._descriptors.pop())
        if os.getpid() != self._pid:
            _end_of_a_child(ran)
        if not self._capture.settle() or (ran.seconds > QUICK and self._has_left_children()):
            self._send_new_pipes()
        return ran

    def _interrupt(self, *_: object) -> None:
        """A SIGINT came: it is for the call that runs, or for one that has ended meanwhile."""
        (call,) = NUMBER.unpack(self._interrupted[:])
        self._interrupted[:] = NUMBER.pack(0)
        if self._running and call in (0, self._call):
            raise KeyboardInterrupt

    def _attached(self, writable: bool) -> mmap.mmap:
        """Map the next blob that came with the call; its descriptor is needed no more."""
        descriptor = self._descriptors.pop(0)
        try:
            return mapped(descriptor, writable)
        finally:
            os.close(descriptor)

    def _has_left_children(self) -> bool:
        """Whether a child is there, or one has ended, which may have left children of its own."""
        reaped, self._reaped = self._reaped, resource.getrusage(resource.RUSAGE_CHILDREN)
        return self._reaped != reaped or _has_children()

    def _printed(self, stream: int, data: bytes) -> None:
        self._sender.send(wire.encode(wire.PRINTED, self._call, bytes((stream,)) + data))

    def _tell(self, kind: int, content: bytes) -> None:
        self._sender.send(wire.encode(kind, self._call, content))

    def _send_new_pipes(self) -> None:
        readers = array.array("i", self._capture.renew_pipes())
        self._sender.send(wire.encode(wire.PIPES, self._call), None, readers)


class _Sender:
    """Sends frames from any thread, one whole frame after the other.

    A signal handler that prints may interrupt a send: its frame then waits for the one under way.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = RLock()
        self._waiting: deque[Any] = deque()
        self._sending = False

    def send(
        self,
        frame: bytes,
        piece: memoryview | None = None,
        descriptors: array.array[int] | None = None,
    ) -> None:
        """Send a frame; or its header, and the rest of it."""
        with self._lock:
            self._waiting.append((frame, piece, descriptors))
            if self._sending:
                return
            self._sending = True
            try:
                while self._waiting:
                    self._send(*self._waiting.popleft())
            finally:
                self._sending = False

    def _send(
        self, frame: bytes, piece: memoryview | None, descriptors: array.array[int] | None
    ) -> None:
        if descriptors:  # such a frame is a few bytes: it goes whole
            self._sock.sendmsg([frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        elif len(frame) <= 4096:  # goes whole or not at all
            self._sock.send(frame)
        else:
            self._send_whole(memoryview(frame))
        if piece is not None:
            self._send_whole(piece)

    def _send_whole(self, rest: memoryview) -> None:
        """Send all of it, even when a signal handler raises midway; then what it raised.

        `extend` notes how much was sent before any handler can run.
        """
        raised = None
        while rest:
            sent: list[int] = []
            try:
                sent.extend(map(self._sock.send, (rest,)))
            except BaseException as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise  # it is the socket's
                raised = raised or error
            rest = rest[sum(sent) :]
        if raised is not None:
            raise raised


def _become_a_process_of_our_own() -> None:
    """Undo what a worker must not inherit from the agent that forked it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, FILES)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    alarm.enabled = True
    os.setpgid(0, 0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0, inheritable=True)
    os.close(null)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # for as long as the process lives
    sys.modules["__main__"] = type(sys)("__main__")
    sys.argv = [""]


def _die_with(lifeline: int) -> None:
    """Have this process group killed when the other end of a pipe is closed, be it by a SIGKILL."""
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    if hasattr(fcntl, "F_SETSIG"):  # Linux; elsewhere it is SIGIO, which ends a process too
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)


def _pieces(part: payload.Part) -> Iterable[memoryview]:
    if isinstance(part, memoryview):
        return wire.pieces(part, PIECE)
    return part.pieces(PIECE)


def descriptors_in(ancillary: Sequence[Any]) -> array.array[int]:
    """The descriptors that came along with a message, as `recvmsg` tells of them."""
    descriptors = array.array("i")
    for _, _, data in ancillary:
        descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return descriptors


def _end_of_a_child(ran: payload.Ran) -> NoReturn:
    """A process that the call forked has come back here: end it, as the end of a script would."""
    status = 1
    try:
        ended = ran.outcome()
        if ended.status == payload.RETURNED:
            status = 0
        else:
            error = ended.load()
            code = (*error.args, 0)[0] if isinstance(error, SystemExit) else ""
            if isinstance(code, int):
                status = code & 0xFF
            elif isinstance(error, BaseException):
                import traceback

                traceback.print_exception(type(error), error, error.__traceback__)
    finally:
        os._exit(status)


def _has_children() -> bool:
    """Whether the call left child processes behind, running or not."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
