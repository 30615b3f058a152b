"""The large parts of outcomes, put where they will stay as they come in."""

from __future__ import annotations

import io

from .remote import payload, wire
from .remote.packer import Unpacker


class Arriving:
    """The large parts of an outcome, while they come in.

    Args:
        described: What there will be, a BUFFER for each part.
    """

    def __init__(self, described: wire.Bytes) -> None:
        self._parts = list(payload.BUFFER.iter_unpack(described))
        self._files = [io.BytesIO() for _ in self._parts]
        self._current = 0
        self._unpacker = Unpacker()

    def add_packed(self, data: wire.Bytes) -> None:
        """Take the next bytes in, which are compressed."""
        self.add(self._unpacker.unpacked(data))

    def add(self, data: wire.Bytes) -> None:
        """Take the next bytes in."""
        data = memoryview(data)
        while data:
            if self._current == len(self._parts):
                raise ValueError("more has come of an outcome than was announced")
            file, (size, _) = self._files[self._current], self._parts[self._current]
            missing = size - file.tell()
            file.write(data[:missing])
            data = data[missing:]
            self._current += file.tell() == size

    def taken(self) -> list[payload.Buffer]:
        """All of them: `bytes` where they are read-only, else what can be written to."""
        if self._current < len(self._parts):
            raise ValueError("less has come of an outcome than was announced")
        files, self._files = self._files, []
        return [
            file.getvalue() if readonly else file.getbuffer()
            for file, (_, readonly) in zip(files, self._parts, strict=True)
        ]
