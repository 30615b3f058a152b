"""Packages where something is in the way: slow lines and disks, odd homes, others, nonsense."""

from __future__ import annotations

import errno
import io
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import interstate
from interstate import archives, boot, depot, provision
from interstate.archives import Archive, Archives, pack
from interstate.hosts import Host
from interstate.platforms import Platform
from interstate.progress import Progress
from interstate.provision import Provision
from interstate.remote import depot as over_there
from interstate.remote import wire
from interstate.resolving import Installer, NoPackagesError, Wanted, is_to_be_built, place_of, shown

from .packages import Process, index_of, make_wheel, wrapped
from .proxy import Proxy

PLATFORM = Platform(sys.version_info[:3], "cpython", "", "Linux", "x86_64", "glibc 2.36")
WHEEL = "thing-1.0-py3-none-any.whl"


def make_any(self: Installer, wanted: Wanted, target: Path) -> None:
    (target / "anything").write_bytes(os.urandom(100))


def small_files(tmp_path: Path, size: int = 10, count: int = 9) -> Archive:
    folder = tmp_path / "to pack"
    folder.mkdir()
    for number in range(count):
        (folder / f"file{number}").write_bytes(os.urandom(size))
    return pack(folder, tmp_path / "packed.tar.gz")


# --------------------------------------------------------------------------- what is chosen


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip finds wheels in; there is no uv."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, value in index_of(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("interstate.resolving.find_uv", lambda: None)
    return folder


@pytest.mark.parametrize("written", ["{0}", "thing @ file://{0}", "file:{0}", "{0}[some]"])
def test_a_wheel_that_is_built_anew_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setattr(Installer, "install", make_any)
    keys: list[str] = []
    for content in (b"x = 1", b"x = 2"):
        path = make_wheel(tmp_path, "thing", files={"thing.py": content})
        asked = [written.format(path)]
        keys.append(Archives(str(tmp_path / "home")).find_or_make(asked, PLATFORM).key)
        assert Archives(str(tmp_path / "home")).find_or_make(asked, PLATFORM).key == keys[-1]
    assert keys[0] != keys[1]


def test_a_wheel_is_the_one_of_the_folder_that_we_are_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Installer, "install", make_any)
    keys: list[str] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        make_wheel(Path(), "thing")
        keys.append(Archives(str(tmp_path / "home")).find_or_make([WHEEL], PLATFORM).key)
    assert keys[0] != keys[1]


def test_what_is_still_to_be_built_is_refused_and_nothing_of_it_is_run(
    tmp_path: Path, wheels: Path
) -> None:
    trap = tmp_path / "source"
    trap.mkdir()
    (trap / "setup.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    with pytest.raises(NoPackagesError, match=r"source is no wheel, and nothing is built"):
        Archives(str(tmp_path / "home")).find_or_make([str(trap)], PLATFORM)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("requirement", "refused"),
    [
        ("numpy>=2", False),
        ("numpy; platform_machine != 'a/b'", False),
        ("thing @ https://example.org/thing-1.0-py3-none-any.whl#sha256=0", False),
        ("https://example.org/thing-1.0-py3-none-any.whl?token=1", False),
        ("https://example.org/download/7", False),
        ("https://example.org/thing-1.0.tar.gz", True),
        ("thing[some] @ git+ssh://git@example.org/thing.git", True),
        (".", True),
    ],
)
def test_wheels_are_told_from_what_is_to_be_built(requirement: str, refused: bool) -> None:
    assert is_to_be_built(requirement) == refused


def test_a_file_that_is_called_like_a_package_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("numpy").touch()
    assert not place_of("numpy")


def test_requirements_that_are_for_other_platforms_leave_nothing_to_do(
    tmp_path: Path, wheels: Path
) -> None:
    home = Archives(str(tmp_path / "home"))
    assert home.find_or_make(["thing; sys_platform == 'win32'"], PLATFORM).unpacked == 0


def test_passwords_of_indices_are_not_told() -> None:
    told = shown(["thing @ https://me:secret@example.org/thing-1.0-py3-none-any.whl", "numpy"])
    assert told == "thing @ https://…@example.org/thing-1.0-py3-none-any.whl, numpy"


# ------------------------------------------------------------------------------ kept here


def test_no_more_processes_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_fork(self: Installer, wanted: Wanted, target: Path) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(Installer, "install", no_fork)
    with pytest.raises(BlockingIOError, match="Resource temporarily unavailable"):
        Archives(str(tmp_path), {}).find_or_make(["a"], PLATFORM)


def test_two_may_make_room_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Installer, "install", make_any)
    home = Archives(str(tmp_path), {})
    first = Path(home.find_or_make(["a"], PLATFORM).path)
    last_used = archives._last_used

    def remove_then_tell(path: Path) -> float:
        used = last_used(path)
        if path == first:
            first.unlink(missing_ok=True)
        return used

    monkeypatch.setattr(archives, "_last_used", remove_then_tell)
    assert Path(home.find_or_make(["b"], PLATFORM).path).exists()
    assert not first.exists()


def provided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Archive]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    of_an_executor = Provision(("a",), lambda *_: pytest.fail("no host"), 1.0, Progress(False))
    return lambda: of_an_executor._archive(("a",), PLATFORM, (), ())


def test_what_was_cleaned_away_under_an_executor_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Installer, "install", make_any)
    archive = provided(tmp_path, monkeypatch)
    first = archive()
    assert archive() == first
    Archives().clean()
    assert Path(archive().path).exists()


def test_packages_that_could_not_be_had_are_tried_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Wanted] = []

    def install(self: Installer, wanted: Wanted, target: Path) -> None:
        asked.append(wanted)
        if len(asked) == 1:
            raise NoPackagesError("no network")
        make_any(self, wanted, target)

    monkeypatch.setattr(Installer, "install", install)
    archive = provided(tmp_path, monkeypatch)
    for _ in range(2):
        with pytest.raises(NoPackagesError, match="no network"):
            archive()
    assert len(asked) == 1, "hosts that come together are told the same"
    monkeypatch.setattr(provision, "_HOLDS", 0.0)
    assert Path(archive().path).exists()


def test_progress_that_nobody_can_see_any_more_is_in_nobodys_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Broken())
    Progress(True).tell("a host", "sending")
    monkeypatch.setattr(sys, "stderr", None)
    Progress(True).tell("a host", "sending")
    assert not capsys.readouterr().out


# ----------------------------------------------------------------------------- on the way


@pytest.mark.parametrize("made", [True, False])
def test_a_connection_that_is_lost_meanwhile_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loopback_host: Host, made: bool
) -> None:
    real = depot.keep
    cuts: list[int] = []

    def install(self: Installer, wanted: Wanted, target: Path) -> None:
        (target / "thing.py").write_text("VERSION = '1.0'")
        if not made:
            cut()

    def keep(stream: boot.Stream, *more: Any) -> str:
        if made and not cuts:
            cut()
            while stream.read(1):  # until that is known here
                pass
        return real(stream, *more)

    def cut() -> None:
        proxy.cut()
        cuts.append(proxy.accepted)

    def job() -> Any:
        import thing  # type: ignore[import-not-found]

        return thing.VERSION

    monkeypatch.setattr(Installer, "install", install)
    monkeypatch.setattr(depot, "keep", keep)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "here"))
    python = wrapped(tmp_path / "python", sys.executable, XDG_CACHE_HOME=str(tmp_path / "there"))
    with Proxy(loopback_host, tmp_path) as proxy:
        host, packages = proxy.host, ["thing"]
        assert interstate.execute(job, host=host, python=python, packages=packages) == "1.0"
    assert cuts == [1]


def test_a_network_that_freezes_while_they_are_sent_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loopback_host: Host
) -> None:
    def install(self: Installer, wanted: Wanted, target: Path) -> None:
        (target / "large").write_bytes(os.urandom(8_000_000))

    def keep(stream: Any, start: boot.Start, archive: Archive, patience: float, _: Any) -> str:
        def tell(sent: int) -> None:
            if sent > 1_000_000:
                proxy.freeze()

        stream._transport.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return real(stream, start, archive, patience, tell)

    real = depot.keep
    monkeypatch.setattr(depot, "keep", keep)
    monkeypatch.setattr(provision, "_SILENCE", 1.0)
    monkeypatch.setattr(Installer, "install", install)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "here"))
    python = wrapped(tmp_path / "python", sys.executable, XDG_CACHE_HOME=str(tmp_path / "there"))
    proxy = Proxy(loopback_host, tmp_path)
    proxy._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    options: dict[str, Any] = {"python": python, "packages": ["thing"], "connect_timeout": 3.0}
    begun = time.monotonic()
    with proxy, interstate.SSHExecutor(proxy.host, **options) as executor:
        error = executor.submit(os.getpid).exception(60.0)
        assert isinstance(error, interstate.HostError)
    assert time.monotonic() - begun < 60.0


# -------------------------------------------------------------------------- over there


class Line(Process):
    """A stream whose other end may be gone when it is written to."""

    def write(self, data: wire.Bytes) -> None:
        try:
            super().write(data)
        except ValueError as error:
            raise BrokenPipeError from error


def cache_in(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_a_slow_line_is_not_taken_for_silence(tmp_path: Path) -> None:
    def slowly(process: Process, data: bytes) -> None:
        time.sleep(len(data) / 100e3 if process.written else 0.0)

    start = boot.prepare(sys.executable)
    line = Line(start.command, cache_in(tmp_path), slowly)
    line.await_start()
    folder = depot.keep(line, start, small_files(tmp_path, 400_000, 1), 3.0)
    assert Path(folder, "file0").stat().st_size == 400_000
    line.end()


def test_a_slow_disk_is_not_taken_for_silence(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, time\n"
        "fast = os.open\n"
        "def slow(path, *rest):\n"
        "    time.sleep(0.5 if '.part/' in str(path) else 0.0)\n"
        "    return fast(path, *rest)\n"
        "os.open = slow\n"
    )
    start = boot.prepare(sys.executable)
    environ = {**cache_in(tmp_path), "PYTHONPATH": str(tmp_path)}
    line = Line(start.command, environ)
    line.await_start()
    assert len(os.listdir(depot.keep(line, start, small_files(tmp_path), 3.5))) == 9
    line.end()


class Talker:
    """The stream of a host that says something of its own."""

    finished = lost = False

    def __init__(self, start: boot.Start, said: str) -> None:
        self._left = b"\n" + start.marker + b" 3.12.1 python\n" + said.encode() + b"\n"

    def read(self, n: int) -> bytes:
        data, self._left = self._left[:n], self._left[n:]
        return data

    def write(self, data: wire.Bytes) -> None: ...
    def close(self) -> None: ...


@pytest.mark.parametrize(
    "said",
    [
        "('here',)", "('send',)\n('send',)", "('cleaned', '/', 1, [], [])", "({[]: 1},)", "()",
        "5", "(" * 9000, "[" * 90 + "]" * 90, "\x1b[2J", "('alive', 1)",
    ],
)  # fmt: skip
def test_nonsense_from_a_host_is_its_own_error(tmp_path: Path, said: str) -> None:
    start = boot.prepare("python")
    with pytest.raises(depot.DepotError, match="this is no"):
        depot.keep(Talker(start, said), start, small_files(tmp_path), 10.0)  # type: ignore[arg-type]


def test_a_host_cannot_name_so_new_a_library_that_its_tags_have_no_end() -> None:
    assert len(PLATFORM._replace(libc="glibc 2.999999999").tags) < 100


def test_a_user_without_a_home_is_told_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_such_user(number: int) -> None:
        raise KeyError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pwd.getpwuid", no_such_user)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OSError, match="set XDG_CACHE_HOME"):
        Archives().find_or_make(["a"], PLATFORM)
    assert not os.listdir(tmp_path), "above all no folder named ~"


def test_a_cache_that_somebody_begins_to_use_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "interstate"
    over_there.make_home(str(home))
    over_there.label(str(home))
    seen: list[list[str]] = []
    look = os.listdir

    def meanwhile(path: str) -> list[str]:
        seen.append(look(path))
        if len(seen) == 2:  # there was nothing of it when it was looked at
            (home / "packages" / "others").mkdir(parents=True)
        return seen[-1]

    monkeypatch.setattr(os, "listdir", meanwhile)
    over_there.unlabel(str(home))
    assert (home / "packages" / "others").is_dir()
