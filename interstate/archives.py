"""The archives of packages that are kept here, to be sent to hosts.

    ~/.cache/interstate/    or in $XDG_CACHE_HOME
      archives/             KEY.tar.gz: packages; KEY is its digest
      resolved/             which archive it was for some requirements and platform; for a day
      work/                 what is being made

Any number of processes may use them.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, cast

from .platforms import Platform
from .remote import depot
from .resolving import Installer, NoPackagesError, Wanted, place_of, shown

LIMIT = 4 << 30  # bytes that are kept
FRESH = 86400.0  # seconds for which what requirements led to is not asked for again
_IN_USE = 3600.0  # seconds for which an archive may be needed, since it was last asked for
_LEVEL = 1  # of compression: what takes longest is the way to the hosts, or else the packing
_THEN = 315532800  # the time of all files, since zip files know none before 1980
_LOOK = 0.2  # seconds between looks at whether another process has made what we need
_PIECE = 1 << 20  # bytes


class Archive(NamedTuple):
    """Packages as they are sent: a compressed tar.

    Attributes:
        path: Where it is.
        key: Its digest.
        size: Of the file, bytes.
        unpacked: Of what is in it, bytes.
        second_choice: Whether it is what was to be had instead.
    """

    path: str
    key: str
    size: int
    unpacked: int
    second_choice: bool = False


class Archives:
    """Those in a cache folder.

    Args:
        home: The folder; default: the user's.
        environment: Where settings of pip and uv are that the choice of packages depends on.
    """

    def __init__(
        self, home: str | None = None, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._home = Path(home or depot.cache_home())
        self._settings = [
            f"{name}={value}"
            for name, value in sorted(environment.items())
            if name.startswith(("PIP_", "UV_"))
        ]
        self._installer = Installer()
        self._closed = threading.Event()

    def close(self) -> None:
        """End what is being made."""
        self._closed.set()
        self._installer.close()

    def find_or_make(
        self,
        requirements: Sequence[str],
        platform: Platform,
        constraints: Sequence[str] = (),
        tell: Callable[[str], object] = lambda stage: None,
        instead: Sequence[str] = (),
    ) -> Archive:
        """Return the archive of packages and all that they need.

        Args:
            requirements: As pip takes them.
            platform: What they are to run on.
            constraints: Requirements that hold for those that are installed.
            tell: Told what is being done, if anything is.
            instead: Requirements that will do if these packages cannot be had.

        Raises:
            NoPackagesError: They cannot be had.
            OSError: There is no room for them, or the folder cannot be written to.
        """
        states = [_state_of(requirement) for requirement in requirements]
        facts = [
            *(sorted(requirements), states, str(platform), sorted(constraints), sorted(instead)),
            self._settings,
        ]
        name = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[: depot.KEY]
        known = self._known(name)
        if known is not None:
            return known
        depot.make_home(str(self._home))
        depot.label(str(self._home))
        for folder in ("archives", "resolved", "work"):
            (self._home / folder).mkdir(exist_ok=True)
        with self._locked(self._home / "resolved" / f"{name}.lock"):
            known = self._known(name)
            if known is None:
                wanted = Wanted(tuple(requirements), platform)
                known = self._make_either(wanted, constraints, tell, instead)
                self._note(name, known)
                self._make_room()
        return known

    def clean(self) -> int:
        """Remove all that is kept, and return how much it was, bytes."""
        size = 0
        for folder in ("archives", "resolved", "work"):
            size += depot.size_of(str(self._home / folder))
            depot.remove_tree(str(self._home / folder))
        depot.unlabel(str(self._home))
        return size

    def _known(self, name: str) -> Archive | None:
        noted = self._home / "resolved" / f"{name}.json"
        try:
            if time.time() - noted.stat().st_mtime > FRESH:
                return None
            archive = Archive(**json.loads(noted.read_text()))
            if os.stat(archive.path).st_size != archive.size:
                return None
            os.utime(archive.path)
        except (OSError, ValueError, TypeError):  # there is none, or no whole one
            return None
        return archive

    def _note(self, name: str, archive: Archive) -> None:
        part = self._home / "resolved" / f"{name}.{os.getpid()}.part"
        part.write_text(json.dumps(archive._asdict()))
        part.replace(part.with_name(f"{name}.json"))

    @contextlib.contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        """Be the only one, of all processes, that makes something; ends when we are closed."""
        with contextlib.ExitStack() as held:
            while not self._lock(path, held):
                if self._closed.wait(_LOOK):
                    raise NoPackagesError("the executor was shut down meanwhile")
            yield

    @staticmethod
    def _lock(path: Path, held: contextlib.ExitStack) -> bool:
        with contextlib.suppress(BlockingIOError):
            held.enter_context(depot.Lock(str(path), fcntl.LOCK_EX | fcntl.LOCK_NB))
            return True
        return False

    def _make_either(
        self,
        wanted: Wanted,
        constraints: Sequence[str],
        tell: Callable[[str], object],
        instead: Sequence[str],
    ) -> Archive:
        try:
            return self._make(wanted, constraints, tell)
        except NoPackagesError as error:
            if not instead:
                raise
            try:
                made = self._make(wanted._replace(requirements=tuple(instead)), constraints, tell)
            except NoPackagesError:
                raise error from None
            return made._replace(second_choice=True)

    def _make(
        self, wanted: Wanted, constraints: Sequence[str], tell: Callable[[str], object]
    ) -> Archive:
        with tempfile.TemporaryDirectory(dir=self._home / "work", prefix="") as work:
            target = Path(work, "packages")
            target.mkdir()
            if constraints:
                wanted = wanted._replace(constraints=Path(work, "constraints.txt"))
                Path(work, "constraints.txt").write_text("\n".join(constraints))
            names = shown(wanted.requirements)
            tell(f"resolving {names}")
            self._installer.install(wanted, target)
            tell(f"packing {names}")
            made = pack(target, Path(work, "archive"))
            path = self._home / "archives" / f"{made.key}.tar.gz"
            os.replace(made.path, path)
        return made._replace(path=str(path))

    def _make_room(self) -> None:
        """Remove what was not used for longest, and what was never finished."""
        now = time.time()
        archives = sorted((self._home / "archives").iterdir(), key=_last_used, reverse=True)
        total = 0
        for path in archives:
            with contextlib.suppress(FileNotFoundError):  # somebody else was quicker
                total += path.stat().st_size
                if total > LIMIT and now - _last_used(path) > _IN_USE:
                    path.unlink()
        for folder in ("resolved", "work"):
            for path in (self._home / folder).iterdir():
                if now - _last_used(path) > FRESH:
                    _remove(path)


def pack(folder: Path, path: Path) -> Archive:
    """Pack a folder, always into the same bytes; caches of bytecode are left out.

    Args:
        folder: What is in it is packed.
        path: The archive, which must not be there yet.
    """
    with path.open("xb") as file:
        digest = _Digest(file)
        sink = cast(IO[bytes], digest)
        with (
            gzip.GzipFile("", "wb", _LEVEL, sink, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as archive,
        ):
            unpacked = sum(_add(archive, folder, name) for name in _names(folder))
    return Archive(str(path), digest.key, path.stat().st_size, unpacked)


class _Digest:
    """A file that is written to, and the digest of what is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    @property
    def key(self) -> str:
        return self._digest.hexdigest()[: depot.KEY]

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _names(folder: Path) -> Iterator[str]:
    """All below a folder, parents first."""
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        at = os.path.relpath(where, folder)
        if at == ".":
            files = [name for name in files if name != ".lock"]  # uv's
        yield from (os.path.normpath(os.path.join(at, name)) for name in sorted([*folders, *files]))


def _add(archive: tarfile.TarFile, folder: Path, name: str) -> int:
    """Add a file or a folder; return its size."""
    info = tarfile.TarInfo(name)
    info.mtime = _THEN
    path = folder / name
    if path.is_dir():
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(info)
        return 0
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        info.size = status.st_size
        info.mode = 0o755 if status.st_mode & 0o111 else 0o644
        archive.addfile(info, file)
    return info.size


def _state_of(requirement: str) -> list[int]:
    """When and how large a file is, if the requirement names one: it may be another tomorrow."""
    path = place_of(requirement)
    if not os.path.isfile(path):
        return []
    status = os.stat(path)
    return [status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size]


def _last_used(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # somebody else did
        if path.is_dir():
            depot.remove_tree(str(path))
        else:
            path.unlink()
