"""What a worker's process prints, in the order in which it was printed, as PRINTED frames.

Python's own sys.stdout and sys.stderr write frames straight away, so their order is exact.  Their
descriptors, 1 and 2, are pipes: what C code and child processes write there is sent by the worker
whenever Python prints and when the call ends; while the call is busy, the agent reads the pipes.

Children that outlive their call keep the pipes that it had, which the agent reads on.  Threads that
do are given them too, so that what they print is no later call's.
"""

from __future__ import annotations

import _thread
import io
import os
import select
import sys

from .lean import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Emit = Callable[[int, bytes], None]  # (stream, data)
    Threads = frozenset[int]  # by the numbers that the system has for them

STREAMS = (1, 2)
_CHUNK = 1 << 16
_ENCODING, _ERRORS = "utf-8", "backslashreplace"
_NONE: Threads = frozenset()


class Capture:
    """Owns the descriptors 1 and 2 of this process, and sys.stdout and sys.stderr."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._owner = os.getpid()
        self._lock = RLock()  # a poll object refuses two threads at a time
        self._poll = select.poll()
        self._readers: dict[int, int] = {}  # the pipe's read end -> the stream it catches
        self._left: Threads = frozenset()  # threads that have outlived their call
        self._old: dict[int, int] = {}  # the stream -> the write end of the pipe that they have
        self._gives_away = False  # the pipes, to such threads, when it gets new ones
        self._texts = [_text(stream, self) for stream in STREAMS]
        sys.__stdout__, sys.__stderr__ = self._texts  # type: ignore[misc]
        self.settle()

    def renew_pipes(self) -> tuple[int, int]:
        """Put new pipes behind 1 and 2 and return their read ends; children keep the old ones."""
        with self._lock:
            if self._gives_away:
                self._old = {stream: os.dup(stream) for stream in STREAMS}
            for reader in self._readers:
                self._poll.unregister(reader)
                os.close(reader)
            _occupy_standard_descriptors()
            self._readers = {_pipe_behind(stream): stream for stream in STREAMS}
            for reader in self._readers:
                self._poll.register(reader, select.POLLIN)
            first, second = self._readers
            return first, second

    def drain(self) -> bool:
        """Send what was written to the pipes and not read yet; False when one was closed."""
        with self._lock:
            ready = self._poll.poll(0)
            if not ready:
                return True
            for reader, event in ready:
                if event & select.POLLIN:
                    self._drain(reader)
        return all(event == select.POLLIN for _, event in ready)

    def settle(self) -> bool:
        """Send the rest, and undo what a call did to sys.stdout and sys.stderr.

        Returns False when it needs new pipes: it closed 1 or 2, or left threads that get these.
        """
        if not self._are_intact():
            self._texts = [_text(stream, self) for stream in STREAMS]
        sys.stdout, sys.stderr = self._texts
        intact = self.drain()
        if "threading" not in sys.modules or not _thread._count():
            self._left, self._gives_away = _NONE, False
            return intact
        self._left = _other_threads()
        self._gives_away = intact and bool(self._left) and not self._old
        return intact and not self._gives_away

    def _are_intact(self) -> bool:
        """Whether a call has neither detached nor reconfigured sys.stdout and sys.stderr."""
        first, second = self._texts
        try:
            return (
                first.errors == second.errors == _ERRORS
                and first.encoding == second.encoding == _ENCODING
            )
        except ValueError:
            return False

    def write(self, stream: int, data: bytes) -> None:
        """Send what Python prints; in a forked child it goes to the descriptor like all else."""
        if os.getpid() != self._owner:
            _write_all(stream, data)
            return
        if self._left and self._old and _thread.get_native_id() in self._left:
            _write_all(self._old[stream], data)
            return
        self.drain()
        for start in range(0, len(data), _CHUNK):
            self._emit(stream, data[start : start + _CHUNK])

    def _drain(self, reader: int) -> None:
        try:
            for _ in range(16):  # 1 MB, the most that a pipe holds: a child may write on and on
                data = os.read(reader, _CHUNK)
                if not data:
                    return
                self._emit(self._readers[reader], data)
        except BlockingIOError:
            return


class _Raw(io.RawIOBase):
    """The binary file below sys.stdout or sys.stderr."""

    def __init__(self, stream: int, capture: Capture) -> None:
        self._stream = stream
        self._capture = capture
        self.name = f"<{'stdout' if stream == 1 else 'stderr'}>"
        self.mode = "wb"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream

    def write(self, data: Any) -> int:
        if type(data) is bytes:  # what a TextIOWrapper writes
            content = data
        else:
            with memoryview(data) as view:
                content = bytes(view)
        self._capture.write(self._stream, content)
        return len(content)

    def close(self) -> None:
        """Stay open: a job that closes sys.stdout must not take it from the next one."""


def _text(stream: int, capture: Capture) -> io.TextIOWrapper:
    return io.TextIOWrapper(_Raw(stream, capture), _ENCODING, _ERRORS, write_through=True)


def _other_threads() -> Threads:
    """The threads that are there, besides this one."""
    import threading

    numbers = {thread.native_id or 0 for thread in threading.enumerate()}
    return frozenset(numbers - {0, _thread.get_native_id()})


def _occupy_standard_descriptors() -> None:
    """Put something behind 0, 1 and 2 where a call has closed them, lest a pipe lands there."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _pipe_behind(stream: int) -> int:
    reader, writer = os.pipe()
    os.dup2(writer, stream, inheritable=True)
    os.close(writer)
    os.set_blocking(reader, False)
    return reader


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
