"""Blobs: large things that calls need, kept once for all the workers of a host."""

from __future__ import annotations

import mmap
import os

from . import places, wire
from .lean import suppress
from .packer import Unpacker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    from .hostfiles import HostFile, Janitor

    Either = Union["Blob", HostFile]

_SURE = 1 << 24  # bytes; less than this is not worth a look at how much there is
_MEMORY = "/proc/meminfo"
_GROUP = "/sys/fs/cgroup"  # where a container sees its own limits


class Content:
    """What calls need, as it comes in, in an open file.

    Attributes:
        obstacle: Why it is not here and will not be, or "".

    Args:
        size: How much it is, bytes.
    """

    about = b""  # what is refused

    def __init__(self, size: int) -> None:
        self.obstacle = ""
        self._size = size
        self._written = 0
        self._unpacker = Unpacker()
        self._file: int | None = None

    def add(self, data: wire.Bytes) -> None:
        """Take the next bytes in."""
        if self._file is None:
            return
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            self._written += len(data)
            self._note(data)
        except OSError as error:
            self._have_no_room(error)

    def add_packed(self, data: wire.Bytes) -> None:
        """Take the next bytes in, which are compressed."""
        self.add(self._unpacker.unpacked(data))

    def close(self) -> None:
        """Close its descriptor."""
        if self._file is not None:
            descriptor, self._file = self._file, None
            os.close(descriptor)

    def _note(self, data: wire.Bytes) -> None:
        """These bytes are written."""

    def _have_no_room(self, error: OSError) -> None:
        raise NotImplementedError


class Blob(Content):
    """The content of a blob, in a file in memory that has no name.

    Where memory does not suffice, it is in a file on disk that has no name either.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        try:
            self._file = _file_for(size)
        except OSError as error:
            self._have_no_room(error)

    def fileno(self) -> int:
        """Return its descriptor, once all is there.

        Raises:
            wire.ProtocolError: It is not.
        """
        if self._file is None or self._written != self._size:
            raise wire.ProtocolError(f"{self._written} of a blob's {self._size} bytes are here")
        return self._file

    drop = Content.close

    def give_up(self, why: str) -> None:
        """It will not come, or not whole."""
        self.close()
        self.obstacle = why

    def _have_no_room(self, error: OSError) -> None:
        self.give_up(f"{self._size} bytes that it needs cannot be kept there: {error.strerror}")


class Blobs:
    """All that are here, by number; and the files that calls need.

    Attributes:
        handlers: What is to be done with frames about them, by kind.
    """

    def __init__(self) -> None:
        places.settle()
        self._blobs: dict[int, Either] = {}
        self._janitor: Janitor | None = None  # of the files, if any have come
        self.handlers = {
            wire.BLOB: self._begin,
            wire.FILE: self._begin_file,
            wire.PART: lambda number, content: self._blobs[number].add(content),
            wire.PACKED: lambda number, content: self._blobs[number].add_packed(content),
            wire.FORGET: lambda number, _: self._blobs.pop(number).drop(),
        }

    def needed(self, numbers: list[int]) -> list[Either]:
        """Return those of these numbers."""
        return [self._blobs[number] for number in numbers]

    @property
    def janitor(self) -> int:
        """The process that removes the files; 0: there is none."""
        return self._janitor.pid if self._janitor is not None else 0

    def close(self) -> None:
        """Close all descriptors, in a child that has nothing to do with them."""
        for blob in (*self._blobs.values(), self._janitor):
            if blob is not None:
                blob.close()

    def end(self) -> None:
        """Leave no file behind."""
        if self._janitor is not None:
            self._janitor.finish()

    def _begin(self, number: int, content: wire.Bytes) -> None:
        self._blobs[number] = Blob(*wire.LENGTH.unpack(content))

    def _begin_file(self, number: int, content: wire.Bytes) -> None:
        """Begin a file; or, where that was done already, note why it does not come."""
        from .hostfiles import HostFile, Janitor

        begun = self._blobs.get(number)
        if begun is not None:
            begun.give_up(bytes(content).decode())
            return
        if self._janitor is None:
            self._janitor = Janitor()
        self._blobs[number] = HostFile(number, content)


def mapped(descriptor: int, writable: bool) -> mmap.mmap:
    """Map a blob; what is written to it stays in this process, page by page."""
    return mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY if writable else mmap.ACCESS_READ)


def _file_for(size: int) -> int:
    """Open a nameless file; in memory, if there is room."""
    if hasattr(os, "memfd_create") and (size < _SURE or size < _free_memory()):
        with suppress(OSError):  # some sandboxes do not know it
            return os.memfd_create("interstate-blob")
    import tempfile  # which takes long, and is seldom needed

    with tempfile.TemporaryFile() as file:
        disk = os.fstatvfs(file.fileno())
        if size > disk.f_bavail * disk.f_frsize:
            raise OSError(0, "neither memory nor the disk for temporary files has room for them")
        return os.dup(file.fileno())


def _free_memory() -> float:
    """How many bytes this process may use, as far as the system tells."""
    free = allowed = float("inf")
    with suppress(OSError):
        with open(_MEMORY) as file:
            facts = dict(line.split(":", 1) for line in file)
        free = 1024.0 * int(facts["MemAvailable"].split()[0])
    with suppress(OSError, ValueError):  # no such limit
        allowed = _number("memory.max") - _number("memory.current")
    return min(free, allowed)


def _number(name: str) -> int:
    with open(os.path.join(_GROUP, name)) as file:
        return int(file.read())
