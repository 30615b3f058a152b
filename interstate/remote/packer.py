"""Large things as PARTs, compressed where that is quicker than to send them as they are.

Whether it is, is measured: how fast what is written goes away, and how much a piece shrinks in what
time.  Both ends use it.
"""

from __future__ import annotations

import time
import zlib

from . import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 1 << 18  # bytes of something large that are sent at once
_SLOW = 40e6  # bytes a second; what is faster leaves no time to compress
_FADE = 0.8  # how much of what was measured before still counts at each piece
_LONGEST = 64  # pieces that are sent without another try, where they do not shrink


class Packer:
    """Decides piece by piece; knows how long it took to write those before."""

    def __init__(self) -> None:
        self._bytes = 0.0
        self._seconds = 0.0
        self._pause = 1
        self._untried = 0  # pieces to go until the next try

    def send(
        self, number: int, piece: memoryview, write: Callable[[bytes, memoryview], object]
    ) -> None:
        """Have a piece of the thing of that number written: a frame's header, and the rest."""
        packed = self.packed(piece)
        kind, data = (wire.PART, piece) if packed is None else (wire.PACKED, memoryview(packed))
        start = time.perf_counter()
        write(wire.HEADER.pack(kind, number, len(data)), data)
        self.written(len(data), time.perf_counter() - start)

    def packed(self, piece: wire.Bytes) -> bytes | None:
        """Return the piece compressed, or None if it is better sent as it is."""
        if self._bytes >= _SLOW * self._seconds:
            return None
        if self._untried:
            self._untried -= 1
            return None
        start = time.perf_counter()
        packed = zlib.compress(piece, 1)
        spent = time.perf_counter() - start
        if (len(piece) - len(packed)) * self._seconds > spent * self._bytes:
            self._pause = 1
            return packed
        self._untried = self._pause = min(2 * self._pause, _LONGEST)
        return None

    def written(self, size: int, seconds: float) -> None:
        """So many bytes were written in that time."""
        self._bytes = self._bytes * _FADE + size
        self._seconds = self._seconds * _FADE + seconds


class Unpacker:
    """Undoes it, as the bytes come in."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()

    def unpacked(self, data: wire.Bytes) -> bytes:
        """Return what these bytes, which continue those before, stand for."""
        content = self._stream.decompress(data)
        if self._stream.eof:
            self._stream = zlib.decompressobj()
        return content
