"""A slot: the agent's side of one worker, and the calls that lie in its inbox."""

from __future__ import annotations

import array
import mmap
import os
import time

from . import family, wire, worker
from .lean import deque, signal, socket, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .blob import Either as Blob

READ = 1 << 16  # bytes at once
DEPTH = 8  # calls in an inbox at most; Linux lets 10 messages wait in such a socket
_EXITING = 4  # PF_EXITING, of the flags in proc_pid_stat(5)
_ANCILLARY = socket.CMSG_SPACE(4 * array.array("i").itemsize)


class Call:
    """A call on its way to a worker, and the blobs that it needs."""

    __slots__ = ("_blobs", "_message", "id")

    def __init__(
        self, id: int, content: wire.Bytes, blobs: Sequence[Blob] = (), about: bytes = b""
    ) -> None:
        self.id = id
        self._message = b"".join((worker.CALL.pack(id, len(about)), about, content))
        self._blobs = blobs

    def send(self, inbox: socket.socket) -> None:
        if not self._blobs:
            inbox.send(self._message)
        else:
            found = (blob.fileno() for blob in self._blobs)
            descriptors = array.array("i", [number for number in found if number is not None])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
            inbox.sendmsg([self._message], rights if descriptors else ())


class Slot:
    """The place of one worker; the first of its `calls` is the one that runs.

    Attributes:
        calls: What was put into the inbox and is not answered, oldest first.
        since: When the first of them could start, by the monotonic clock.
        announced: Whether the first is known to run for longer than a moment.
        answered: Whether it has ever answered a call.
        starting: Whether it runs its initializer.
        stop_due: When the call that was told to stop is made to, by the monotonic clock.
        stacks: Where the worker writes the stacks of its threads when it crashes.
        killed_for: Why we have killed it, or "".

    Args:
        most: How many calls the worker may run; None: any number.
    """

    def __init__(self, most: int | None = None) -> None:
        self._inbox, self._inbox_there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.outbox, self._outbox_there = socket.socketpair()
        self._lifeline_there, self._lifeline = os.pipe()  # ends with us, however we end
        self.stacks, self._stacks_there = os.pipe()
        os.set_blocking(self.stacks, False)
        os.set_blocking(self._stacks_there, False)
        self._decoder = wire.Decoder()
        self.pid = 0
        self.pipes: dict[int, int] = {}  # read ends of what the worker has as 1 and 2 -> which
        self._old_pipes: list[int] = []
        self.watched: set[int] = set()  # the descriptors of ours that the agent's selector watches
        self.calls: deque[Call] = deque()
        self.since = 0.0
        self.announced = False
        self.answered = False
        self.starting = False
        self.stop_due: float | None = None
        self.reaped = False
        self.killed_for = ""
        self._left = most if most is not None else float("inf")  # calls that it may be given
        self._dismissed = False
        self._interrupted = mmap.mmap(-1, worker.NUMBER.size)  # shared: the call that is to stop

    # ------------------------------------------------------------------ a worker's life

    def forked(self, pid: int) -> None:
        """In the agent, after the fork: keep our ends, and the end that calls are taken back by."""
        self.pid = pid
        self._outbox_there.close()
        os.close(self._lifeline_there)
        os.close(self._stacks_there)
        self._inbox.setblocking(False)
        self.outbox.setblocking(False)
        # The worker does so too; whoever comes second is refused.  It may also be gone already.
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(pid, pid)

    def worker_ends(self) -> tuple[socket.socket, socket.socket, int, int, mmap.mmap]:
        """In the worker, after the fork: what it is to use; our ends are closed."""
        self._inbox.close()
        self.outbox.close()
        os.close(self._lifeline)
        os.close(self.stacks)
        pipes = self._lifeline_there, self._stacks_there
        return self._inbox_there, self._outbox_there, *pipes, self._interrupted

    def interrupt(self) -> None:
        """Interrupt the call that runs, as Ctrl-C would, and what it started."""
        self._interrupted[:] = worker.NUMBER.pack(self.calls[0].id)
        self.signal(signal.SIGINT)

    def dismiss(self) -> None:
        """Let the worker end when it has answered what it has."""
        self._dismissed = True
        with suppress(OSError):  # it has ended already
            self._inbox.shutdown(socket.SHUT_WR)

    def signal(self, number: int) -> None:
        """Send a signal to the worker and what its calls started, as far as it is in its group."""
        with suppress(PermissionError, ProcessLookupError):  # nobody is left of it
            os.killpg(self.pid, number)

    def kill(self, why: str = "it did not end in time") -> None:
        """End the worker and what its calls started."""
        self.killed_for = self.killed_for or ("" if self.reaped else why)
        strays = [] if self.reaped else family.descendants(self.pid)
        with suppress(PermissionError, ProcessLookupError):  # nobody is left of it
            os.killpg(self.pid, signal.SIGKILL)
        if not self.reaped:  # a call may have moved it to another group
            family.kill([self.pid, *strays])

    def close(self) -> None:
        """Close every descriptor of this slot; it is used no more."""
        for sock in (self._inbox, self._inbox_there, self.outbox, self._outbox_there):
            sock.close()
        for pipe in (self._lifeline, self.stacks, *self.pipes, *self._old_pipes):
            os.close(pipe)
        self._interrupted.close()
        self.pipes, self._old_pipes = {}, []

    # ---------------------------------------------------------------------------- calls

    def busy_since(self, moment: float) -> bool:
        """Whether one call has been running since before a moment of the monotonic clock."""
        return bool(self.calls) and self.since <= moment

    @property
    def usable(self) -> bool:
        """Whether it may be given calls."""
        return not (self.starting or self._dismissed) and self.stop_due is None and self._left > 0

    @property
    def used_up(self) -> bool:
        """Whether it has answered all the calls that it may be given."""
        return self._left <= 0 and not self.calls

    def has_room(self) -> bool:
        """Whether one more call may wait behind the one that runs."""
        return not self.announced and len(self.calls) < DEPTH and self.usable

    def give(self, call: Call) -> bool:
        """Put a call into the inbox; False when it is full."""
        try:
            call.send(self._inbox)
        except (BlockingIOError, BrokenPipeError):  # or the worker is gone: its death will be told
            return False
        if not self.calls:
            self.since = time.monotonic()
        self.calls.append(call)
        self._left -= 1
        return True

    def take_back(self) -> list[Call]:
        """Take the calls out of the inbox that the worker has not taken; oldest first.

        The worker may take some at the same time; each message goes to one of us.
        """
        taken = set(self._take_all())
        back = [call for call in self.calls if call.id in taken]
        if back:
            self._left += len(back)
            self.calls = deque(call for call in self.calls if call.id not in taken)
        return back

    def _take_all(self) -> Iterator[int]:
        """Empty the inbox; yield the calls' ids."""
        with suppress(BlockingIOError):
            while message := self._inbox_there.recv(worker.NUMBER.size, socket.MSG_DONTWAIT):
                yield worker.NUMBER.unpack(message)[0]

    def finish(self, call: int) -> None:
        """Note that the first call was answered."""
        if not self.calls or self.calls[0].id != call:
            raise wire.ProtocolError(f"worker {self.pid} answered call {call}, which it has not")
        self.calls.popleft()
        self.answered = True
        self.since = time.monotonic()
        self.announced = False

    # --------------------------------------------------------------------------- output

    def receive(self) -> list[wire.Frame] | None:
        """Return the frames that are whole with what the worker has sent; None: nothing is there.

        A worker that has closed its end is killed.
        """
        try:
            data, ancillary, _, _ = self.outbox.recvmsg(READ, _ANCILLARY)
        except (BlockingIOError, ConnectionResetError):
            return None
        if not data:
            self.kill("" if self._is_ending() else "it had closed its end of our connection")
            return None
        frames = self._decoder.receive(data)
        pipes = worker.descriptors_in(ancillary)
        if pipes:
            self._old_pipes.extend(self.pipes)
            self.pipes = {pipe: stream for stream, pipe in enumerate(pipes, 1)}
        return frames

    def _is_ending(self) -> bool:
        """Whether the worker has begun to end, which closes all that it has open."""
        with suppress(OSError), open(f"/proc/{self.pid}/stat", "rb") as stat:
            after_name = stat.read().rpartition(b")")[2].split()
            return bool(int(after_name[6]) & _EXITING)
        return True

    def take_old_pipes(self) -> list[int]:
        """Return the pipes that the worker has replaced; they are the caller's now."""
        pipes, self._old_pipes = self._old_pipes, []
        return pipes

    def unread_output(self) -> Iterator[tuple[int, bytes]]:
        """Yield (stream, data) for what lies in the pipes, no more of each than one can hold."""
        for pipe, stream in list(self.pipes.items()):
            try:
                data = os.read(pipe, READ)
            except BlockingIOError:
                continue
            if data:
                yield stream, data
            else:  # the call has closed it
                self._old_pipes.append(pipe)
                del self.pipes[pipe]


def exit_status(status: int) -> int:
    """The exit status; the negative number of the signal where it was one."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
