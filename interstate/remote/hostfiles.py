"""Files that calls need: once for all the workers of a host, in a folder that goes with the agent.

A janitor removes that folder: a process that waits until the agent has ended, however that was.
Imported with the first file that comes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import pathlib  # noqa: F401  # for workers, which then need not import it themselves
import time

from . import family, places, wire
from .blob import Content
from .files import DESCRIPTION
from .lean import signal, suppress
from .title import set_title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_PATIENCE = 3.0  # seconds that a janitor may take
_ATTEMPTS, _PAUSE = 100, 0.02  # seconds: who still writes to the folder is about to end


class HostFile(Content):
    """A file that calls need; whoever knows its number and name knows its path.

    Args:
        number: Its own.
        content: Of its FILE: a DESCRIPTION, and its name.
    """

    about = wire.ABOUT_A_FILE  # what is refused

    def __init__(self, number: int, content: wire.Bytes) -> None:
        size, executable, self._digest = DESCRIPTION.unpack_from(content)
        super().__init__(size)
        name = bytes(content[DESCRIPTION.size :])
        self._mode = 0o500 if executable else 0o400
        self._path = places.path_of(number, name)
        self._what = f"the file {os.fsdecode(name)!r}"
        self._sum = hashlib.sha256()
        try:
            _make_folder()
            os.mkdir(os.path.dirname(self._path), 0o700)
            _check_room(self._size)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._finish_if_whole()
        except OSError as obstacle:
            self._have_no_room(obstacle)

    def give_up(self, why: str) -> None:
        """It will not come, or not whole."""
        self.drop()
        self.obstacle = self.obstacle or why

    def fileno(self) -> None:
        """Return no descriptor: its path is enough.

        Raises:
            wire.ProtocolError: Not all of it is here.
        """
        if self._file is not None or self._written != self._size:
            raise wire.ProtocolError(f"{self._written} of a file's {self._size} bytes are here")

    def drop(self) -> None:
        """Remove it."""
        with suppress(OSError):  # of what cannot be written any more
            self.close()
        remove(os.path.dirname(self._path))

    def _note(self, data: wire.Bytes) -> None:
        self._sum.update(data)
        self._finish_if_whole()

    def _finish_if_whole(self) -> None:
        if self._written < self._size or self._file is None:
            return
        if self._written > self._size or self._sum.digest() != self._digest:
            self.give_up(f"{self._what} was changed while it was sent")
            return
        os.fchmod(self._file, self._mode)
        self.close()  # which may fail, too, where the disk is another computer's

    def _have_no_room(self, error: OSError) -> None:
        where = os.path.dirname(places.folder)
        why = error.strerror or str(error)
        self.give_up(f"{self._what} of {self._size:,} bytes cannot be kept in {where}: {why}")


def _make_folder() -> None:
    try:
        os.mkdir(places.folder, 0o700)
    except FileExistsError:  # was it us, or who saw its name, and that it was cleared away?
        if os.lstat(places.folder).st_uid != os.geteuid():
            raise


def _check_room(size: int) -> None:
    """Raise an OSError if the disk has none for so many bytes, as far as it tells."""
    disk = os.statvfs(places.folder)
    if disk.f_blocks and size > disk.f_bavail * disk.f_frsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def remove(path: str) -> None:
    """Remove a folder and all that is in it, as far as possible; links are not followed."""
    with suppress(OSError):
        os.chmod(path, 0o700)
        with os.scandir(path) as found:
            entries = list(found)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                remove(entry.path)
            else:
                with suppress(OSError):
                    os.unlink(entry.path)
        os.rmdir(path)


# ------------------------------------------------------------------------- the janitor


class Janitor:
    """Sees to it that the folder of all files is there for no longer than the agent.

    Attributes:
        pid: Its process's; 0: there is none.
    """

    def __init__(self) -> None:
        self.pid = 0
        there, self._lifeline = os.pipe()  # it ends with us, however we end
        with suppress(OSError):  # no more processes: then only an end in order removes it
            self.pid = os.fork()
            if self.pid == 0:
                _be_the_janitor(there)
        os.close(there)

    def close(self) -> None:
        """Close what it waits for the end of."""
        os.close(self._lifeline)

    def finish(self) -> None:
        """Have the folder removed, and see it done."""
        self.close()
        left = family.wait_for([self.pid], _PATIENCE) if self.pid else ()
        remove(places.folder)  # where it was killed, or is slow
        family.kill([*left])


def _be_the_janitor(lifeline: int) -> NoReturn:
    """In the child: hold nothing of the agent's, wait for its end, and remove the folder."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):  # it ends after the agent
            signal.signal(number, signal.SIG_IGN)
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            if descriptor != lifeline:
                with suppress(OSError):  # the one that listed them is closed
                    os.close(descriptor)
        set_title(f"interstate: janitor for {places.owner}")
        while os.read(lifeline, 1):
            pass
        _remove_for_sure(places.folder)
    finally:
        os._exit(0)


def _remove_for_sure(path: str) -> None:
    """Workers are being killed with the agent, and may just be making something there."""
    for _ in range(_ATTEMPTS):
        remove(path)
        if not os.path.lexists(path):
            return
        time.sleep(_PAUSE)
