"""Writes to one host what could not be written at once: small frames first, blobs bit by bit."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .blobs import Blob
from .boot import Stream
from .remote import wire
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
        self._writing = threading.Lock()  # held while a frame is being written
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
            self._large += map(_pieces, self._shelf.lend(call, blobs))
            self._large.append(iter([frame]))
        self._small.put(b"")  # wakes the thread

    def done_with(self, call: int, refused: bool = False) -> None:
        """A call that was sent with blobs has ended, come back, or was refused for want of them."""
        with self._shelving:
            numbers = self._shelf.give_back(call, refused)
            self._large += (iter([wire.encode(wire.FORGET, number)]) for number in numbers)
        if numbers:
            self._small.put(b"")

    def close(self) -> None:
        """Write what is there and no more."""
        self._small.put(None)

    def _send_now(self, frames: bytes) -> bool:
        if self._unwritten or not self._writing.acquire(blocking=False):
            return False
        try:
            return self._stream.write_now(frames)
        except OSError:
            self._stream.close()  # who reads sees the end, and tells of it
            return True
        finally:
            self._writing.release()

    def _run(self) -> None:
        try:
            while self._write_small():
                self._write_piece()
        except OSError:
            self._stream.close()  # likewise
        self._large.clear()  # nobody will have it, and it may be a lot

    def _write_small(self) -> bool:
        """Write the small frames that are there, waiting for one if there is nothing else."""
        while not (self._large and self._small.empty()):
            pieces = self._next()
            if pieces is None:
                return False
            if any(pieces):
                self._write(b"".join(pieces))
            for _ in filter(None, pieces):
                self._unwritten.popleft()
            del pieces  # a payload must not live until the next one comes
        return True

    def _next(self) -> list[bytes] | None:
        """What is there to be written as one, so that small pieces travel together."""
        first = self._small.get()
        if first is None:
            return None
        pieces, size = [first], len(first)
        while size < _JOIN and not self._small.empty():
            piece = self._small.get()
            if piece is None:
                self._small.put(None)
                break
            pieces.append(piece)
            size += len(piece)
        return pieces

    def _write_piece(self) -> None:
        """Write the next frame of what is large."""
        frame = next(self._large[0], None)
        if frame is None:
            self._large.popleft()
        elif isinstance(frame, Piece):
            self._packer.send(*frame, self._write)
        else:
            self._write(frame)

    def _write(self, *frame: wire.Bytes) -> None:
        """Write one frame, or whole ones: in one piece or several."""
        with self._writing:
            for part in frame:
                self._stream.write(part)


def _pieces(blob: Blob) -> Iterator[bytes | Piece]:
    yield wire.encode(wire.BLOB, blob.number, wire.LENGTH.pack(len(blob.content)))
    for piece in wire.pieces(blob.content, PIECE):
        yield Piece(blob.number, piece)
