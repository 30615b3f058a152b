"""What one call has printed: in order, and no more of it than the executor keeps of a call.

Of what is too much the middle is dropped: its beginning and its end tell the most.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterator

_SEGMENT = 1 << 16  # bytes after which another segment is begun
_OVERHEAD = 160  # bytes that a segment takes besides what is in it
_UNCOUNTED = 1024  # segments in either half whose overhead does not count

Segment = tuple[int, bytearray]  # which stream, and what was written to it


class Printed:
    """What a call wrote to its streams: one thread adds to it, any may read it meanwhile.

    Args:
        limit: How many bytes are kept; None: all.  A call that goes back and forth between its
            streams often has fewer kept, by what it takes to know which was which.
    """

    __slots__ = ("_first", "_last", "_limit", "_lock", "_room")

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._lock = threading.RLock()  # a signal's handler may read while its thread reads
        self._first: list[Segment] = []
        self._room = float("inf") if limit is None else limit // 2  # that is left in it
        self._last: _Last | None = None  # what came when that was full

    def add(self, stream: int, data: bytes) -> None:
        """Keep what was written, as far as there is room."""
        with self._lock:
            if self._room > 0:
                data = self._fill(stream, data)
            if data and self._limit is not None:
                if self._last is None:
                    self._last = _Last(self._limit - self._limit // 2)
                self._last.add(stream, data)

    def joined(self, streams: Collection[int]) -> bytes:
        """Return what was written to these streams, in order; a line says where some is missing."""
        with self._lock:  # join lets other threads run, and what it reads must not be resized then
            return b"".join(self._pieces(streams))

    def _fill(self, stream: int, data: bytes) -> bytes:
        """Put into the first half what fits; return the rest."""
        fits = data if len(data) <= self._room else data[: int(self._room)]
        if fits:
            self._room -= _append(self._first, stream, fits)
        return data[len(fits) :]

    def _pieces(self, streams: Collection[int]) -> Iterator[bytes | bytearray]:
        yield from (data for stream, data in self._first if stream in streams)
        if self._last is not None:
            dropped = sum(self._last.dropped.get(stream, 0) for stream in streams)
            if dropped:
                yield _notice(dropped)
            yield from (data for stream, data in self._last.segments if stream in streams)


class _Last:
    """The last of what is added.

    Attributes:
        dropped: How many bytes of each stream came before that.
    """

    __slots__ = ("_excess", "dropped", "segments")

    def __init__(self, room: int) -> None:
        self.segments: deque[Segment] = deque()
        self.dropped: dict[int, int] = {}
        self._excess = -room  # bytes that are too many

    def add(self, stream: int, data: bytes) -> None:
        self._excess += _append(self.segments, stream, data)
        while self._excess > 0:
            self._drop()

    def _drop(self) -> None:
        """Drop of the oldest segment what is too much."""
        stream, data = self.segments[0]
        size = min(len(data), self._excess)
        self._excess -= size
        self.dropped[stream] = self.dropped.get(stream, 0) + size
        if size < len(data):
            del data[:size]
        else:
            self._excess -= _overhead(len(self.segments))
            self.segments.popleft()


def _append(segments: list[Segment] | deque[Segment], stream: int, data: bytes) -> int:
    """Add to the last segment, or begin another; return how many bytes are taken by it."""
    if segments and segments[-1][0] == stream and len(segments[-1][1]) < _SEGMENT:
        segments[-1][1].extend(data)
        return len(data)
    segments.append((stream, bytearray(data)))
    return len(data) + _overhead(len(segments))


def _overhead(number: int) -> int:
    """What the last of so many segments counts besides its bytes."""
    return _OVERHEAD if number > _UNCOUNTED else 0


def _notice(dropped: int) -> bytes:
    what = "1 byte was" if dropped == 1 else f"{dropped:,} bytes were"
    return f"\n[interstate: {what} dropped here, beyond output_limit]\n".encode()
