"""Files that travel: with calls, and with results.

In a pickle of ours, a File is a buffer that goes apart.  Its content takes another way, and who
unpickles is given something in the place of that buffer: over there, the Place where the content
lies, which becomes a path; here, the File that has come in.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

from . import current, payload, places
from .errors import Unreadable
from .lean import pickle, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    import weakref
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any, NoReturn, Union

    Named = Union[str, bytes, os.PathLike[str], os.PathLike[bytes]]

DESCRIPTION = struct.Struct("!Q?32s")  # of a FILE: size, whether it is executable, its SHA-256
NAME = struct.Struct("!H")  # the length of a file's name, which follows its BUFFER
_NOT_THUS = (
    "a File travels as an argument of a call, in what its function needs, or as its result, and "
    "in no other pickle: pickle its path"
)


class File:
    """A file that travels with a call, or with its result.

    As an argument of a call, or anywhere in its arguments or in what its function needs, it arrives
    as a `pathlib.Path`: of a file with that name and content, which is only to be read.  Returned
    by a call, or anywhere in its result, it arrives as a File, which is in a temporary folder until
    this object is gone, or this process ends: `save` keeps it.

    It is a path for whoever takes one: `open(file)`, `os.fspath(file)`.

    Args:
        path: The file's.  It is to stay as it is until the calls that need it have ended.

    Attributes:
        path: The same, absolute: a `pathlib.Path`.

    Raises:
        FileNotFoundError: There is none.
        IsADirectoryError: It is a folder.
        OSError: It is no file that can be read from its beginning to its end, such as a pipe.
    """

    __slots__ = ("__weakref__", "_discard", "_held", "path")

    def __init__(self, path: Named) -> None:
        self.path = _absolute(path)
        self._discard: weakref.finalize[..., File] | None = None  # removes its folder
        self._held: int | None = None
        check_kind(os.stat(self.path), self.path)
        if current.function is not None:
            self._hold()

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.name

    @property
    def size(self) -> int:
        """How large it is now, bytes."""
        return os.stat(self.path).st_size

    def save(self, to: Named) -> Path:
        """Put the file where it stays: it is moved out of a temporary folder, else copied.

        Args:
            to: Its new path, or a folder for it.  What is there by that name is replaced.

        Returns:
            Its new path, absolute.

        Raises:
            OSError: It cannot be put there; nothing is there then that was not before.
        """
        target = _absolute(to)
        if target.is_dir():
            target /= self.name
        if self._discard is None:
            _copy(self.path, target)
            return target
        stays = os.path.samefile(target.parent, self.path.parent)
        _move(self.path, target)
        self.path, discard, self._discard = target, self._discard, None
        if stays:
            discard.detach()
        else:
            discard()
        return target

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"File({str(self.path)!r})"

    def __copy__(self) -> File:
        return self

    def __deepcopy__(self, memo: Any) -> File:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(_NOT_THUS)

    def _hold(self) -> None:
        """Keep it open, since a call may remove it before its result is sent.  Not very many."""
        import resource
        import weakref

        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(OSError):
            held = os.open(self.path, os.O_RDONLY)
            if most < 0 or held < most // 2:
                self._held = held
                weakref.finalize(self, os.close, held)
            else:
                os.close(held)

    def opened(self) -> int:
        """Return a descriptor of it, at its beginning."""
        try:
            return os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError:
            if self._held is None:
                raise
        again = os.dup(self._held)
        os.lseek(again, 0, os.SEEK_SET)
        return again


def make_temporary(file: File, discard: weakref.finalize[..., File]) -> None:
    """Let a File be one that is not to stay.

    Args:
        discard: Removes it, and the folder that it is in.
    """
    file._discard = discard


def _absolute(path: Named) -> Path:
    from pathlib import Path

    return Path(os.path.abspath(os.fsdecode(path)))


def check_kind(status: os.stat_result, path: Any) -> None:
    """Raise an OSError if it is nothing that can travel."""
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"not a file that can be sent: {str(path)!r}")


def _move(source: Path, target: Path) -> None:
    try:
        os.replace(source, target)
    except OSError as obstacle:
        if obstacle.errno != errno.EXDEV:  # that is another disk
            raise
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    """Copy a file; who looks at the target sees the whole of it, or what was there before."""
    import shutil

    coming = target.with_name(f".interstate-{os.urandom(8).hex()}")
    try:
        shutil.copy2(source, coming)
        os.replace(coming, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(coming)
        raise


# ----------------------------------------------------------------------------- in pickles


class Token(bytearray):
    """The buffer that stands for a File in a pickle.

    Attributes:
        file: The File, or something that is to be sent in its place.
    """

    __slots__ = ("file",)

    def __init__(self, file: Any) -> None:
        super().__init__(1)
        self.file = file


class Place:
    """Where a file of a call lies over there."""

    __slots__ = ("_number",)

    def __init__(self, number: int) -> None:
        self._number = number

    def path(self, name: bytes) -> Path:
        from pathlib import Path

        return Path(places.path_of(self._number, name))


def reduce_file(pickler: Any, file: File) -> Any:
    """How a File is pickled by a pickler of ours."""
    if not pickler.takes_files:
        raise TypeError(_NOT_THUS)
    return arrived, (pickle.PickleBuffer(Token(file)), os.fsencode(file.name))


def arrived(found: Any, name: bytes) -> Any:
    """What a File is at the other end."""
    if isinstance(found, Place):
        return found.path(name)
    if isinstance(found, File):
        return found
    raise TypeError(_NOT_THUS)


# ----------------------------------------------------------------------------- in results


def departing(part: Any) -> Any:
    """What is apart in a result, as it is to be sent: a Departing for a File."""
    return Departing(part) if isinstance(part, File) else part


def described(part: payload.Part) -> bytes:
    """What is said of it in front: its BUFFER."""
    if isinstance(part, Departing):
        return part.described
    kind = payload.READONLY if part.readonly else payload.WRITABLE
    return payload.BUFFER.pack(part.nbytes, kind)


def read_described(described: Any) -> Iterator[tuple[int, int, bytes]]:
    """Yield the size, kind and name of all that is to come."""
    start = 0
    while start < len(described):
        size, kind = payload.BUFFER.unpack_from(described, start)
        start += payload.BUFFER.size
        name = b""
        if kind in (payload.FILE, payload.PROGRAM):
            (length,) = NAME.unpack_from(described, start)
            start += NAME.size + length
            name = bytes(described[start - length : start])
        yield size, kind, name


class Departing:
    """A file of a result, on its way.

    Raises:
        Unreadable: It cannot be read.
    """

    def __init__(self, file: File) -> None:
        self._file = file
        descriptor = self._opened()
        try:
            self._status = os.fstat(descriptor)
        finally:
            os.close(descriptor)

    @property
    def described(self) -> bytes:
        """Its BUFFER, and its name after that name's length."""
        executable = self._status.st_mode & stat.S_IXUSR
        kind = payload.PROGRAM if executable else payload.FILE
        name = os.fsencode(self._file.name)
        return payload.BUFFER.pack(self._status.st_size, kind) + NAME.pack(len(name)) + name

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield its content, at most `size` bytes at once, and at last its digest.

        Raises:
            Unreadable: It cannot be read to the end, or is not what it was.
        """
        import hashlib

        digest, descriptor = hashlib.sha256(), self._opened()
        try:
            for piece in whole_content(descriptor, self._status, size, self._file.path):
                digest.update(piece)
                yield memoryview(piece)
        except OSError as obstacle:
            raise Unreadable(obstacle) from None
        finally:
            os.close(descriptor)
        yield memoryview(digest.digest())

    def _opened(self) -> int:
        try:
            return self._file.opened()
        except OSError as obstacle:
            raise Unreadable(obstacle) from None


def whole_content(descriptor: int, known: os.stat_result, size: int, path: Any) -> Iterator[bytes]:
    """Yield what is in a file, at most `size` bytes at once.

    Args:
        known: What it was.

    Raises:
        OSError: It is that no more, or cannot be read.
    """
    check_same(os.fstat(descriptor), known, path)
    left = known.st_size
    while left:
        piece = os.read(descriptor, min(size, left))
        if not piece:
            break
        left -= len(piece)
        yield piece
    if left or os.read(descriptor, 1):
        raise _changed(path)
    check_same(os.fstat(descriptor), known, path)


def check_same(now: os.stat_result, known: os.stat_result, path: Any) -> None:
    """Raise an OSError if a file was changed since it was looked at."""
    if (now.st_size, now.st_mtime_ns) != (known.st_size, known.st_mtime_ns):
        raise _changed(path)


def _changed(path: Any) -> OSError:
    return OSError(f"the file {str(path)!r} was changed while it was still to be sent")
