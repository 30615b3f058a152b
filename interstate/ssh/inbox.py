"""What a channel has received and nobody has read yet."""

from __future__ import annotations

import queue


class Inbox:
    """Stands in for a paramiko channel's BufferedPipe: one thread feeds it, one reads from it.

    A BufferedPipe wakes its reader by a condition variable and deletes from the front of an array;
    this hands over what came as it came.
    """

    def __init__(self) -> None:
        self._pieces: queue.SimpleQueue[bytes] = queue.SimpleQueue()  # an empty one is the end
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Put in what has arrived."""
        if data:
            self._pieces.put(data)

    def close(self) -> None:
        """Let the reader come to the end, after what is there."""
        self._pieces.put(b"")

    def read(self, size: int, timeout: float | None = None) -> bytes:
        """Return at most `size` bytes, waiting for the first; none at the end."""
        data = self._rest or self._pieces.get()
        if not data:
            self.close()  # for who reads on
        elif len(data) < size and not self._pieces.empty():
            data = self._gathered(data, size)
        self._rest = data[size:]
        return data[:size] if self._rest else data

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
