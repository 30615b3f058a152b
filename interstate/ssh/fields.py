"""Fields of SSH's binary formats (RFC 4251, 5), read strictly: what is cut short is an error.

paramiko's Message makes zeros of what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator


class Fields:
    """Bytes, and how far they have been read.

    Args:
        data: All of them.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether something is left."""
        return self._at < len(self._data)

    @property
    def before(self) -> bytes:
        """What has been read."""
        return self._data[: self._at]

    def take(self, size: int) -> bytes:
        """Return so many bytes.

        Raises:
            ValueError: There are fewer.
        """
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise ValueError("it is cut short")
        self._at += size
        return taken

    def number(self, size: int) -> int:
        """Return a number of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def string(self) -> bytes:
        """Return a string."""
        return self.take(self.number(4))

    def text(self) -> str:
        """Return a string as text; bytes that are no UTF-8 stay what they are."""
        return self.string().decode("utf-8", "surrogateescape")

    def strings(self) -> Iterator[bytes]:
        """Return all strings that are left."""
        while self:
            yield self.string()
