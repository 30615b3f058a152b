"""The archives that are kept here: made once, the same bytes for the same, within a bound."""

from __future__ import annotations

import os
import tarfile
import threading
import time
from pathlib import Path

import pytest

from interstate import archives, resolving
from interstate.archives import Archive, Archives, pack
from interstate.platforms import Platform
from interstate.resolving import Installer, NoPackagesError, Wanted

PLATFORM = Platform((3, 12, 1), "cpython", "", "Linux", "x86_64", "glibc 2.36")
PATIENCE = 60.0


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """What was installed: a file that is named as what is wanted, of 10,000 bytes."""
    wanted: list[Wanted] = []

    def install(self: Installer, what: Wanted, target: Path) -> None:
        wanted.append(what)
        (target / what.requirements[0]).write_bytes(os.urandom(10_000))

    monkeypatch.setattr(Installer, "install", install)
    return wanted


def make(home: Path, name: str, **options: object) -> Archive:
    return Archives(str(home), {}).find_or_make([name], PLATFORM, **options)  # type: ignore[arg-type]


def test_it_is_made_once_for_a_platform_and_a_day(tmp_path: Path, installed: list[Wanted]) -> None:
    told: list[str] = []
    first = make(tmp_path, "a", tell=told.append)
    assert told == ["resolving a", "packing a"]
    assert make(tmp_path, "a", tell=told.append) == first
    assert len(installed) == 1
    other = Archives(str(tmp_path), {}).find_or_make(["a"], PLATFORM._replace(machine="aarch64"))
    constrained = make(tmp_path, "a", constraints=["b==1"])
    assert len({first.key, other.key, constrained.key}) == len(installed) == 3
    assert installed[2].constraints is not None
    for note in (tmp_path / "resolved").iterdir():
        os.utime(note, (time.time() - archives.FRESH - 1,) * 2)
    make(tmp_path, "a")
    assert len(installed) == 4


def test_what_is_noted_and_not_there_or_not_whole_is_made_anew(
    tmp_path: Path, installed: list[Wanted]
) -> None:
    first = make(tmp_path, "a")
    Path(first.path).write_bytes(b"")
    second = make(tmp_path, "a")
    Path(second.path).unlink()
    third = make(tmp_path, "a")
    for note in (tmp_path / "resolved").glob("*.json"):
        note.write_text('{"path": ')
    make(tmp_path, "a")
    assert len(installed) == 4
    assert Path(third.path).stat().st_size == third.size


def test_threads_and_processes_that_want_the_same_wait_for_who_makes_it(
    tmp_path: Path, installed: list[Wanted]
) -> None:
    found: list[Archive] = []
    threads = [threading.Thread(target=lambda: found.append(make(tmp_path, "a"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(installed) == 1
    assert len(found) == 4


def test_who_waits_for_another_can_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def install(self: Installer, what: Wanted, target: Path) -> None:
        begun.set()
        go_on.wait(PATIENCE)

    monkeypatch.setattr(Installer, "install", install)
    maker = threading.Thread(target=lambda: make(tmp_path, "a"))
    maker.start()
    assert begun.wait(PATIENCE)
    waiting = Archives(str(tmp_path), {})
    threading.Timer(0.1, waiting.close).start()
    with pytest.raises(NoPackagesError, match="shut down"):
        waiting.find_or_make(["a"], PLATFORM)
    go_on.set()
    maker.join(PATIENCE)


def test_what_was_not_used_for_longest_goes_and_what_may_be_needed_stays(
    tmp_path: Path, installed: list[Wanted], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [make(tmp_path, name) for name in ("a", "b", "c")]
    for age, archive in zip((9000, 8000, 10), made, strict=True):
        os.utime(archive.path, (time.time() - age,) * 2)
    monkeypatch.setattr(archives, "LIMIT", 25_000)
    last = make(tmp_path, "d")
    assert {path.name for path in (tmp_path / "archives").iterdir()} == {
        Path(archive.path).name for archive in (made[2], last)
    }


def test_what_a_crash_has_left_is_removed_some_day(tmp_path: Path, installed: list[Wanted]) -> None:
    make(tmp_path, "a")
    old, new = tmp_path / "work" / "old", tmp_path / "work" / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "file").touch()
    os.utime(old, (time.time() - archives.FRESH - 1,) * 2)
    make(tmp_path, "b")
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["new"]


def test_what_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(self: Installer, what: Wanted, target: Path) -> None:
        (target / "half").touch()
        raise NoPackagesError("no")

    monkeypatch.setattr(Installer, "install", install)
    with pytest.raises(NoPackagesError, match="no"):
        make(tmp_path, "a")
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert not [name for name in left if not name.endswith((".lock", "README", "CACHEDIR.TAG"))]
    assert Archives(str(tmp_path), {}).clean() == 0
    assert not tmp_path.exists()


def test_the_same_content_gives_the_same_bytes_without_bytecode(tmp_path: Path) -> None:
    made: list[Archive] = []
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "package" / "__pycache__").mkdir(parents=True)
        (folder / "package" / "__pycache__" / "m.pyc").write_bytes(os.urandom(9))
        (folder / "package" / "m.py").write_text("x = 1")
        (folder / "empty").mkdir()
        (folder / ".lock").touch()
        os.utime(folder / "package" / "m.py", (len(made) * 1000.0,) * 2)
        made.append(pack(folder, tmp_path / f"{name}.tar.gz"))
    assert made[0]._replace(path="") == made[1]._replace(path="")
    with tarfile.open(made[0].path) as archive:
        assert archive.getnames() == ["empty", "package", "package/m.py"]
    assert made[0].unpacked == 5


def test_a_command_goes_by_wheels_alone_and_keeps_requirements_apart_from_options() -> None:
    wanted = Wanted(("a>=1", "b"), PLATFORM, Path("c.txt"))
    log = Path("log")
    for command in (
        resolving.pip_command("download", wanted, Path("t"), log),
        resolving.pip_command("install", wanted, Path("t"), log),
        resolving.uv_command("uv", wanted, Path("t")),
    ):
        assert command[-3:] == ["--", "a>=1", "b"]
        assert command[command.index("--only-binary") + 1] == ":all:"
        assert command[command.index("--python-version") + 1] == "3.12.1"
    assert resolving.uv_command("uv", wanted, Path("t")).count("x86_64-manylinux_2_36") == 1


def test_what_cannot_be_had_is_stood_in_for_until_it_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def install(self: Installer, what: Wanted, target: Path) -> None:
        asked.extend(what.requirements)
        if what.requirements[0] != "a<=2":
            raise NoPackagesError(f"no wheel of {what.requirements[0]}")
        (target / "a").touch()

    monkeypatch.setattr(Installer, "install", install)
    first = make(tmp_path, "a==2", instead=["a<=2"])
    assert first.second_choice
    assert make(tmp_path, "a==2", instead=["a<=2"]) == first
    assert asked == ["a==2", "a<=2"]
    with pytest.raises(NoPackagesError, match="no wheel of a==2"):
        make(tmp_path, "a==2", instead=["a<=1"])
    with pytest.raises(NoPackagesError, match="no wheel of a==2"):
        make(tmp_path, "a==2")
