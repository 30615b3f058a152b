"""Files that go with calls and come back with results: they arrive whole, and nothing stays."""

from __future__ import annotations

import contextvars
import copy
import gc
import logging
import os
import pickle
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import interstate
from interstate import File, Host, SSHExecutor

from . import processes, pythons
from .proxy import Proxy
from .waiting import until

PATIENCE = 60.0  # seconds: no result takes that long
MB = 1_000_000
NAMES = [
    "data.csv.gz",
    "two words  and three",
    "größe → 世界 🦜.txt",
    "-rf",
    "--help",
    "new\nline",
    "tab\t'quote\" $HOME `id` \\ %s *",
    ".hidden",
    "x" * 255,
    os.fsdecode(b"not \xff text \xfe"),
]


def run(executor: Any, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return executor.submit(fn, *args, **kwargs).result(PATIENCE)


def submit(executor: Any, fn: Callable[..., Any], *args: Any) -> interstate.RemoteFuture[Any]:
    return executor.submit(fn, *args)  # type: ignore[no-any-return]


def outcome(future: interstate.RemoteFuture[Any]) -> Any:
    return future.result(PATIENCE)


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The folder for temporary files of the hosts."""
    path = tmp_path / "there"
    path.mkdir()
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of this process."""
    path = tmp_path / "here"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


def python_in(folder: Path, begin: str = "", python: str = "python3") -> str:
    """The path of a Python whose temporary files are in a folder."""
    path = folder.with_name(f"python-in-{folder.name}")
    path.write_text(f'#!/bin/sh\n{begin}\nTMPDIR="{folder}" exec {python} "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def executor(host: Host, there: Path, here: Path) -> Iterator[SSHExecutor]:
    """One worker of a host of either kind."""
    with SSHExecutor([host], workers_per_host=1, python=python_in(there)) as executor:
        yield executor


def files_in(folder: Path) -> list[str]:
    """The paths of the files in a folder, from which some may be vanishing just now."""
    found = [Path(at, name) for at, _, names in os.walk(folder) for name in names]
    return sorted(str(path.relative_to(folder)) for path in found)


def let_go(folder: Path, left: int = 0) -> None:
    """Wait until so many files are left in a folder of which nobody has the others any more.

    Whoever has settled a future may have its result for some moments longer.
    """
    until(lambda: gc.collect() >= 0 and len(files_in(folder)) == left)


def made(path: Path, content: bytes | int = b"content") -> File:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(content) if isinstance(content, int) else content)
    return File(path)


# ---------------------------------------------------------------------------- to a host


@pytest.mark.parametrize("name", NAMES)
def test_a_file_goes_there_and_back_by_any_name(
    executor: SSHExecutor, tmp_path: Path, name: str
) -> None:
    def job(path: Path) -> Any:
        return type(path).__name__, path.name, path.read_bytes(), File(path)

    file = made(tmp_path / name, 100_000)
    kind, there, content, back = run(executor, job, file)
    assert (kind, there) == ("PosixPath", name)
    assert content == file.path.read_bytes() == back.path.read_bytes()
    assert back.name == name


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 300_000, 5_000_001])
def test_files_of_all_sizes_go_there_and_back(
    executor: SSHExecutor, tmp_path: Path, size: int
) -> None:
    file = made(tmp_path / "file", size)
    there, back = run(executor, lambda path: (path.stat().st_size, File(path)), file)
    assert there == size == back.size
    assert back.path.read_bytes() == file.path.read_bytes()


def test_what_arrives_is_for_its_user_to_be_read(executor: SSHExecutor, tmp_path: Path) -> None:
    def modes(path: Path) -> list[int]:
        return [stat.S_IMODE(os.stat(p).st_mode) for p in (path, path.parent, path.parents[1])]

    file = made(tmp_path / "file")
    assert run(executor, modes, file) == [0o400, 0o700, 0o700]
    back = run(executor, File, file)
    assert stat.S_IMODE(back.path.parent.stat().st_mode) == 0o700
    assert not stat.S_IMODE(back.path.stat().st_mode) & 0o111


def test_a_program_can_be_run_there_and_comes_back_as_one(
    executor: SSHExecutor, tmp_path: Path
) -> None:
    def job(path: Path) -> tuple[str, File]:
        return subprocess.run([path], capture_output=True, text=True, check=True).stdout, File(path)

    program = made(tmp_path / "solver", b"#!/bin/sh\necho solved\n")
    program.path.chmod(0o755)
    said, back = run(executor, job, program)
    assert said == "solved\n"
    assert os.access(back, os.X_OK)


def test_wherever_it_is_in_a_call_it_arrives_and_it_is_one_path(
    executor: SSHExecutor, tmp_path: Path
) -> None:
    file = made(tmp_path / "file")

    class Holder:
        def __init__(self, held: Any) -> None:
            self.held = held

    def closure(x: Any, *, y: Any, z: Any = file) -> Any:
        return [x[0], x[1]["in"], x[2].held, y, z, file]

    found = run(executor, closure, [file, {"in": file}, Holder(file)], y=file)
    assert len({*found}) == 1
    assert isinstance(found[0], Path)


def test_a_function_of_a_map_and_its_chunks_may_have_files(
    executor: SSHExecutor, tmp_path: Path
) -> None:
    common = made(tmp_path / "common", b"common ")
    files = [made(tmp_path / f"{n}", b"%d" % n) for n in range(10)]

    def job(path: Any) -> bytes:
        return Path(common).read_bytes() + Path(path).read_bytes()

    expected = [b"common %d" % n for n in range(10)]
    assert list(executor.map(job, files)) == expected
    assert list(executor.map(job, files, chunksize=3)) == expected


def test_execute_takes_files_along(host: Host, tmp_path: Path) -> None:
    file = made(tmp_path / "file", b"for all")
    assert interstate.execute(lambda: Path(file).read_bytes(), host=host) == b"for all"


def test_what_calls_share_may_have_files(executor: SSHExecutor, tmp_path: Path) -> None:
    file = made(tmp_path / "file", b"shared")
    value = {"file": file, "more": bytes(100_000)}
    with interstate.share(value) as shared, interstate.share(file) as alone:
        for _ in range(2):
            assert run(executor, lambda x: x["file"].read_bytes(), shared) == b"shared"
            assert run(executor, lambda x: x.read_bytes(), alone) == b"shared"
        assert run(executor, lambda x, y, z: x["file"] == y == z, shared, alone, file)


def test_hundreds_of_files_go_there_and_back_in_one_call(
    executor: SSHExecutor, tmp_path: Path
) -> None:
    files = [made(tmp_path / f"{n}", b"%d" % n) for n in range(400)]
    back = run(executor, lambda paths: [*map(File, paths)], files)
    assert [file.path.read_bytes() for file in back] == [b"%d" % n for n in range(400)]
    assert [file.name for file in back] == [f"{n}" for n in range(400)]


def test_files_and_large_arrays_of_one_call_all_arrive(
    executor: SSHExecutor, tmp_path: Path
) -> None:
    files = [made(tmp_path / f"{n}", b"%d" % n) for n in range(70)]
    pieces = [bytes([n]) * 100_000 for n in range(70)]
    mixed = [part for pair in zip(files, pieces, strict=True) for part in pair]

    def job(*mixed: Any) -> list[Any]:
        return [File(part) if isinstance(part, Path) else part for part in mixed]

    back = run(executor, job, *mixed)
    assert [file.path.read_bytes() for file in back[::2]] == [b"%d" % n for n in range(70)]
    assert back[1::2] == pieces


def test_more_files_than_a_call_may_have_are_refused_here(
    executor: SSHExecutor, tmp_path: Path
) -> None:
    file = made(tmp_path / "file")
    error = submit(executor, len, [File(file) for _ in range(2100)]).exception(PATIENCE)
    assert isinstance(error, pickle.PicklingError)
    assert "more than 2,000 Files" in str(error)


# ------------------------------------------------------------------------ once per host


def test_the_same_content_is_sent_to_a_host_once(host: Host, there: Path, tmp_path: Path) -> None:
    file = made(tmp_path / "file", 3 * MB)
    with (
        Proxy(host, tmp_path) as proxy,
        SSHExecutor([proxy.host], workers_per_host=2, python=python_in(there)) as executor,
    ):
        run(executor, abs, 1)
        before = proxy.sent
        futures = [submit(executor, lambda path, n: n, file, n) for n in range(200)]
        assert [outcome(future) for future in futures] == [*range(200)]
        again = made(tmp_path / "copy" / "file", file.path.read_bytes())
        assert run(executor, Path.read_bytes, again) == file.path.read_bytes()
        assert proxy.sent - before < 3.5 * MB
        assert len(files_in(there)) == 1


def test_a_file_is_read_once_for_many_calls(
    executor: SSHExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, opened = [], File.opened

    def counted(file: File) -> int:
        read.append(file.path)
        return opened(file)

    monkeypatch.setattr(File, "opened", counted)
    file = made(tmp_path / "file", 100_000)
    until(lambda: run(executor, len, os.fspath(file)) and _settled(file))
    futures = [submit(executor, lambda path: 1, File(file)) for _ in range(1000)]
    assert sum(map(outcome, futures)) == 1000
    assert len(read) == 2  # for its digest, and to be sent


def _settled(file: File) -> bool:
    from interstate import fileblobs

    return fileblobs._is_settled(file.path.stat())


def test_one_content_by_two_names_arrives_by_each(executor: SSHExecutor, tmp_path: Path) -> None:
    one, other = made(tmp_path / "one.csv"), made(tmp_path / "other.txt")
    names = run(executor, lambda *paths: [path.name for path in paths], one, other)
    assert names == ["one.csv", "other.txt"]


def test_a_file_that_was_changed_is_sent_again(executor: SSHExecutor, tmp_path: Path) -> None:
    """Also at once, with the same size, so that its time may be the same."""
    file = made(tmp_path / "file")
    for n in range(50):
        file.path.write_bytes(b"content %3d" % n)
        assert run(executor, Path.read_bytes, file) == b"content %3d" % n


def test_what_no_call_uses_is_forgotten_over_there_above_the_limit(
    host: Host, there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interstate.link, "_IDLE_BLOBS", 0.0)
    with SSHExecutor([host], workers_per_host=1, python=python_in(there)) as executor:
        for n in range(20):
            path = run(executor, str, made(tmp_path / "file", b"%d" % n))
            assert run(executor, Path.read_bytes, made(tmp_path / "file", b"%d" % n)) == b"%d" % n
            until(partial(lambda path: files_in(there) == [path], path[len(str(there)) + 1 :]))


# ------------------------------------------------------------------------- from a host


def test_what_comes_back_is_there_until_nobody_has_it(executor: SSHExecutor, here: Path) -> None:
    def job() -> dict[str, Any]:
        os.chdir(tempfile.mkdtemp())
        Path("one").write_text("1")
        Path("two").write_text("2")
        return {"files": [File("one"), File("two")], "same": File("one")}

    back = run(executor, job)
    one, two = back["files"]
    with open(one) as opened:
        assert opened.read() == "1"
    assert Path(two).read_text() == "2"
    assert (one.name, one.size, one.path) == ("one", 1, Path(os.fspath(one)))
    assert len(files_in(here)) == 3
    del back
    let_go(here, 2)
    assert Path(two).read_text() == "2"
    del one, two
    let_go(here)
    until(lambda: not os.listdir(here))


def test_a_call_may_remove_what_it_returns(executor: SSHExecutor, there: Path) -> None:
    def job() -> list[File]:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{n}.out") for n in range(50)]
            for path in paths:
                path.write_text(path.name)
            return [File(path) for path in paths]

    assert [file.path.read_text() for file in run(executor, job)] == [f"{n}.out" for n in range(50)]
    until(lambda: not files_in(there))
    files = run(executor, lambda: len(os.listdir("/proc/self/fd")))
    run(executor, job)
    assert run(executor, lambda: len(os.listdir("/proc/self/fd"))) == files


def test_a_file_that_was_replaced_after_it_was_named_comes_as_it_is_then(
    executor: SSHExecutor,
) -> None:
    def job() -> File:
        with tempfile.NamedTemporaryFile(delete=False) as temporary:
            file = File(temporary.name)
        os.rename(_written(temporary.name + "-", "new"), temporary.name)
        return file

    def _written(name: str, text: str) -> str:
        Path(name).write_text(text)
        return name

    assert run(executor, job).path.read_text() == "new"


def test_a_result_can_be_passed_on(executor: SSHExecutor, here: Path) -> None:
    def job(n: int) -> File:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "step")
            path.write_text(f"{n}")
            return File(path)

    futures = [submit(executor, Path.read_text, run(executor, job, n)) for n in range(5)]
    gc.collect()
    assert [outcome(future) for future in futures] == ["0", "1", "2", "3", "4"]
    del futures
    gc.collect()
    until(lambda: not os.listdir(here))


def test_saved_it_stays(executor: SSHExecutor, here: Path, tmp_path: Path) -> None:
    def job() -> list[File]:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{n}.out") for n in range(3)]
            for path in paths:
                path.write_text(path.name)
            return [File(path) for path in paths]

    (tmp_path / "results").mkdir()
    (tmp_path / "other").write_text("old")
    by_folder, by_name, elsewhere = files = run(executor, job)
    assert by_folder.save(tmp_path / "results") == tmp_path / "results" / "0.out"
    assert by_name.save(str(tmp_path / "other")) == by_name.path == tmp_path / "other"
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other_disk:
        saved = elsewhere.save(Path(other_disk, "2"))
        assert saved.read_text() == "2.out"
        assert os.listdir(other_disk) == ["2"]
    with pytest.raises(OSError, match="nowhere"):
        by_name.save(tmp_path / "nowhere" / "x")
    del files, by_folder, by_name, elsewhere
    let_go(here)
    until(lambda: not os.listdir(here))
    assert (tmp_path / "results" / "0.out").read_text() == "0.out"
    assert (tmp_path / "other").read_text() == "1.out"


def test_a_file_of_ones_own_is_copied_when_it_is_saved(tmp_path: Path) -> None:
    file = made(tmp_path / "file")
    assert file.save(tmp_path / "copy") == tmp_path / "copy"
    assert file.path.read_bytes() == (tmp_path / "copy").read_bytes() == b"content"


def test_nothing_is_left_of_results_that_nobody_took(
    host: Host, here: Path, there: Path, tmp_path: Path
) -> None:
    def job() -> File:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "out")
            path.write_bytes(os.urandom(24 * MB))  # which takes 12 seconds: it is not all there
            return File(path)

    with Proxy(host, tmp_path) as proxy:
        executor = SSHExecutor([proxy.host], workers_per_host=1, python=python_in(there))
        run(executor, abs, 1)
        proxy.rate = 2.0 * MB
        futures = [submit(executor, job) for _ in range(2)]
        until(lambda: files_in(here))
        executor.kill_workers()
        executor.shutdown()
        assert isinstance(futures[0].exception(PATIENCE), interstate.BrokenSSHExecutor)
    gc.collect()
    until(lambda: not os.listdir(here))


AT_EXIT = """
import os, sys, tempfile
import interstate
tempfile.tempdir = sys.argv[1]
with interstate.loopback.hosts(1) as hosts, interstate.SSHExecutor(hosts) as executor:
    def job():
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out")
            open(path, "w").close()
            return interstate.File(path)
    files = [executor.submit(job).result(60) for _ in range(3)]
    child = os.fork()
    if child == 0:
        del files
        sys.exit()
    os.waitpid(child, 0)
    assert all(os.path.exists(file) for file in files)
    files[0].save(os.path.join(sys.argv[1], "saved"))
"""


def test_at_exit_nothing_is_left_but_what_was_saved_and_a_fork_removes_nothing(here: Path) -> None:
    script = here.with_name("script.py")
    script.write_text(AT_EXIT)
    subprocess.run([sys.executable, "-W", "ignore", script, here], check=True, timeout=200)
    assert os.listdir(here) == ["saved"]


# -------------------------------------------------------------------- what cannot travel


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv"):
        File(tmp_path / "nothing.csv")
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        File(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"not a file that can be sent: .*pipe"):
        File(tmp_path / "pipe")


def test_a_file_that_is_gone_at_submit_is_named_by_the_future(
    executor: SSHExecutor, tmp_path: Path
) -> None:
    file, other = made(tmp_path / "gone.csv"), made(tmp_path / "folder")
    file.path.unlink()
    other.path.unlink()
    other.path.mkdir()
    for call in ((len, file), (lambda: file,), (len, [file])):
        error = submit(executor, *call).exception(PATIENCE)
        assert isinstance(error, FileNotFoundError)
        assert error.filename == str(file.path)
    with pytest.raises(FileNotFoundError, match=r"gone\.csv"):
        list(executor.map(lambda x: file, [1]))
    with pytest.raises(FileNotFoundError, match=r"gone\.csv"):
        interstate.share([file])
    assert isinstance(submit(executor, len, other).exception(PATIENCE), IsADirectoryError)
    assert run(executor, abs, -1) == 1


def test_a_file_that_has_more_in_it_than_it_says_is_refused(executor: SSHExecutor) -> None:
    error = submit(executor, len, File("/proc/cpuinfo")).exception(PATIENCE)
    assert isinstance(error, OSError)
    assert "/proc/cpuinfo" in str(error)


def test_a_file_that_is_not_there_when_its_result_is_sent_is_named(executor: SSHExecutor) -> None:
    error = submit(executor, lambda: File("/nowhere/out.bin")).exception(PATIENCE)
    assert isinstance(error, FileNotFoundError)
    assert "/nowhere/out.bin" in str(error)
    error = submit(executor, lambda: File("/")).exception(PATIENCE)
    assert isinstance(error, IsADirectoryError)


def test_no_other_pickle_takes_it(tmp_path: Path) -> None:
    file = made(tmp_path / "file")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="pickle its path"):
            pickle.dumps([file], protocol)
    assert copy.copy(file) is copy.deepcopy([file])[0] is file


def test_an_exception_that_holds_one_says_that_it_cannot(executor: SSHExecutor) -> None:
    def fails() -> None:
        os.chdir(tempfile.mkdtemp())
        Path("out").write_text("1")
        raise ValueError("no", File("out"))

    error = submit(executor, fails).exception(PATIENCE)
    assert isinstance(error, ValueError)
    assert error.args[0] == "no"
    assert "pickle its path" in "".join(error.__notes__)


def test_an_exception_of_a_nested_call_that_was_passed_a_file_is_whole(
    executor: SSHExecutor, tmp_path: Path
) -> None:
    def fails(path: Path) -> None:
        raise ValueError(path.read_text())

    file = made(tmp_path / "file", b"text")
    error = submit(executor, fails, file).exception(PATIENCE)
    assert isinstance(error, ValueError)
    assert str(error) == "text"


def test_a_log_record_may_have_one(
    executor: SSHExecutor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def job() -> None:
        os.chdir(tempfile.mkdtemp())
        Path("out").write_text("1")
        logging.getLogger("job").warning("wrote %s", File("out"))

    run(executor, job)
    assert "wrote File(" in caplog.text


def test_a_context_variable_that_has_one_stays_here(host: Host, tmp_path: Path) -> None:
    variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable", default=None)
    token = variable.set(made(tmp_path / "file"))
    try:
        with SSHExecutor([host]) as executor:
            assert run(executor.with_options(context=True), lambda: variable.get()) is None
    finally:
        variable.reset(token)


def test_an_initializer_takes_none(host: Host, tmp_path: Path) -> None:
    with pytest.raises(pickle.PicklingError, match="a File travels"):
        SSHExecutor([host], initializer=print, initargs=(made(tmp_path / "file"),))


def test_beside_one_it_is_still_found_what_cannot_be_pickled(
    executor: SSHExecutor, tmp_path: Path
) -> None:
    file = made(tmp_path / "file")
    error = submit(executor, print, file, [file, {"lock": threading.Lock()}]).exception(PATIENCE)
    assert "argument 2 → item 1 → item 'lock': _thread.lock" in str(error)

    def job() -> Any:
        os.chdir(tempfile.mkdtemp())
        Path("out").write_text("1")
        return [File("out"), {"lock": threading.Lock()}]

    assert "item 1 → item 'lock': _thread.lock" in str(submit(executor, job).exception(PATIENCE))


# ------------------------------------------------------------------------- nothing stays


def agent_of(executor: SSHExecutor) -> int:
    return int(run(executor, os.getppid))


def janitor_of(agent: int) -> int:
    """Its process, as soon as that says what it is: it does so when all else is done."""

    def found() -> list[int]:
        return [p for p in processes.children(agent) if "janitor" in processes.describe(p)]

    [janitor] = until(found)
    return janitor


def test_nothing_is_left_when_the_executor_is_done(
    executor: SSHExecutor, there: Path, tmp_path: Path
) -> None:
    assert run(executor, Path.read_bytes, made(tmp_path / "file")) == b"content"
    assert os.listdir(there)
    agent = agent_of(executor)
    running = [agent, *processes.descendants(agent)]
    executor.shutdown()
    assert not processes.wait_gone(running, PATIENCE)
    assert not os.listdir(there)


def test_there_is_no_folder_and_no_janitor_without_files(
    executor: SSHExecutor, there: Path
) -> None:
    run(executor, len, bytes(100_000))
    assert not os.listdir(there)
    assert not [p for p in processes.children(agent_of(executor)) if "jan" in processes.describe(p)]


@pytest.mark.parametrize("end", ["shutdown", "kill_workers", "terminate_workers"])
def test_whatever_calls_leave_beside_a_file_goes_too(
    executor: SSHExecutor, there: Path, tmp_path: Path, end: str
) -> None:
    def job(path: Path) -> None:
        path.with_suffix(".index").write_text("index")
        (path.parent / "folder").mkdir(0o500)
        (path.parent / "link").symlink_to("/")
        os.system("setsid sleep 100 &")

    run(executor, job, made(tmp_path / "file"))
    running = processes.descendants(agent := agent_of(executor))
    getattr(executor, end)()
    executor.shutdown()
    assert not processes.wait_gone([agent, *running], PATIENCE)
    assert not os.listdir(there)


def test_nothing_is_left_of_an_agent_that_was_killed(
    host: Host, there: Path, tmp_path: Path
) -> None:
    def job(path: Path) -> None:
        while True:
            (path.parent / "more").write_text("more")

    with SSHExecutor([host], workers_per_host=2, python=python_in(there)) as executor:
        file = made(tmp_path / "file", MB)
        assert len(run(executor, Path.read_bytes, file)) == MB
        future = submit(executor, job, file)
        until(lambda: len(files_in(there)) > 1)
        agent = agent_of(executor)
        running = [agent, *processes.descendants(agent)]
        os.kill(agent, 9)
        assert isinstance(future.exception(PATIENCE), interstate.HostLost)
        assert not processes.wait_gone(running, PATIENCE)
        until(lambda: not files_in(there))


def test_the_janitor_shows_whose_it_is_and_holds_nothing(
    executor: SSHExecutor, tmp_path: Path
) -> None:
    run(executor, str, made(tmp_path / "file"))
    janitor = janitor_of(agent_of(executor))
    assert "interstate: janitor for " in processes.describe(janitor)
    assert len(os.listdir(f"/proc/{janitor}/fd")) == 1
    assert os.getsid(janitor) == janitor
    os.kill(janitor, 15)
    assert run(executor, abs, -1) == 1
    assert janitor_of(agent_of(executor)) == janitor


def test_without_its_janitor_an_agent_tidies_up_itself(
    executor: SSHExecutor, there: Path, tmp_path: Path
) -> None:
    run(executor, str, made(tmp_path / "file"))
    os.kill(janitor_of(agent_of(executor)), 9)
    assert run(executor, Path.read_bytes, made(tmp_path / "other")) == b"content"
    executor.shutdown()
    until(lambda: not os.listdir(there))


def test_a_worker_that_begins_later_finds_the_files_wherever_its_environment_leads(
    executor: SSHExecutor, there: Path, tmp_path: Path
) -> None:
    def lead_astray() -> None:
        os.environ["TMPDIR"] = tempfile.tempdir = "/nowhere"
        os.chdir("/")

    file = made(tmp_path / "file")
    run(executor, lead_astray)
    assert run(executor, Path.read_bytes, file) == b"content"
    submit(executor, os._exit, 1).exception(PATIENCE)
    assert run(executor, Path.read_bytes, file) == b"content"


@pytest.mark.parametrize("version", pythons.HOSTS)
def test_files_go_to_and_come_from_any_python(
    host: Host, tmp_path: Path, there: Path, version: str
) -> None:
    python = pythons.find(version)
    if python is None:
        pytest.skip(pythons.why_not(version))

    def job(paths: list[Path]) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "out")
            out.write_bytes(b"".join(path.read_bytes() for path in paths))
            return sys.version_info[:2], [File(out), *map(File, paths)]

    files = [made(tmp_path / "one", b"one"), made(tmp_path / "two", 200_000)]
    with SSHExecutor([host], python=python_in(there, python=python)) as executor:
        there_version, back = run(executor, job, files)
        assert there_version == tuple(map(int, version.split(".")))
        contents = [file.path.read_bytes() for file in files]
        assert [file.path.read_bytes() for file in back] == [b"".join(contents), *contents]
    until(lambda: not os.listdir(there))
