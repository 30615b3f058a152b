"""The large parts of outcomes, put where they will stay as they come in."""

from __future__ import annotations

import io

from .incoming import Incoming
from .incoming import NoRoomError as NoRoomError
from .remote import files, payload, wire
from .remote.packer import Unpacker


class _Memory:
    """A part that stays in memory."""

    def __init__(self, size: int, readonly: bool) -> None:
        self._file = io.BytesIO()
        self._missing = size
        self._readonly = readonly

    @property
    def whole(self) -> bool:
        """Whether all of it has come."""
        return not self._missing

    def take(self, data: memoryview) -> memoryview:
        """Take the next bytes in; return those that are not its own."""
        own, rest = data[: self._missing], data[self._missing :]
        self._missing -= self._file.write(own)
        return rest

    def taken(self) -> payload.Buffer:
        """`bytes` if it is read-only, else what can be written to."""
        file, self._file = self._file, io.BytesIO()
        return file.getvalue() if self._readonly else file.getbuffer()


class Arriving:
    """The large parts of an outcome, while they come in.

    Args:
        described: What there will be, a BUFFER for each part.
    """

    def __init__(self, described: wire.Bytes) -> None:
        self._described = files.read_described(described)
        self._parts: list[_Memory | Incoming] = []
        self._unpacker = Unpacker()
        self._begin_next()

    def add_packed(self, data: wire.Bytes) -> None:
        """Take the next bytes in, which are compressed."""
        self.add(self._unpacker.unpacked(data))

    def add(self, data: wire.Bytes) -> None:
        """Take the next bytes in."""
        data = memoryview(data)
        while data:
            if self._current is None:
                raise ValueError("more has come of an outcome than was announced")
            data = self._current.take(data)
            if self._current.whole:
                self._begin_next()

    def taken(self) -> list[payload.Buffer]:
        """All of them: buffers, and Files.

        Raises:
            NoRoomError: A file could not be kept.
        """
        if self._current is not None:
            raise ValueError("less has come of an outcome than was announced")
        parts, self._parts = self._parts, []
        return [part.taken() for part in parts]

    def _begin_next(self) -> None:
        """Begin a part when it comes, since a file takes a descriptor."""
        self._current: _Memory | Incoming | None = None
        for size, kind, name in self._described:
            if kind in (payload.FILE, payload.PROGRAM):
                self._current = Incoming(name, size, kind == payload.PROGRAM)
            else:
                self._current = _Memory(size, kind == payload.READONLY)
            self._parts.append(self._current)
            break
