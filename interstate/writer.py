"""Writes to one host what could not be written at once: small frames first, blobs bit by bit.

It outlives the stream that it writes to: what may not have arrived over the one that was lost is
written anew to the next one.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

from .blobs import Blob
from .boot import Stream
from .fileblobs import FileBlob
from .remote import wire
from .remote.ledger import Ledger
from .remote.packer import PIECE, Packer
from .shelf import Shelf

_JOIN = 1 << 16  # bytes: small frames are put together up to this


class Piece(NamedTuple):
    """A part of a blob."""

    blob: int
    content: memoryview


class Writer:
    """A thread that writes to a stream, and what it has yet to write.

    Args:
        stream: What to write to.
        limit: How much of blobs that no call uses may stay over there, bytes.
        name: What the thread is called.
    """

    def __init__(self, stream: Stream, limit: int, name: str) -> None:
        self._stream = stream
        self._shelf = Shelf(limit)
        self._small: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()  # None is the end
        self._unwritten: deque[None] = deque()  # one for each of them until it is written
        self._large: deque[Iterator[bytes | Piece]] = deque()
        self._shelving = threading.Lock()  # what the shelf says and `_large` go together
        self._packer = Packer()
        self._writing = threading.Lock()  # held while a frame is being written; guards the next
        self._ledger = Ledger()
        self._counting = threading.Lock()  # guards the ledger; held for moments only
        self._writable = threading.Event()  # unset between two streams
        self._writable.set()
        self._over = False
        self._unsent: list[bytes] = []  # at the end
        self.written = 0  # how often something was
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def send(self, frames: bytes) -> None:
        """Send whole frames; returns at once, whatever the host does.

        Where nothing is before it and the way is free, the caller writes it: a thread less to wake.
        """
        if not self._send_now(frames):
            self._unwritten.append(None)
            self._small.put(frames)

    def send_with(self, call: int, blobs: Sequence[Blob], frame: bytes) -> None:
        """Send a call's frame, and before it those of its blobs that the host has not."""
        with self._shelving:
            missing = self._shelf.lend(call, blobs)
            self._large += map(_forget, self._shelf.make_room(missing))
            self._large += map(_pieces, missing)
            self._large.append(iter([frame]))
        self._small.put(b"")  # wakes the thread

    def send_in_line(self, frame: bytes) -> None:
        """Send a frame behind all calls with blobs."""
        with self._shelving:
            behind = bool(self._large)
            if behind:
                self._large.append(iter([frame]))
        if behind:
            self._small.put(b"")
        else:
            self.send(frame)

    def done_with(self, call: int, refused: bool = False) -> None:
        """A call that was sent with blobs has ended, come back, or was refused for want of them."""
        with self._shelving:
            numbers = self._shelf.give_back(call, refused)
            self._large += map(_forget, numbers)
        if numbers:
            self._small.put(b"")

    def acknowledged(self, count: int) -> None:
        """The host has that many bytes, since the beginning.

        Raises:
            wire.ProtocolError: It cannot have.
        """
        with self._counting:
            self._ledger.arrived(count)

    def resume(self, stream: Stream, count: int) -> None:
        """Go on with another stream; the host has that many bytes.

        Raises:
            wire.ProtocolError: It cannot have.
            OSError: That stream is lost, too.
        """
        with self._writing:
            with self._counting:
                again = self._ledger.take_back(count)
                self._ledger.add(again, sum(map(len, again)))
            for piece in again:
                stream.write(piece)
            self._stream = stream
            self._writable.set()

    def end(self, frame: bytes) -> None:
        """Write a last frame, in place of all that is still to be written; then no more."""
        with self._shelving:
            self._large.clear()
        for _ in filter(None, self._take_all_small()):
            self._unwritten.popleft()
        self.send(frame)
        self._small.put(None)

    def close(self) -> None:
        """Write no more."""
        self._over = True
        self._writable.set()
        self._small.put(None)

    def wind_up(self) -> list[int]:
        """Wait for the end of a writer that was closed; return the calls that it never sent.

        Nothing is kept of what it had to write.
        """
        self.thread.join()
        unsent = [*self._unsent, *filter(None, self._take_all_small())]
        for item in self._large:
            if not isinstance(item, Generator):  # that is a blob: no need to read it
                unsent += (frame for frame in item if isinstance(frame, bytes))
        self._large.clear()
        self._unsent, self._ledger = [], Ledger()
        return [call for frames in unsent for call in _calls_in(frames)]

    def _take_all_small(self) -> Iterator[bytes | None]:
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._small.get_nowait()

    def _send_now(self, frames: bytes) -> bool:
        if self._unwritten or not self._writing.acquire(blocking=False):
            return False
        try:
            if self._over or not self._writable.is_set():
                return False
            with self._counting:
                self._ledger.add((frames,), len(frames))  # first: it may be acknowledged at once
            if not self._stream.write_now(frames):
                with self._counting:
                    self._ledger.withdraw()
                return False
            self.written += 1
        except OSError:
            self._lose_stream()
        finally:
            self._writing.release()
        return True

    def _lose_stream(self) -> None:
        self._writable.clear()
        self._stream.close()  # who reads sees the end, and tells of it

    def _run(self) -> None:
        while self._write_small():
            self._write_piece()

    def _write_small(self) -> bool:
        """Write the small frames that are there, waiting for one if there is nothing else."""
        while not (self._large and self._small.empty()) and not self._over:
            pieces = self._next()
            if pieces is None:
                return False
            if any(pieces):
                self._write(b"".join(pieces))
            for _ in filter(None, pieces):
                self._unwritten.popleft()
            del pieces  # a payload must not live until the next one comes
        return not self._over

    def _next(self) -> list[bytes] | None:
        """What is there to be written as one, so that small pieces travel together."""
        first = self._small.get()
        if first is None:
            return None
        pieces, size = [first], len(first)
        for piece in self._take_all_small():
            if piece is None:
                self._small.put(None)
                break
            pieces.append(piece)
            size += len(piece)
            if size >= _JOIN:
                break
        return pieces

    def _write_piece(self) -> None:
        """Write the next frame of what is large."""
        with self._shelving:
            item = self._large[0] if self._large else iter(())
        frame = next(item, None)  # without the lock: it may wait for a disk
        if frame is None:
            with self._shelving:
                if self._large and self._large[0] is item:
                    self._large.popleft()
        elif isinstance(frame, Piece):
            self._packer.send(*frame, self._write)
        else:
            self._write(frame)

    def _write(self, *frame: wire.Bytes) -> None:
        """Write one frame, or whole ones: in one piece or several."""
        self._writable.wait()
        with self._writing:
            if self._over:
                self._unsent.append(b"".join(frame))
                return
            with self._counting:
                self._ledger.add(frame, sum(map(len, frame)))
            self.written += 1
            try:
                for part in frame:
                    self._stream.write(part)
            except OSError:
                self._lose_stream()


def _pieces(blob: Blob) -> Iterator[bytes | Piece]:
    if isinstance(blob, FileBlob):
        yield from _pieces_of_file(blob)
        return
    yield wire.encode(wire.BLOB, blob.number, wire.LENGTH.pack(blob.size))
    for piece in wire.pieces(blob.content, PIECE):
        yield Piece(blob.number, piece)


def _pieces_of_file(blob: FileBlob) -> Iterator[bytes | Piece]:
    """They are read when they are written; where that fails, the calls that need it are to know."""
    yield wire.encode(wire.FILE, blob.number, blob.described)
    try:
        for piece in blob.pieces(PIECE):
            yield Piece(blob.number, memoryview(piece))
    except Exception as obstacle:  # the thread must go on, whatever it is
        yield wire.encode(wire.FILE, blob.number, str(obstacle).encode(errors="replace"))


def _forget(number: int) -> Iterator[bytes]:
    return iter([wire.encode(wire.FORGET, number)])


def _calls_in(frames: bytes) -> Iterator[int]:
    """The calls that whole frames are about to start."""
    start = 0
    while start < len(frames):
        kind, call, length = wire.HEADER.unpack_from(frames, start)
        if kind == wire.CALL:
            yield call
        start += wire.HEADER.size + length
