"""Files that calls need: each content by each name once, and read only while it is being sent."""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from .blobs import Blob, blobs
from .remote.errors import Unreadable
from .remote.files import DESCRIPTION, File, Token, check_kind, check_same, whole_content

_READ = 1 << 20  # bytes at once
_REMEMBERED = 10_000  # files whose digests, and contents whose numbers, are kept
_TICK = 100_000_000, 2_100_000_000  # ns: two changes may have one time, where that is in seconds


_reading = threading.BoundedSemaphore(8)  # each takes a descriptor

K = TypeVar("K")
V = TypeVar("V")


class _Identity(NamedTuple):
    """What makes two files one for a host: DESCRIPTION and name."""

    size: int
    executable: bool
    digest: bytes
    name: bytes


class FileBlob(Blob):
    """A file's content as it was when a call that needs it was submitted.

    Attributes:
        described: The content of its FILE.
    """

    __slots__ = ("_file", "_status", "described")
    on_disk = True

    def __init__(self, number: int, file: File, status: os.stat_result, which: _Identity) -> None:
        super().__init__(number, b"")
        self._file = file  # which may be a temporary one: it stays until it is sent
        self._status = status
        self.described = DESCRIPTION.pack(*which[:-1]) + which.name

    @property
    def size(self) -> int:
        return self._status.st_size

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the content, at most `size` bytes at once.

        The file is open only while one is read: a thousand hosts may be getting it.

        Raises:
            OSError: The file is not what it was any more, or cannot be read.
        """
        start = 0
        while start < self.size:
            with _reading:
                piece = self._read(start, size)
            yield piece
            start += len(piece)

    def _read(self, start: int, size: int) -> bytes:
        descriptor = self._file.opened()
        try:
            check_same(os.fstat(descriptor), self._status, self._file.path)
            os.lseek(descriptor, start, os.SEEK_SET)
            piece = os.read(descriptor, min(size, self.size - start))
            if not piece:  # it was cut off just now
                check_same(os.fstat(descriptor), self._status, self._file.path)
                raise OSError(f"the file {str(self._file.path)!r} cannot be read to its end")
            return piece
        finally:
            os.close(descriptor)


class FileBlobs:
    """The digests of files, and the numbers of what was sent; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards these
        self._digests: OrderedDict[tuple[int, ...], bytes] = OrderedDict()
        self._numbers: OrderedDict[_Identity, int] = OrderedDict()

    def take(self, file: File) -> FileBlob:
        """Return a blob with the file's content.

        Raises:
            OSError: It cannot be read, or is being changed.
        """
        status = os.stat(file.path)
        check_kind(status, file.path)
        key = (
            *(status.st_dev, status.st_ino, status.st_size),
            *(status.st_mtime_ns, status.st_ctime_ns),
        )
        with self._lock:
            digest = self._digests.get(key)
        if digest is None:
            settled = _is_settled(status)
            digest = _digest_of(file, status)
            if settled:
                self._remember(self._digests, key, digest)
        executable = bool(status.st_mode & stat.S_IXUSR)
        which = _Identity(status.st_size, executable, digest, os.fsencode(file.name))
        return FileBlob(self._number_of(which), file, status, which)

    def _number_of(self, which: _Identity) -> int:
        with self._lock:
            number = self._numbers.get(which) or blobs.new_number()
        return self._remember(self._numbers, which, number)

    def _remember(self, known: OrderedDict[K, V], key: K, value: V) -> V:
        """Keep a value; return it, or the one that was kept meanwhile."""
        with self._lock:
            value = known.setdefault(key, value)
            known.move_to_end(key)
            if len(known) > _REMEMBERED:
                known.popitem(last=False)
            return value


def take(part: memoryview | File | Blob) -> Blob:
    """Return the blob for something that goes apart from a pickle.

    Raises:
        Unreadable: It is a file that cannot be read.
    """
    if isinstance(part, Blob):  # of an object that calls share
        return part
    if isinstance(part, memoryview):
        return blobs.take(part)
    try:
        return _files.take(part)
    except OSError as obstacle:
        raise Unreadable(obstacle) from None


def buffer_of(blob: Blob) -> pickle.PickleBuffer:
    """Return what stands for a blob in a pickle of a call."""
    return pickle.PickleBuffer(Token(blob) if blob.on_disk else blob.content)


def _digest_of(file: File, status: os.stat_result) -> bytes:
    """Read the whole of a file, which is to be what it was meanwhile."""
    digest, descriptor = hashlib.sha256(), file.opened()
    try:
        for piece in whole_content(descriptor, status, _READ, file.path):
            digest.update(piece)
    finally:
        os.close(descriptor)
    return digest.digest()


def _is_settled(status: os.stat_result) -> bool:
    """Whether a change from now on would show in the file's times."""
    latest = max(status.st_mtime_ns, status.st_ctime_ns)
    return time.time_ns() - latest > _TICK[latest % 1_000_000_000 == 0]


_files = FileBlobs()
