"""Keeps packages on a host's disk, for agents to import from.

    ~/.cache/interstate/        or in $XDG_CACHE_HOME
      README, CACHEDIR.TAG      say what this is
      packages/
        KEY/                    a set of packages, as on sys.path: whole, or not there
        KEY.lock                locked by agents that use the set, or by who changes it
        KEY.*.part/             being unpacked or removed, under that lock

KEY is the digest of the archive that a set comes in.  This runs in place of an agent, alone, on a
channel of its own.  What it says are lines, each a tuple as Python writes it.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from errno import ENOENT, ENOLCK, ENOSYS, EOPNOTSUPP, EPERM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

_README = """\
Interstate keeps here packages for calls: in packages/ those that calls import on
this computer, and in archives/ those that were sent from it to others. What was
not used for longest is removed when there is too much of it. All of this may be
removed whenever no call runs, by `interstate clean` or by hand: what is needed
again is had again.
"""
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This is a cache of Interstate's.\n"
_LABELS = {"README": _README, "CACHEDIR.TAG": _TAG}
KEY = 32  # hexadecimal digits
_HEX = frozenset("0123456789abcdef")
_BEAT = 1.0  # seconds between signs of life
_JUST_NOW = 60.0  # seconds for which a set counts as in use, since an agent may be about to use it
_DAY = 86400.0  # for which it does where nothing can be locked
_PIECE = 1 << 18  # bytes
_NO_LOCKS = (ENOLCK, ENOSYS, EOPNOTSUPP)  # as some network file systems say


class _Silence(Exception):  # noqa: N818  # who should have sent something did not
    pass


def serve(errand: dict[str, Any]) -> NoReturn:
    """Do one errand, say how it went, and exit.

    Args:
        errand: "do": "keep" or "clean"; to keep a set: "key", the "size" of its archive and of
            what is in it ("unpacked"), the "limit" of all sets, bytes, and the "patience" with
            whoever sends the archive, seconds.
    """
    try:
        depot = Depot(cache_home())
        if errand["do"] == "clean":
            _say("cleaned", *depot.clean())
        else:
            _say("here", _kept(depot, errand))
    except OSError as error:
        _say("failed", _words(error))
    except Exception as error:
        _say("failed", repr(error))
    finally:
        os._exit(0)


def _kept(depot: Depot, errand: dict[str, Any]) -> str:
    """The folder of a set, which is sent to us if need be."""
    with suppress(BlockingIOError):
        there = depot.find(errand["key"], fcntl.LOCK_SH | fcntl.LOCK_NB)
        if there is not None:
            return there
    import signal

    archive = Archive(errand["size"], errand["patience"])
    signal.signal(signal.SIGALRM, archive.beat)
    signal.setitimer(signal.ITIMER_REAL, _BEAT, _BEAT)
    return depot.add(errand["key"], errand["unpacked"], errand["limit"], archive)


class Depot:
    """The sets in a cache folder; any number of processes may have one of the same folder.

    Args:
        home: The folder; it is made when it is needed.
    """

    def __init__(self, home: str) -> None:
        self._home = home
        self._packages = os.path.join(home, "packages")

    def find(self, key: str, how: int = fcntl.LOCK_SH) -> str | None:
        """Return the folder of a set that is there, and note that it is used.

        Args:
            key: Its digest.
            how: How to lock it; raises BlockingIOError if that is not to wait for who changes it.
        """
        folder = os.path.join(self._packages, key)
        nowhere = suppress(FileNotFoundError, NotADirectoryError)  # nor is what they are all in
        with nowhere, Lock(f"{folder}.lock", how) as lock:
            if os.path.isdir(folder):
                lock.stamp()
                return folder
        return None

    def add(self, key: str, size: int, limit: int, archive: Archive) -> str:
        """Return the folder of a set, and unpack it if it is not there by now.

        Args:
            key: Its digest.
            size: What it will take, bytes.
            limit: What all may take: as many others as need be are removed.
            archive: What it comes in.

        Raises:
            OSError: It cannot be written, or not be locked; nothing of it is left then.
        """
        try:
            make_home(self._home)
            os.makedirs(self._packages, exist_ok=True)
            while True:
                there = self.find(key)  # when whoever may be at it now has ended
                if there is not None:
                    return there
                with suppress(BlockingIOError):  # somebody else has begun
                    self._fill(key, size, limit, archive)
        except BaseException:
            with suppress(OSError):
                self._tidy(key)
            raise

    def clean(self) -> tuple[str, int, list[str], list[str]]:
        """Remove all sets that are not in use.

        Returns:
            The folder; how much was removed, bytes; what is in the sets that were removed, and in
            those that are in use.
        """
        removed, size, used = [], 0, []
        for key in self._keys():
            content = self._content(key)
            freed = self._remove(key)
            if freed is None:
                used.append(content)
            else:
                size += freed
                removed.append(content)
        if not used:
            unlabel(self._home)
        return self._home, size, removed, used

    def _fill(self, key: str, size: int, limit: int, archive: Archive) -> None:
        folder = os.path.join(self._packages, key)
        part = f"{folder}.{os.uname().nodename}-{os.getpid()}.part"
        with Lock(f"{folder}.lock", fcntl.LOCK_EX | fcntl.LOCK_NB) as lock:
            if os.path.isdir(folder):
                return
            self._sweep(key, lock)
            self._make_room(limit - size, key)
            try:
                os.mkdir(part)
                archive.unpack(part, key)
                label(self._home)
                os.rename(part, folder)
            except BaseException:
                remove_tree(part)
                if not os.path.isdir(folder):
                    raise  # else somebody was quicker, where nothing can be locked

    def _make_room(self, limit: int, but: str) -> None:
        """Remove what was not used for longest until the rest takes no more than `limit` bytes."""
        keys = [key for key in self._keys() if key != but]
        sizes = {key: size_of(os.path.join(self._packages, key)) for key in keys}
        left = sum(sizes.values())
        for key in sorted(keys, key=self._last_used):
            half_done = not os.path.isdir(os.path.join(self._packages, key))
            with suppress(OSError):  # then it stays, and is tried again with the next set
                if (left > limit or half_done) and self._remove(key, _JUST_NOW) is not None:
                    left -= sizes[key]

    def _remove(self, key: str, recent: float = 0.0) -> int | None:
        """Remove a set, and return how large it was; None if it is in use."""
        folder = os.path.join(self._packages, key)
        age = time.time() - self._last_used(key)
        try:
            with Lock(f"{folder}.lock", fcntl.LOCK_EX | fcntl.LOCK_NB) as lock:
                whole = os.path.isdir(folder)
                if whole and age < (recent if lock.locked else _DAY):
                    return None
                self._sweep(key, lock)
                size = size_of(folder)
                if whole:
                    os.rename(folder, f"{folder}.old.part")  # what is half removed has no name
                    remove_tree(f"{folder}.old.part")
                os.unlink(f"{folder}.lock")
                return size
        except BlockingIOError:
            return None

    def _sweep(self, key: str, lock: Lock) -> None:
        """Remove what was left half done of a set that we have locked."""
        for name in _names(self._packages):
            path = os.path.join(self._packages, name)
            half_done = name.startswith(f"{key}.") and name.endswith(".part")
            if half_done and (lock.locked or time.time() - os.stat(path).st_mtime > _DAY):
                remove_tree(path)

    def _tidy(self, key: str) -> None:
        """Leave nothing of a set that did not come to be."""
        if not os.path.isdir(os.path.join(self._packages, key)):
            self._remove(key)
        if not self._keys():
            unlabel(self._home)

    def _keys(self) -> list[str]:
        keys = {name.partition(".")[0] for name in _names(self._packages)}
        return sorted(key for key in keys if len(key) == KEY and set(key) <= _HEX)

    def _last_used(self, key: str) -> float:
        try:
            return os.stat(os.path.join(self._packages, f"{key}.lock")).st_mtime
        except OSError:
            return 0.0

    def _content(self, key: str) -> str:
        """What is in a set, in words: names and versions."""
        names = sorted(_names(os.path.join(self._packages, key)))
        found = [name[: -len(".dist-info")] for name in names if name.endswith(".dist-info")]
        return ", ".join(name.replace("-", " ", 1) for name in found) or key[:12]


class Archive:
    """What a set comes in: a compressed tar, read from the standard input when it is asked for."""

    def __init__(self, size: int, patience: float) -> None:
        self._left = size
        self._patience = patience
        self._bears = float("inf")  # seconds of silence yet; a slow disk is none

    def beat(self, *_: object) -> None:
        """Say that we are there, and see that what is to come does come; a signal's handler."""
        self._bears -= _BEAT  # not by a clock: it goes on while this computer stands still
        if self._bears < 0:
            self._bears = float("inf")  # nobody need be told twice
            raise _Silence(f"nothing came for {self._patience:g} s")
        with suppress(OSError):  # who is not there any more sends nothing either
            _say("alive")

    def unpack(self, folder: str, digest: str) -> None:
        """Have it sent, and unpack it into a folder that is empty."""
        import hashlib
        import tarfile

        self._digest = hashlib.sha256()
        _say("send")
        with tarfile.open(fileobj=self, mode="r|gz", bufsize=_PIECE) as archive:  # type: ignore[call-overload]
            for member in archive:
                path = os.path.join(folder, member.name)
                if member.isdir():
                    os.mkdir(path)
                else:
                    _write(path, _pieces(archive.extractfile(member)), member.mode & 0o777)
        while self.read(_PIECE):
            pass
        if self._digest.hexdigest()[: len(digest)] != digest:
            raise OSError("what came is not what was sent")

    def read(self, size: int) -> bytes:
        self._bears = self._patience
        data = os.read(0, min(size, self._left)) if self._left else b""
        self._bears = float("inf")
        if not data and self._left:
            raise EOFError("the connection ended before all had come")
        self._left -= len(data)
        self._digest.update(data)
        return data


class Lock:
    """An flock on a file that others may remove, for a with-statement.

    Attributes:
        locked: Whether the file system can lock at all.
    """

    def __init__(self, path: str, how: int) -> None:
        self._path = path
        self._how = how
        self.locked = True

    def __enter__(self) -> Lock:
        while True:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                self._take()
                if os.path.samestat(os.fstat(self._file), os.stat(self._path)):
                    return self
            except FileNotFoundError:
                pass  # it was removed while we waited, as it was replaced otherwise
            except BaseException:
                os.close(self._file)
                raise
            os.close(self._file)

    def _take(self) -> None:
        try:
            fcntl.flock(self._file, self._how)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            self.locked = False

    def stamp(self) -> None:
        """Note that what is locked is being used now."""
        os.utime(self._file)

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def cache_home() -> str:
    """The folder of Interstate's caches on this computer."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = given if os.path.isabs(given) else os.path.expanduser("~/.cache")
    return os.path.join(base, "interstate")


def make_home(home: str) -> None:
    """Make the caches' folder, which only its owner may have to do with."""
    if not os.path.isabs(home):
        raise OSError(ENOENT, "you have no home directory, so set XDG_CACHE_HOME", home)
    os.makedirs(os.path.dirname(home), exist_ok=True)
    try:
        os.mkdir(home, 0o700)
    except FileExistsError:
        if os.stat(home).st_uid != os.geteuid():
            raise PermissionError(EPERM, "it belongs to another user", home) from None


def label(home: str) -> None:
    """Have it said in the caches' folder what it is."""
    for name, text in _LABELS.items():
        path = os.path.join(home, name)
        if not os.path.exists(path):
            with suppress(FileExistsError):
                _write(path, (text.encode(),))


def unlabel(home: str) -> None:
    """Remove the caches' folder, if nothing is kept in it any more."""
    with suppress(OSError):  # somebody has use for it, or it is not there
        if "packages" in os.listdir(home):
            os.rmdir(os.path.join(home, "packages"))
        left = os.listdir(home)
        if set(left) <= _LABELS.keys():
            for name in left:
                os.unlink(os.path.join(home, name))
            os.rmdir(home)  # unless somebody has just begun to use it


def _write(path: str, pieces: Any, mode: int = 0o644) -> None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            for piece in pieces:
                while piece:
                    piece = piece[os.write(file, piece) :]
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(file)
    except OSError as error:
        error.filename = path  # a failed write does not know it
        raise


def _pieces(file: Any) -> Iterator[bytes]:
    read: Callable[[], bytes] = lambda: file.read(_PIECE)  # noqa: E731
    return iter(read, b"")


def _names(folder: str) -> list[str]:
    with suppress(FileNotFoundError):
        return os.listdir(folder)
    return []


def size_of(folder: str) -> int:
    """How much the files below a folder take, bytes."""
    total = 0
    for where, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):  # it was removed just now
                total += os.lstat(os.path.join(where, name)).st_size
    return total


def remove_tree(path: str) -> None:
    """Remove a folder and what is in it, if it is there."""
    import shutil

    if os.path.lexists(path):
        shutil.rmtree(path)


def _words(error: OSError) -> str:
    where = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{where}"


def _say(*words: Any) -> None:
    line = ascii(words).encode() + b"\n"
    while line:
        line = line[os.write(1, line) :]
