"""Which blobs lie on a host.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .blobs import Blob

MOST = 128  # blobs that no call uses: each takes a file over there, of which there may be few


class Shelf:
    """The blobs on one host; those that no call uses may stay there, up to two limits.

    Args:
        limit: How much of them may stay, bytes; MOST is how many.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._loans: dict[int, Sequence[Blob]] = {}  # call -> what it uses
        self._users: dict[int, int] = {}  # number -> how many calls use it
        self._idle: dict[int, int] = {}  # number -> its size, where none does; the oldest first
        self._idle_size = 0

    def lend(self, call: int, blobs: Sequence[Blob]) -> list[Blob]:
        """Let a call use them; return those that are not there and must be sent before it."""
        self._loans[call] = blobs
        missing = []
        for blob in blobs:
            if blob.number in self._idle:
                self._idle_size -= self._idle.pop(blob.number)
            elif blob.number not in self._users:
                missing.append(blob)
            self._users[blob.number] = self._users.get(blob.number, 0) + 1
        return missing

    def give_back(self, call: int, refused: bool = False) -> list[int]:
        """A call has ended; return the numbers of the blobs to be forgotten there.

        It may have come back before, or fail before it could be sent: then it has nothing.  If it
        was refused, not all of its blobs are really there: all are to be sent anew.
        """
        forgotten = []
        for blob in self._loans.pop(call, ()):
            self._users[blob.number] -= 1
            if self._users[blob.number]:
                continue
            del self._users[blob.number]
            if refused:
                forgotten.append(blob.number)
            else:
                self._idle[blob.number] = len(blob.content)
                self._idle_size += len(blob.content)
        while self._idle_size > self._limit or len(self._idle) > MOST:
            number = next(iter(self._idle))
            self._idle_size -= self._idle.pop(number)
            forgotten.append(number)
        return forgotten
