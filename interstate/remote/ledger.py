"""What was written and may not have arrived: kept until the other end says that it has.

Each direction of a session is one stream of bytes, counted from its beginning.  When a channel is
lost, the other end says how much it has received, and what comes after that is written anew to the
next channel.  So every byte arrives exactly once, in order, whatever happens to channels.
"""

from __future__ import annotations

from .lean import deque
from .wire import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .wire import Bytes


class Ledger:
    """Bytes that were written to a channel.

    Attributes:
        end: How many were, since the beginning.
    """

    def __init__(self) -> None:
        self.end = 0
        self._begin = 0  # of the first that is kept
        self._arrived = 0  # what the other end has, at least
        self._kept: deque[tuple[int, Sequence[Bytes]]] = deque()  # where it ends, and what it is

    @property
    def size(self) -> int:
        """How many bytes may not have arrived."""
        return self.end - self._arrived

    def add(self, pieces: Sequence[Bytes], size: int) -> None:
        """Keep what is written; it must not change."""
        self.end += size
        self._kept.append((self.end, pieces))

    def withdraw(self) -> None:
        """Forget what was added last: it could not be written."""
        self._kept.pop()
        self.end = self._kept[-1][0] if self._kept else self._begin

    def arrived(self, count: int) -> None:
        """The other end has that many bytes since the beginning: forget them.

        Raises:
            ProtocolError: It cannot have.
        """
        if count > self.end:
            raise ProtocolError(f"{count} bytes are said to have arrived of {self.end}")
        self._arrived = max(self._arrived, count)
        while self._kept and self._kept[0][0] <= count:
            self._begin = self._kept.popleft()[0]

    def fits(self, count: int) -> bool:
        """Whether the other end may have exactly that many bytes."""
        return self._arrived <= count <= self.end

    def take_back(self, count: int) -> list[Bytes]:
        """Return all that was written after that many bytes, to be written, and added, anew.

        Raises:
            ProtocolError: The other end cannot have exactly that many.
        """
        if not self.fits(count):
            raise ProtocolError(f"{count} bytes are said to have arrived, and {self._arrived} had")
        self.arrived(count)
        rest: list[Bytes] = []
        start = self._begin
        for _, pieces in self._kept:
            for piece in pieces:
                skip = max(0, count - start)
                if skip < len(piece):
                    rest.append(memoryview(piece)[skip:] if skip else piece)
                start += len(piece)
        self._kept.clear()
        self._begin = self.end = count
        return rest
