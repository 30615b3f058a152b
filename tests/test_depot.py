"""What is kept on hosts: whole or not at all, once for all who need it, within a bound."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interstate import boot, depot
from interstate.archives import Archive, pack
from interstate.remote.depot import Depot, Lock

from .packages import Process, wrapped
from .pythons import HOSTS, find, why_not

PATIENCE = 60.0
LIMIT = 1 << 30


def archive_of(tmp_path: Path, name: str, size: int = 1000) -> Archive:
    """Packages, of which one has this name, that take so many bytes."""
    folder = tmp_path / f"{name} to pack"
    (folder / f"{name}-1.0.dist-info").mkdir(parents=True)
    (folder / name / "data").mkdir(parents=True)
    (folder / name / "__init__.py").write_text("x = 1\n")
    (folder / name / "data" / "large").write_bytes(os.urandom(size))
    (folder / name / "data" / "tool").write_text("#!/bin/sh\n")
    (folder / name / "data" / "tool").chmod(0o755)
    return pack(folder, tmp_path / f"{name}.tar.gz")


class Home:
    """A host's cache, and clients that have something kept there."""

    def __init__(self, tmp_path: Path, python: str) -> None:
        self.path = tmp_path / "cache" / "interstate"
        self.packages = self.path / "packages"
        self.environ = {**os.environ, "XDG_CACHE_HOME": str(self.path.parent)}
        self.start = boot.prepare(python)
        self._processes: list[Process] = []

    def keep(self, archive: Archive, patience: float = PATIENCE, **options: object) -> str:
        return depot.keep(self.process(**options), self.start, archive, patience)  # type: ignore[arg-type]

    def clean(self) -> depot.Cleaned:
        return depot.clean(self.process(), self.start, PATIENCE)

    def process(
        self, before_write: Callable[[Process, bytes], object] = lambda *_: None
    ) -> Process:
        self._processes.append(Process(self.start.command, self.environ, before_write))
        return self._processes[-1]

    def end(self) -> None:
        for process in self._processes:
            process.end()

    def names(self) -> list[str]:
        return sorted(os.listdir(self.packages)) if self.packages.exists() else []


@pytest.fixture
def home_of(tmp_path: Path) -> Iterator[Callable[[str], Home]]:
    """Makes the cache of a host with some Python."""
    homes: list[Home] = []

    def home_of(python: str) -> Home:
        homes.append(Home(tmp_path, python))
        return homes[-1]

    yield home_of
    for home in homes:
        home.end()


@pytest.fixture
def home(home_of: Callable[[str], Home]) -> Home:
    return home_of(_any_python())


def never(process: Process, data: bytes) -> None:
    assert not process.written, "nothing but the program is to be sent"


@pytest.mark.parametrize("version", HOSTS)
def test_what_is_sent_is_there_as_it_was_and_is_not_sent_again(
    tmp_path: Path, version: str, home_of: Callable[[str], Home]
) -> None:
    python = find(version)
    if python is None:
        pytest.skip(why_not(version))
    home = home_of(python)
    archive = archive_of(tmp_path, "things", 3_000_000)
    folder = Path(home.keep(archive))
    assert folder == home.packages / archive.key
    source = tmp_path / "things to pack"
    for path in source.rglob("*"):
        there = folder / path.relative_to(source)
        assert there.stat().st_mode == path.stat().st_mode
        if path.is_file():
            assert there.read_bytes() == path.read_bytes()
    assert home.names() == [archive.key, f"{archive.key}.lock"]
    assert "Interstate keeps here packages" in (home.path / "README").read_text()
    assert (home.path / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f0")
    assert home.path.stat().st_mode & 0o777 == 0o700
    assert home.keep(archive, before_write=never) == str(folder)


def test_two_at_once_have_it_sent_once(tmp_path: Path, home: Home) -> None:
    archive = archive_of(tmp_path, "things", 3_000_000)
    begun, go_on = threading.Event(), threading.Event()

    def hold(process: Process, data: bytes) -> None:
        if process.written:
            begun.set()
            assert go_on.wait(PATIENCE)

    folders: list[str] = []
    first = threading.Thread(target=lambda: folders.append(home.keep(archive, before_write=hold)))
    first.start()
    assert begun.wait(PATIENCE)
    second = home.process(never)
    waiter = threading.Thread(
        target=lambda: folders.append(depot.keep(second, home.start, archive, PATIENCE))
    )
    waiter.start()
    while not _waits_for_lock(second.child.pid):
        time.sleep(0.01)
    go_on.set()
    first.join(PATIENCE)
    waiter.join(PATIENCE)
    assert folders == [str(home.packages / archive.key)] * 2
    assert home.names() == [archive.key, f"{archive.key}.lock"]


def _waits_for_lock(pid: int) -> bool:
    """Whether a process is blocked in a lock, as the kernel tells by an arrow."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and f" {pid} " in line for line in lines)


def test_where_nothing_can_be_locked_each_may_do_it_and_both_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    class Slow:
        def unpack(self, folder: str, digest: str) -> None:
            monkeypatch.setattr(os, "getpid", lambda: 2)
            quicker.append(slow.add("a" * 32, 1, LIMIT, Quick()))  # type: ignore[arg-type]
            assert Path(folder).is_dir(), "the quicker one leaves it alone"

    class Quick:
        def unpack(self, folder: str, digest: str) -> None:
            assert Path(folder).is_dir()

    monkeypatch.setattr(fcntl, "flock", no_locks)
    quicker: list[str] = []
    slow = Depot(str(tmp_path / "interstate"))
    assert [slow.add("a" * 32, 1, LIMIT, Slow())] == quicker  # type: ignore[arg-type]
    assert sorted(os.listdir(tmp_path / "interstate/packages")) == ["a" * 32, "a" * 32 + ".lock"]


def test_killed_while_unpacking_leaves_nothing_that_looks_whole(tmp_path: Path, home: Home) -> None:
    archive = archive_of(tmp_path, "things", 3_000_000)

    def kill(process: Process, data: bytes) -> None:
        if process.written > 1_500_000:
            os.kill(process.child.pid, signal.SIGKILL)
            process.child.wait()

    with pytest.raises(depot.DepotError, match="the connection was lost"):
        home.keep(archive, before_write=kill)
    assert [name for name in home.names() if name.endswith(".part")], "it was in the middle"
    assert archive.key not in home.names()
    folder = home.keep(archive)
    assert Path(folder, "things/data/large").stat().st_size == 3_000_000
    assert home.names() == [archive.key, f"{archive.key}.lock"]


def test_what_was_left_half_done_of_one_set_is_removed_with_the_next(
    tmp_path: Path, home: Home
) -> None:
    home.packages.mkdir(parents=True)
    key = "f" * 32
    (home.packages / f"{key}.elsewhere-1.part").mkdir()
    (home.packages / f"{key}.elsewhere-1.part" / "file").touch()
    (home.packages / f"{key}.lock").touch()
    long_ago(home.packages / f"{key}.lock")
    (home.packages / "a user's own").mkdir()
    archive = archive_of(tmp_path, "things")
    home.keep(archive)
    assert set(home.names()) == {"a user's own", archive.key, f"{archive.key}.lock"}


def test_an_end_of_the_connection_leaves_nothing(tmp_path: Path, home: Home) -> None:
    archive = archive_of(tmp_path, "things", 3_000_000)

    def hang_up(process: Process, data: bytes) -> None:
        if process.written > 1_500_000:
            process.close()
            raise BrokenPipeError

    with pytest.raises(depot.DepotError, match="the connection ended before all had come"):
        home.keep(archive, before_write=hang_up)
    home.end()
    assert not home.path.exists()


def test_who_sends_nothing_is_not_waited_for(tmp_path: Path, home: Home) -> None:
    archive = archive_of(tmp_path, "things", 3_000_000)
    stuck = threading.Event()

    def sleep(process: Process, data: bytes) -> None:
        if process.written:
            stuck.wait(PATIENCE)
            raise BrokenPipeError

    def keep() -> None:
        with pytest.raises(depot.DepotError):
            depot.keep(process, home.start, archive, 2.0)

    process = home.process(sleep)
    process.await_start()
    thread = threading.Thread(target=keep)
    thread.start()
    process.child.wait(PATIENCE)
    assert not home.path.exists()
    stuck.set()
    thread.join(PATIENCE)


def test_who_says_nothing_is_not_waited_for(tmp_path: Path, home: Home) -> None:
    archive = archive_of(tmp_path, "things")
    process = Process("exec cat >/dev/null", {})
    begun = time.monotonic()
    with pytest.raises(depot.DepotError, match=r"nothing was heard for 0\.3 s"):
        depot.keep(process, home.start, archive, 0.3)
    assert time.monotonic() - begun < PATIENCE / 2
    process.end()


def test_a_full_disk_is_named_and_nothing_is_left(
    tmp_path: Path, home_of: Callable[[str], Home]
) -> None:
    home = home_of(wrapped(tmp_path / "python", _any_python(), before="ulimit -f 1000"))
    archive = archive_of(tmp_path, "things", 3_000_000)
    with pytest.raises(depot.DepotError, match=r"File too large: .*/things/data/large"):
        home.keep(archive)
    home.end()
    assert not home.path.exists()


def test_a_disk_that_is_really_full_is_named_and_nothing_is_left(
    tmp_path: Path, home: Home
) -> None:
    home.path.parent.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(home.path.parent)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        with pytest.raises(depot.DepotError, match=r"No space left on device: .*/things/data/larg"):
            home.keep(archive_of(tmp_path, "things", 3_000_000))
        home.end()
        assert not home.path.exists()
        Path(home.keep(archive_of(tmp_path, "less", 1000)), "less").stat()
        with pytest.raises(depot.DepotError, match="No space left"):
            home.keep(archive_of(tmp_path, "more", 3_000_000))
        assert len(home.names()) == 2, "what was there before stays"
        home.end()
    finally:
        subprocess.run(["umount", str(home.path.parent)], check=True)


@pytest.mark.parametrize("where", ["/proc/none", "/dev/null"])
def test_a_home_that_cannot_be_written_is_named(tmp_path: Path, home: Home, where: str) -> None:
    home.environ = {**os.environ, "XDG_CACHE_HOME": where}
    with pytest.raises(depot.DepotError, match=rf"(No such|File exists).*: {where}"):
        home.keep(archive_of(tmp_path, "things"))


def test_a_home_that_is_another_users_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "interstate").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        Depot(str(tmp_path / "interstate")).add("a" * 32, 1, LIMIT, None)  # type: ignore[arg-type]


def test_what_comes_damaged_is_not_kept(tmp_path: Path, home: Home) -> None:
    archive = archive_of(tmp_path, "things", 100_000)
    other = archive_of(tmp_path, "others", 100_000)
    with pytest.raises(depot.DepotError, match="what came is not what was sent"):
        home.keep(other._replace(key=archive.key))
    Path(archive.path).write_bytes(os.urandom(archive.size))
    with pytest.raises(depot.DepotError):
        home.keep(archive)
    home.end()
    assert not home.path.exists()


# ------------------------------------------------------------------------------ the bound


class Filled:
    """A Depot with sets that were used one after the other, long ago; each takes 1000 bytes."""

    def __init__(self, tmp_path: Path, count: int) -> None:
        self.depot = Depot(str(tmp_path / "interstate"))
        self.packages = tmp_path / "interstate" / "packages"
        self.keys = [f"{n:032x}" for n in range(count)]
        for age, key in zip(range(count, 0, -1), self.keys, strict=True):
            self.add(key)
            long_ago(self.packages / f"{key}.lock", age * 1000.0)

    def add(self, key: str, size: int = 1000, limit: int = LIMIT) -> str:
        return self.depot.add(key, size, limit, self)  # type: ignore[arg-type]

    def unpack(self, folder: str, digest: str) -> None:
        Path(folder, f"name_{digest[-2:]}-1.0.dist-info").mkdir()
        Path(folder, "file").write_bytes(bytes(1000))

    @property
    def there(self) -> list[str]:
        return sorted(path.name for path in self.packages.iterdir() if path.is_dir())


def long_ago(path: Path, age: float = 10_000.0) -> None:
    os.utime(path, (time.time() - age,) * 2)


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    filled = Filled(tmp_path, 4)
    assert filled.depot.find(filled.keys[0])
    new = "e" * 32
    filled.add(new, limit=3500)
    assert filled.there == [filled.keys[0], filled.keys[3], new]
    assert len(os.listdir(filled.packages)) == 6, "nor is a lock left of the others"


def test_what_is_in_use_or_new_stays_even_beyond_the_bound(tmp_path: Path) -> None:
    filled = Filled(tmp_path, 3)
    new = "e" * 32
    with Lock(str(filled.packages / f"{filled.keys[0]}.lock"), fcntl.LOCK_SH):
        filled.add(new, size=1 << 20, limit=1)
        assert filled.there == [filled.keys[0], new]
    newer = "f" * 32
    filled.add(newer, limit=1)
    assert filled.there == [new, newer], "what was used just now may be about to be used"


def test_clean_removes_all_but_what_is_in_use(tmp_path: Path) -> None:
    filled = Filled(tmp_path, 3)
    home = str(tmp_path / "interstate")
    with Lock(str(filled.packages / f"{filled.keys[1]}.lock"), fcntl.LOCK_SH):
        assert filled.depot.clean() == (home, 2000, ["name_00 1.0", "name_02 1.0"], ["name_01 1.0"])
        assert filled.there == [filled.keys[1]]
    assert filled.depot.clean() == (home, 1000, ["name_01 1.0"], [])
    assert not Path(home).exists()
    assert filled.depot.clean() == (home, 0, [], [])


def test_clean_over_there(tmp_path: Path, home: Home) -> None:
    home.keep(archive_of(tmp_path, "things", 100_000))
    cleaned = home.clean()
    assert (cleaned.folder, cleaned.removed, cleaned.used) == (str(home.path), ["things 1.0"], [])
    assert cleaned.size > 100_000
    assert not home.path.exists()


def _any_python() -> str:
    return next(filter(None, map(find, HOSTS)))
