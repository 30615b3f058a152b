"""The agent's side of imports: what was answered is kept here for all workers of the host.

A worker that imports writes a question to a socket that all of them share, and attaches one of its
own for the answer.  What is not known here is asked for on the other side of the link, once,
however many workers wait for it.  Nothing here waits for anybody.
"""

from __future__ import annotations

import array
import time

from . import served, wire
from .blob import Blob
from .lean import socket, suppress
from .worker import descriptors_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .watcher import Watcher

MOST_DATA = 1 << 28  # bytes of data files; what came first is forgotten first
SMALL = 1 << 14  # bytes: an answer that is larger is in a file in memory
_RIGHTS = socket.CMSG_SPACE(array.array("i").itemsize)


class _Answer:
    """What is kept: here if it is small, else in a file in memory."""

    def __init__(self, holds: int, stamp: bytes, content: memoryview, calls: int) -> None:
        self.stamp = stamp
        self.data = len(content) if holds == served.UNTIL_CALLS else 0  # bytes of a file
        self._content = bytes(content) if len(content) < SMALL else b""
        self._blob: Blob | None = None
        self._until = time.monotonic() + served.MOMENT if holds == served.FOR_A_MOMENT else None
        self._calls = calls if holds == served.UNTIL_CALLS else None
        if not self._content:
            self._blob = Blob(len(content))
            self._blob.add(content)
            if self._blob.obstacle:
                self._content = served.for_asker((served.ERROR, self._blob.obstacle))
                self._blob = None

    def holds(self, calls: int) -> bool:
        if self._until is not None:
            return time.monotonic() < self._until
        return self._calls is None or self._calls == calls

    def hold_on(self, calls: int) -> None:
        self._calls = calls

    def give(self, asker: socket.socket) -> None:
        """Send it to who asked, and never wait for that."""
        with suppress(OSError):  # it is gone
            if self._blob is None:
                asker.sendmsg([self._content], (), socket.MSG_DONTWAIT)
            else:
                rights = array.array("i", [self._blob.fileno()])
                levels = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
                asker.sendmsg([b"\0"], levels, socket.MSG_DONTWAIT)
        asker.close()

    def close(self) -> None:
        if self._blob is not None:
            self._blob.close()


class _Awaited:
    """A question that was passed on."""

    def __init__(self, question: bytes, stamp: bytes, calls: int) -> None:
        self.question = question
        self.stamp = stamp  # of what is kept
        self.calls = calls  # how many had come then
        self.askers: list[socket.socket] = []


class Answers:
    """What imports here have asked for, and what the other side has answered.

    Args:
        watcher: Has our handler called.
        say: Sends a frame to the other side.

    Attributes:
        asking: The end of the socket for the workers' questions that is theirs.
        calls: How many calls have come.
    """

    def __init__(self, watcher: Watcher, say: Callable[..., None]) -> None:
        self.calls = 0
        self._door, self.asking = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._door.setblocking(False)
        self._say = say
        self._kept: dict[bytes, _Answer] = {}
        self._awaited: dict[int, _Awaited] = {}
        self._count = 0
        self._data = 0  # bytes of data files that are kept
        watcher.watch(self._door.fileno(), self._hear)

    def close(self) -> None:
        """In a worker: close what is the agent's."""
        self._door.close()
        for kept in self._kept.values():
            kept.close()
        for awaited in self._awaited.values():
            for asker in awaited.askers:
                asker.close()

    def take(self, number: int, content: wire.Bytes) -> None:
        """The answer to a question has come."""
        awaited = self._awaited.pop(number)
        holds, stamp, also, rest = served.cut(content)
        known = self._kept.get(awaited.question)
        if holds != served.UNCHANGED:
            answer = _Answer(holds, stamp, rest, awaited.calls)
        elif known is not None and known.stamp == awaited.stamp:
            answer = known
            answer.hold_on(awaited.calls)
        else:  # another answer has taken its place meanwhile
            self._pass_on(awaited.question, b"").askers += awaited.askers
            return
        for asker in awaited.askers:
            answer.give(asker)
        if answer is not known:
            self._keep(awaited.question, answer)
        for question in also:
            self._kept.setdefault(question, answer)

    def _hear(self) -> None:
        try:
            message, ancillary, _, _ = self._door.recvmsg(served.LONGEST, _RIGHTS)
        except BlockingIOError:
            return
        question = message[1:]
        if message[:1] == served.FORGET:
            self._drop(question)
        for descriptor in descriptors_in(ancillary):
            self._ask(question, socket.socket(fileno=descriptor))

    def _ask(self, question: bytes, asker: socket.socket) -> None:
        known = self._kept.get(question)
        if known is not None and known.holds(self.calls):
            known.give(asker)
            return
        for awaited in self._awaited.values():
            same_calls = awaited.calls == self.calls or not served.may_change(question)
            if awaited.question == question and same_calls:
                awaited.askers.append(asker)
                return
        self._pass_on(question, known.stamp if known is not None else b"").askers.append(asker)

    def _pass_on(self, question: bytes, stamp: bytes) -> _Awaited:
        self._count += 1
        awaited = self._awaited[self._count] = _Awaited(question, stamp, self.calls)
        self._say(wire.encode(wire.WANT, self._count, stamp.ljust(served.STAMP, b"\0") + question))
        return awaited

    def _keep(self, question: bytes, answer: _Answer) -> None:
        self._drop(question)
        self._kept[question] = answer
        self._data += answer.data
        while self._data > MOST_DATA:
            self._drop(next(each for each, kept in self._kept.items() if kept.data))

    def _drop(self, question: bytes) -> None:
        """Forget an answer; the last that has it closes its file."""
        old = self._kept.pop(question, None)
        if old is not None:
            self._data -= old.data
            if all(old is not kept for kept in self._kept.values()):
                old.close()
