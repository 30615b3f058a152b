"""Which blobs lie on a host.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .blobs import Blob

MOST = 128  # blobs that no call uses: each takes a descriptor over there, of which there may be few
MOST_FILES = 1000  # the same of files
_MORE_ON_DISK = 2  # how much more may stay there than in memory


class Shelf:
    """The blobs on one host; those that no call uses may stay there, up to two limits.

    Args:
        limit: How much of them may stay in memory, bytes; MOST is how many.  Of files, it is twice
            as much, and MOST_FILES; the last one stays, however large, until another comes.
    """

    def __init__(self, limit: int) -> None:
        self._loans: dict[int, Sequence[Blob]] = {}  # call -> what it uses
        self._users: dict[int, int] = {}  # number -> how many calls use it
        self._idle = {  # where none does
            False: _Idle(limit, MOST, 0),
            True: _Idle(limit * _MORE_ON_DISK, MOST_FILES, 1),
        }

    def lend(self, call: int, blobs: Sequence[Blob]) -> list[Blob]:
        """Let a call use them; return those that are not there and must be sent before it."""
        self._loans[call] = blobs
        missing = []
        for blob in blobs:
            if not self._idle[blob.on_disk].remove(blob) and blob.number not in self._users:
                missing.append(blob)
            self._users[blob.number] = self._users.get(blob.number, 0) + 1
        return missing

    def make_room(self, missing: Sequence[Blob]) -> list[int]:
        """Return the numbers of those to be forgotten there before these are sent."""
        coming = sum(blob.size for blob in missing if blob.on_disk)
        return self._idle[True].shorten(coming) if coming else []

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
                self._idle[blob.on_disk].add(blob)
        for idle in self._idle.values():
            forgotten += idle.shorten()
        return forgotten


class _Idle:
    """Blobs of one kind that no call uses.

    Args:
        limit: How much of them may stay, bytes.
        most: How many.
        kept: How many stay in any case, as long as no others come.
    """

    def __init__(self, limit: int, most: int, kept: int) -> None:
        self._limit = limit
        self._most = most
        self._kept = kept
        self._sizes: dict[int, int] = {}  # by number; the oldest first
        self._total = 0

    def add(self, blob: Blob) -> None:
        self._sizes[blob.number] = blob.size
        self._total += blob.size

    def remove(self, blob: Blob) -> bool:
        """A call uses it again; return whether it was here."""
        size = self._sizes.pop(blob.number, None)
        self._total -= size or 0
        return size is not None

    def shorten(self, coming: int = 0) -> list[int]:
        """Return the numbers of those that are too many, and forget them.

        Args:
            coming: What of others is about to come, bytes.
        """
        forgotten, kept = [], 0 if coming else self._kept
        while len(self._sizes) > kept and (
            self._total + coming > self._limit or len(self._sizes) > self._most
        ):
            number = next(iter(self._sizes))
            self._total -= self._sizes.pop(number)
            forgotten.append(number)
        return forgotten
