"""What the agent has to say and the channel has not taken yet."""

from __future__ import annotations

import os
from itertools import islice

from . import wire
from .lean import deque, suppress

BACKLOG = 1 << 20  # bytes that wait before the workers have to wait too
_VECTORS = 256  # pieces that are written at once
_GATHER = 0.001  # seconds: while more comes, what is to be written waits that long for it


class Sink:
    """Writes to a descriptor what that takes without blocking; keeps the rest, in order.

    Attributes:
        gathering: Whether something was put in since the last write.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.gathering = False
        self._due = 0.0
        self._pieces: deque[wire.Bytes] = deque()
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether so much waits that nothing should be added."""
        return self._size > BACKLOG

    def is_due(self, now: float) -> bool:
        """Whether what is gathered should wait no longer, by the monotonic clock."""
        if not self._due:
            self._due = now + _GATHER
        return now >= self._due

    def put(self, *pieces: wire.Bytes) -> None:
        self.gathering = True
        self._pieces += filter(len, pieces)  # an empty one would never be written
        self._size += sum(map(len, pieces))

    def flush(self) -> bool:
        """Write; return whether something is left."""
        self.gathering, self._due = False, 0.0
        with suppress(BlockingIOError):
            while self._pieces:
                batch = list(islice(self._pieces, _VECTORS))
                self._forget(os.writev(self.descriptor, batch))
        return bool(self._pieces)

    def _forget(self, written: int) -> None:
        self._size -= written
        while written:
            piece = self._pieces.popleft()
            if len(piece) > written:
                self._pieces.appendleft(memoryview(piece)[written:])
            written -= min(written, len(piece))
