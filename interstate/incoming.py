"""A file of an outcome, written to a temporary folder of its own as it comes in."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import weakref

from .remote.files import File, make_temporary

_DIGEST = hashlib.sha256().digest_size  # bytes, which come behind the content


class NoRoomError(Exception):
    """A file could not be kept here."""


class Incoming:
    """A file, while it comes in.

    Nobody is told of a file that has not come whole: what there is of it goes with this object.

    Args:
        name: What it is called; it comes from another computer.
        size: How large it is, bytes.
        executable: Whether it may be run.
    """

    def __init__(self, name: bytes, size: int, executable: bool) -> None:
        self._name = os.fsdecode(name)
        self._size = size
        self._missing = size + _DIGEST
        self._sum = hashlib.sha256()
        self._digest = b""
        self._obstacle = ""
        self._path = ""
        self._open: list[int] = []  # its descriptor, as long as there is one
        self._discard: weakref.finalize[..., Incoming] | None = None
        try:
            self._begin(0o777 if executable else 0o666)
        except OSError as obstacle:
            self._give_up(obstacle)

    def _begin(self, mode: int) -> None:
        elsewhere = self._name in ("", os.curdir, os.pardir) or "\0" in self._name
        if elsewhere or os.path.basename(self._name) != self._name:
            raise OSError("its name leads elsewhere")
        folder = tempfile.mkdtemp(prefix="interstate-")
        self._discard = weakref.finalize(self, _abandon, self._open, folder, os.getpid())
        self._path = os.path.join(folder, self._name)
        disk = shutil.disk_usage(folder)
        if disk.total and self._size > disk.free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._open.append(os.open(self._path, flags, mode))

    @property
    def whole(self) -> bool:
        """Whether all of it has come."""
        return not self._missing

    def take(self, data: memoryview) -> memoryview:
        """Take the next bytes in; return those that are not its own."""
        own, rest = data[: self._missing], data[self._missing :]
        content = own[: max(0, self._missing - _DIGEST)]
        self._missing -= len(own)
        self._digest += own[len(content) :]
        if not self._obstacle:
            try:
                self._write(content)
            except OSError as obstacle:
                self._give_up(obstacle)
        return rest

    def taken(self) -> File:
        """Return the File, once it is whole.

        Raises:
            NoRoomError: It could not be kept, or is not what was sent.
        """
        if self._obstacle or self._discard is None:
            raise NoRoomError(self._obstacle)
        file = File(self._path)
        make_temporary(file, weakref.finalize(file, _remove, str(file.path.parent), os.getpid()))
        self._discard.detach()
        return file

    def _write(self, content: memoryview) -> None:
        self._sum.update(content)
        while content:
            content = content[os.write(self._open[0], content) :]
        if self.whole:
            if self._digest != self._sum.digest():
                raise OSError("what came is not what was sent")
            os.close(self._open.pop())  # which says at last whether the disk has taken it

    def _give_up(self, obstacle: OSError) -> None:
        why = obstacle.strerror or str(obstacle)
        what = f"the file {self._name!r} of {self._size:,} bytes"
        where = tempfile.tempdir or "a temporary folder"  # there may be none at all
        self._obstacle = f"{what} cannot be kept in {where}: {why}"
        if self._discard is not None:
            self._discard()


def _abandon(opened: list[int], folder: str, process: int) -> None:
    while opened:
        with contextlib.suppress(OSError):  # of what cannot be written any more
            os.close(opened.pop())
    _remove(folder, process)


def _remove(folder: str, process: int) -> None:
    """Remove a folder, unless this is a child of the process that it belongs to."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
