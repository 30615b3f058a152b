"""What the agent has to say, what the channel has not taken yet, and what may not have arrived."""

from __future__ import annotations

import os

from . import wire
from .lean import deque, suppress
from .ledger import Ledger

BACKLOG = 1 << 20  # bytes that wait before the workers have to wait too
UNSURE = 1 << 24  # bytes that may not have arrived: likewise
_VECTORS = 256  # pieces that are written at once
_SMALL = 1 << 12  # bytes: pieces of what was printed that are smaller share a frame
_JOINED = 1 << 15  # bytes that they may be together
_GATHER = 0.001  # seconds: while more comes, what is to be written waits that long for it


class Sink:
    """Writes to a descriptor what that takes without blocking; keeps the rest, in order.

    Attributes:
        descriptor: Where it writes to; None: nowhere, at present.
        gathering: Whether something was put in since the last write.
        ledger: What was written.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor: int | None = descriptor
        self.gathering = False
        self.ledger = Ledger()
        self._due = 0.0
        self._pieces: deque[wire.Bytes] = deque()
        self._size = 0
        self._printed: list[wire.Bytes] = []  # what one call printed to one stream, for one frame
        self._joined = 0  # bytes of it
        self._call = self._stream = 0  # whose it is

    @property
    def full(self) -> bool:
        """Whether so much waits that nothing should be added."""
        return self._size + self._joined > BACKLOG or self.ledger.size > UNSURE

    def is_due(self, now: float) -> bool:
        """Whether what is gathered should wait no longer, by the monotonic clock."""
        if not self._due:
            self._due = now + _GATHER
        return now >= self._due

    def put(self, *pieces: wire.Bytes) -> None:
        self.gathering = True
        self._join_printed()
        self._pieces += filter(len, pieces)  # an empty one would never be written
        self._size += sum(map(len, pieces))

    def put_printed(self, call: int, printed: wire.Bytes) -> None:
        """Put what a call printed, in one frame with what it printed just before.

        Python prints in small pieces; a frame for each would keep the other end busy.

        Args:
            printed: One byte: to which stream; and what was written to it.
        """
        if not 1 < len(printed) <= _SMALL:
            self.put(wire.HEADER.pack(wire.PRINTED, call, len(printed)), printed)
            return
        self.gathering = True
        if call != self._call or printed[0] != self._stream or self._joined > _JOINED:
            self._join_printed()
            self._call, self._stream = call, printed[0]
        self._printed.append(printed[1:])
        self._joined += len(printed) - 1

    def _join_printed(self) -> None:
        if not self._printed:
            return
        content = b"".join((bytes((self._stream,)), *self._printed))
        self._pieces += wire.HEADER.pack(wire.PRINTED, self._call, len(content)), content
        self._size += wire.HEADER.size + len(content)
        self._printed, self._joined = [], 0

    def flush(self) -> bool:
        """Write; return whether something is left that waits for the descriptor.

        Raises:
            OSError: Nobody reads any more; what was not written is still here.
        """
        self.gathering, self._due = False, 0.0
        self._join_printed()
        if self.descriptor is None:
            return False
        with suppress(BlockingIOError):
            while self._pieces:
                self._write(self.descriptor)
        return bool(self._pieces)

    def begin_anew(self, descriptor: int, arrived: int) -> None:
        """Write to another descriptor, first of all what the other end has not.

        Args:
            arrived: How many bytes that has, since the beginning.

        Raises:
            ProtocolError: That cannot be.
        """
        again = self.ledger.take_back(arrived)
        self.descriptor = descriptor
        self._pieces.extendleft(reversed(again))
        self._size += sum(map(len, again))

    def _write(self, descriptor: int) -> None:
        batch = [self._pieces.popleft() for _ in range(min(len(self._pieces), _VECTORS))]
        size, written = sum(map(len, batch)), 0
        try:
            written = os.writev(descriptor, batch)
        finally:
            self._size -= written
            if written < size:
                self._put_back(batch, written)
            if written:
                self.ledger.add(batch, written)

    def _put_back(self, batch: list[wire.Bytes], written: int) -> None:
        """Keep in the batch what was written of it, and put the rest where it was."""
        before = index = 0
        while before + len(batch[index]) <= written:
            before += len(batch[index])
            index += 1
        torn, at = memoryview(batch[index]), written - before
        rest = [torn[at:], *batch[index + 1 :]]
        batch[index:] = [torn[:at]] if at else []
        self._pieces.extendleft(reversed(rest))
