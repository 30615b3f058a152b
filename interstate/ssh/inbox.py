"""What a channel has received and nobody has read yet."""

from __future__ import annotations

import errno
import queue
import threading
from collections.abc import Callable

_MOST = 1 << 24  # bytes; twice the widest window: more may not come unless they are read


class Inbox:
    """Stands in for a paramiko channel's BufferedPipe: one thread feeds it, one reads from it.

    A BufferedPipe wakes its reader by a condition variable and deletes from the front of an array;
    this hands over what came as it came.

    Attributes:
        fed: How many bytes came, until they were pumped.
    """

    def __init__(self) -> None:
        self._pieces: queue.SimpleQueue[bytes] = queue.SimpleQueue()  # an empty one is the end
        self.fed = 0
        self._taken = 0  # bytes that were read
        self._rest = b""
        self._receive: Callable[[bytes], object] | None = None
        self._handing = threading.Lock()  # held while something is handed to that, in order
        self._ended = threading.Event()
        self._error: BaseException | None = None

    def feed(self, data: bytes) -> None:
        """Put in what has arrived.

        Raises:
            OSError: It is more than the other side may send before it is read.
        """
        with self._handing:
            if self._receive is not None:
                self._hand_over(data, self._receive)
            elif data:
                self.fed += len(data)
                if self.fed - self._taken > _MOST:
                    raise OSError(errno.ENOBUFS, "it sent more than it may")
                self._pieces.put(data)

    def close(self) -> None:
        """Let the reader come to the end, after what is there."""
        self._pieces.put(b"")
        self._ended.set()

    def pump(self, receive: Callable[[bytes], object]) -> None:
        """Have `receive` called with what arrives, by the thread that feeds, until the end.

        What it raises ends this, and is raised here.  It is not being called any more then.
        """
        with self._handing:
            while self.read_ready() and (data := self.read(1 << 20)):
                self._hand_over(data, receive)
            self._receive = receive
        self._ended.wait()
        with self._handing:
            self._receive = _ignore
        if self._error is not None:
            raise self._error

    def _hand_over(self, data: bytes, receive: Callable[[bytes], object]) -> None:
        if self._error is None:
            try:
                receive(data)
            except BaseException as error:  # the thread that feeds has others to serve
                self._error = error
                self.close()

    def read(self, size: int, timeout: float | None = None) -> bytes:
        """Return at most `size` bytes, waiting for the first; none at the end."""
        data = self._rest or self._pieces.get()
        if not data:
            self.close()  # for who reads on
        elif len(data) < size and not self._pieces.empty():
            data = self._gathered(data, size)
        self._rest, data = data[size:], data[:size]
        self._taken += len(data)
        return data

    def read_ready(self) -> bool:
        """Whether a `read` would not wait."""
        return bool(self._rest) or not self._pieces.empty()

    def __len__(self) -> int:
        return len(self._rest) + self._pieces.qsize()

    def _gathered(self, first: bytes, size: int) -> bytes:
        pieces, have = [first], len(first)
        while have < size and not self._pieces.empty():
            piece = self._pieces.get()
            if not piece:
                self.close()
                break
            pieces.append(piece)
            have += len(piece)
        return b"".join(pieces)


def _ignore(data: bytes) -> None:
    """It came after the end."""
