"""Files under way while something goes wrong or is slow; and large ones, in little memory."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import resource
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from interstate import (
    File,
    FileTransferError,
    Host,
    HostLost,
    SSHExecutor,
    WorkerDied,
    fileblobs,
)
from interstate.arriving import Arriving, NoRoomError
from interstate.remote import files, payload

from . import processes
from .proxy import LARGE, Proxy
from .test_files import files_in, janitor_of, made, outcome, python_in, run, submit
from .test_files import here as here
from .test_files import there as there
from .waiting import until

pytestmark = pytest.mark.once

PATIENCE = 60.0
MB = 1_000_000


@pytest.fixture
def host(real_host: Host) -> Host:
    """A real sshd: the other kind of hosts is for `test_files`."""
    return real_host


@pytest.fixture
def proxy(host: Host, tmp_path: Path) -> Iterator[Proxy]:
    with Proxy(host, tmp_path) as proxy:
        yield proxy


@pytest.fixture
def executor(proxy: Proxy, there: Path, here: Path) -> Iterator[SSHExecutor]:
    """Two workers behind the proxy."""
    with SSHExecutor([proxy.host], workers_per_host=2, python=python_in(there)) as executor:
        run(executor, abs, 1)
        yield executor


@contextlib.contextmanager
def small_disk(path: Path, size: int) -> Iterator[None]:
    """A disk of so many bytes, in a folder."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def returning(size: int) -> Callable[[], File]:
    """A job that returns a file that is gone as soon as it does."""

    def job() -> File:
        print(os.getpid(), flush=True)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "out.bin")
            path.write_bytes(os.urandom(size))
            return File(path)

    return job


# -------------------------------------------------------------------- a file that changes


@pytest.mark.parametrize("how", ["removed", "shorter", "longer", "other"])
def test_a_file_that_changed_before_it_was_sent_fails_the_calls_that_need_it(
    executor: SSHExecutor, proxy: Proxy, tmp_path: Path, there: Path, how: str
) -> None:
    file, fine = made(tmp_path / "first.bin", LARGE), made(tmp_path / "fine.txt")
    changed = made(tmp_path / "changed.csv", 100_000)
    proxy.rate, before = 4.0 * MB, proxy.sent
    large = submit(executor, lambda path: path.stat().st_size, file)
    until(lambda: proxy.sent > before + MB)
    failing = [submit(executor, len, changed), submit(executor, lambda *x: x, changed, fine)]
    running = submit(executor, Path.read_bytes, fine)
    if how == "removed":
        changed.path.unlink()
    else:
        size = {"shorter": 1, "longer": 200_000, "other": 100_000}[how]
        changed.path.write_bytes(bytes(size))
    proxy.rate = None
    for future in failing:
        error = future.exception(PATIENCE)
        assert isinstance(error, FileTransferError)
        assert isinstance(error, OSError)
        assert error.host == proxy.host
        assert str(error).startswith(f"{proxy.host}: ")
        assert str(changed.path) in str(error)
        assert ("No such file" if how == "removed" else "was changed while") in str(error)
    assert outcome(large) == LARGE
    assert outcome(running) == b"content"
    again = made(tmp_path / "changed.csv", b"again")
    assert run(executor, Path.read_bytes, again) == b"again"
    there_now = sorted(map(os.path.basename, files_in(there)))
    assert there_now == ["changed.csv", "fine.txt", "first.bin"]


@pytest.mark.parametrize("how", ["shorter", "other", "secretly"])
def test_a_file_that_changes_while_it_is_sent_fails_the_calls_that_need_it(
    executor: SSHExecutor, proxy: Proxy, tmp_path: Path, there: Path, how: str
) -> None:
    file = made(tmp_path / "torn.bin", LARGE)
    status = file.path.stat()
    proxy.rate, before = 4.0 * MB, proxy.sent
    failing = [submit(executor, len, file) for _ in range(3)]
    until(lambda: proxy.sent > before + MB)
    if how == "shorter":
        os.truncate(file, 5 * MB)
    else:
        with open(file, "r+b") as opened:
            opened.seek(LARGE - MB)
            opened.write(b"other")
    if how == "secretly":
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    proxy.rate = None
    for future in failing:
        error = future.exception(PATIENCE)
        assert isinstance(error, FileTransferError)
        assert "torn.bin" in str(error)
        assert "was changed while it was" in str(error)
    assert run(executor, abs, -1) == 1
    until(lambda: not files_in(there))
    expected = file.path.read_bytes()
    assert run(executor, Path.read_bytes, File(file)) == expected


@pytest.mark.parametrize("how", ["shorter", "other"])
def test_a_file_that_changes_while_it_comes_back_fails_its_call_only(
    executor: SSHExecutor, proxy: Proxy, tmp_path: Path, here: Path, how: str
) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(os.urandom(LARGE))
    proxy.rate, before = 4.0 * MB, proxy.received
    future = submit(executor, lambda: [bytes(100_000), File(path), bytes(100_000)])
    until(lambda: proxy.received > before + MB and files_in(here))
    if how == "shorter":
        os.truncate(path, 5 * MB)
    else:
        with path.open("r+b") as opened:
            opened.write(b"other")
    proxy.rate = None
    error = future.exception(PATIENCE)
    assert isinstance(error, OSError)
    assert f"the file '{path}' was changed while" in str(error)
    until(lambda: not files_in(here))
    assert run(executor, lambda: File(path)).path.read_bytes() == path.read_bytes()


# ------------------------------------------------------------------------- a full disk


def test_a_disk_that_has_no_room_over_there_fails_the_calls_that_need_it(
    host: Host, tmp_path: Path, there: Path
) -> None:
    large, small = made(tmp_path / "large.bin", 3 * MB), made(tmp_path / "small.bin", MB)
    with (
        small_disk(there, 2 * MB),
        SSHExecutor([host], workers_per_host=1, python=python_in(there)) as executor,
    ):
        failing = [submit(executor, len, large), submit(executor, lambda *x: x, large, small)]
        for future in failing:
            error = future.exception(PATIENCE)
            assert isinstance(error, FileTransferError)
            what = "the file 'large.bin' of 3,000,000 bytes cannot be kept"
            assert f"cannot run: {what} in {there}: No space left on device" in str(error)
            assert error.host == host
        assert run(executor, Path.read_bytes, small) == small.path.read_bytes()
        assert [os.path.basename(path) for path in files_in(there)] == ["small.bin"]


def test_a_disk_that_becomes_full_over_there_keeps_nothing_half_written(
    host: Host, tmp_path: Path, there: Path
) -> None:
    python = python_in(there, "ulimit -S -f 4096")  # no file may have more than 2 MB
    large, small = made(tmp_path / "large.bin", 8 * MB), made(tmp_path / "small.bin", MB)
    with SSHExecutor([host], workers_per_host=1, python=python) as executor:
        agent = run(executor, os.getppid)
        error = submit(executor, len, large).exception(PATIENCE)
        assert isinstance(error, FileTransferError)
        assert "the file 'large.bin' of 8,000,000 bytes cannot be kept" in str(error)
        assert "File too large" in str(error)
        until(lambda: not files_in(there))
        assert run(executor, Path.read_bytes, small) == small.path.read_bytes()
        endless = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(agent, resource.RLIMIT_FSIZE, endless)
        assert run(executor, lambda path: path.stat().st_size, large) == 8 * MB


def test_where_no_folder_can_be_made_over_there_a_call_says_so(
    host: Host, tmp_path: Path, there: Path
) -> None:
    with SSHExecutor([host], workers_per_host=1, python=python_in(there)) as executor:
        run(executor, abs, 1)
        there.rmdir()
        error = submit(executor, len, made(tmp_path / "file")).exception(PATIENCE)
        assert isinstance(error, FileTransferError)
        assert f"the file 'file' of 7 bytes cannot be kept in {there}: No such file" in str(error)
        assert run(executor, abs, -1) == 1
        there.mkdir()
        assert run(executor, Path.read_bytes, made(tmp_path / "file")) == b"content"


def test_a_disk_that_has_no_room_here_fails_the_call_that_brings_the_file(
    executor: SSHExecutor, here: Path
) -> None:
    with small_disk(here, 2 * MB):
        error = submit(executor, returning(3 * MB)).exception(PATIENCE)
        assert isinstance(error, FileTransferError)
        assert "the file 'out.bin' of 3,000,000 bytes cannot be kept" in str(error)
        assert f"in {here}: No space left on device" in str(error)
        until(lambda: not os.listdir(here))
        assert run(executor, returning(MB)).size == MB
        until(lambda: gc.collect() >= 0 and not os.listdir(here))


def test_a_disk_that_becomes_full_here_keeps_nothing_half_written(
    executor: SSHExecutor, here: Path
) -> None:
    def result() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "large").write_bytes(bytes(8 * MB))
            Path(folder, "small").write_bytes(b"small")
            return [File(Path(folder, "small")), File(Path(folder, "large"))]

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MB, before[1]))
    try:
        error = submit(executor, result).exception(PATIENCE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(error, FileTransferError)
    assert f"'large' of 8,000,000 bytes cannot be kept in {here}: File too large" in str(error)
    gc.collect()
    until(lambda: not os.listdir(here))
    assert run(executor, result)[1].size == 8 * MB


# ------------------------------------------------------- what comes is not what was sent


def described(*files_: tuple[bytes, bytes]) -> bytes:
    return b"".join(
        payload.BUFFER.pack(len(content), payload.FILE) + files.NAME.pack(len(name)) + name
        for name, content in files_
    )


@pytest.mark.parametrize("cut", [1, 2, 5, 31, 32, 33, 1000])
def test_a_file_of_a_result_is_put_together_from_pieces_cut_anywhere(here: Path, cut: int) -> None:
    contents = [(b"one", b"content"), (b"two", b""), (b"three", os.urandom(100))]
    arriving = Arriving(described(*contents))
    whole = b"".join(content + hashlib.sha256(content).digest() for _, content in contents)
    for start in range(0, len(whole), cut):
        arriving.add(whole[start : start + cut])
    taken = arriving.taken()
    assert [(os.fsencode(f.name), f.path.read_bytes()) for f in taken] == contents
    assert len(os.listdir(here)) == 3


def test_what_came_damaged_is_not_handed_out(here: Path) -> None:
    arriving = Arriving(described((b"file", b"content")))
    arriving.add(b"kontent" + hashlib.sha256(b"content").digest())
    with pytest.raises(NoRoomError, match=r"'file' .* what came is not what was sent"):
        arriving.taken()
    assert not os.listdir(here)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"../there", b"/etc/passwd", b"a/b"])
def test_a_name_leads_nowhere_else(here: Path, name: bytes) -> None:
    arriving = Arriving(described((name, b"")))
    arriving.add(hashlib.sha256().digest())
    with pytest.raises(NoRoomError, match="its name leads elsewhere"):
        arriving.taken()
    assert not os.listdir(here)


def test_what_did_not_come_whole_goes_with_who_waited_for_it(here: Path) -> None:
    arriving = Arriving(described((b"file", b"content")))
    arriving.add(b"cont")
    assert files_in(here)
    del arriving
    assert not os.listdir(here)


# ----------------------------------------------------------- a host or a worker is lost


@pytest.mark.parametrize("reset", [True, False])
def test_files_arrive_whole_though_the_connection_is_lost_on_the_way(
    executor: SSHExecutor, proxy: Proxy, tmp_path: Path, reset: bool
) -> None:
    file = made(tmp_path / "file", 12 * MB)
    proxy.rate, sent, received = 8.0 * MB, proxy.sent, proxy.received
    futures = [submit(executor, File, file) for _ in range(2)]
    for more in (sent + 4 * MB, sent + 9 * MB):
        until(partial(lambda count: proxy.sent > count, more))
        proxy.cut(reset=reset)
    for more in (received + 4 * MB, received + 9 * MB):
        until(partial(lambda count: proxy.received > count, more))
        proxy.cut(reset=reset)
    content = file.path.read_bytes()
    assert all(outcome(future).path.read_bytes() == content for future in futures)
    assert [future.attempts for future in futures] == [1, 1]


def test_calls_whose_files_travel_run_elsewhere_when_their_host_is_lost(
    host: Host, proxy: Proxy, tmp_path: Path, there: Path
) -> None:
    file = made(tmp_path / "file", LARGE)
    python = python_in(there)
    with SSHExecutor([proxy.host, host], workers_per_host=1, python=python, reconnect=0) as both:
        run(both, abs, 1)
        until(lambda: both._max_workers == 2)
        proxy.rate, before = 4.0 * MB, proxy.sent
        futures = [submit(both, lambda path: path.stat().st_size, file) for _ in range(2)]
        until(lambda: proxy.sent > before + MB)
        proxy.cut()
        assert [outcome(future) for future in futures] == [LARGE] * 2
        assert {future.host for future in futures} == {host}
    until(lambda: not os.listdir(there))


def test_a_host_that_is_lost_while_a_file_comes_back_leaves_nothing(
    proxy: Proxy, here: Path, there: Path
) -> None:
    with SSHExecutor([proxy.host], python=python_in(there), reconnect=0) as executor:
        run(executor, abs, 1)
        proxy.rate, before = 4.0 * MB, proxy.received
        future = submit(executor, returning(LARGE))
        until(lambda: proxy.received > before + MB and files_in(here))
        proxy.cut()
        assert isinstance(future.exception(PATIENCE), HostLost)
        until(lambda: not os.listdir(here))


def test_a_worker_that_is_killed_while_a_file_comes_back_fails_that_call_only(
    executor: SSHExecutor, proxy: Proxy, here: Path
) -> None:
    proxy.rate, before = 4.0 * MB, proxy.received
    future = submit(executor, returning(LARGE))
    until(lambda: proxy.received > before + MB and future.stdout.endswith("\n"))
    os.kill(int(future.stdout), 9)
    assert isinstance(future.exception(PATIENCE), WorkerDied)
    until(lambda: not os.listdir(here))
    proxy.rate = None
    assert run(executor, returning(3 * MB)).size == 3 * MB


def test_a_call_that_is_tried_again_gets_its_file_and_brings_one_back(
    executor: SSHExecutor, tmp_path: Path, here: Path
) -> None:
    def job(path: Path, trace: Path) -> File:
        with trace.open("a") as opened:
            opened.write("x")
        if trace.stat().st_size == 1:
            os._exit(1)
        return File(path)

    file = made(tmp_path / "file", MB)
    future = submit(executor.with_options(retries=2), job, file, tmp_path / "trace")
    assert outcome(future).path.read_bytes() == file.path.read_bytes()
    assert future.attempts == 2


def test_a_call_is_stopped_while_its_file_comes_back(
    executor: SSHExecutor, proxy: Proxy, here: Path
) -> None:
    proxy.rate, before = 2.0 * MB, proxy.received
    future = submit(executor, returning(12 * MB))
    until(lambda: proxy.received > before + MB)
    future.terminate()
    with contextlib.suppress(Exception):
        assert outcome(future).size == 12 * MB
    proxy.rate = None
    del future
    gc.collect()
    until(lambda: not os.listdir(here))
    assert run(executor, abs, -1) == 1


# --------------------------------------------------------------------- large, and many


def peak(pid: int | str) -> int:
    """The most memory that a process has had, bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_a_large_file_goes_there_and_back_in_little_memory(
    real_host: Host, tmp_path: Path, there: Path, here: Path
) -> None:
    size, most = 300 * MB, 30 * MB
    with (tmp_path / "large.bin").open("wb") as large:
        piece = os.urandom(MB)
        for n in range(size // MB):
            large.write(piece[n:] + piece[:n])

    def job(path: Path) -> Any:
        return path.stat().st_size, File(path), (os.getpid(), os.getppid())

    with SSHExecutor([real_host], workers_per_host=1, python=python_in(there)) as executor:
        _, _, pids = run(executor, job, made(tmp_path / "small"))
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak
        started = [peak(pid) for pid in ("self", *pids)]
        arrived, back, again = run(executor, job, File(tmp_path / "large.bin"))
        assert arrived == back.size == size
        assert pids == again
        grown = [peak(pid) - before for pid, before in zip(("self", *pids), started, strict=True)]
        assert max(grown) < most, grown
        with back.path.open("rb") as one, (tmp_path / "large.bin").open("rb") as other:
            assert hashlib.file_digest(one, "sha256").digest() == (
                hashlib.file_digest(other, "sha256").digest()
            )


def test_small_calls_do_not_wait_for_a_large_file_either_way(
    executor: SSHExecutor, proxy: Proxy, tmp_path: Path
) -> None:
    file = made(tmp_path / "file", LARGE)
    proxy.rate, sent = 4.0 * MB, proxy.sent
    there = submit(executor, lambda path: path.stat().st_size, file)
    until(lambda: proxy.sent > sent + MB)
    assert run(executor, abs, -1) == 1
    assert proxy.sent < sent + LARGE
    proxy.rate = None
    assert outcome(there) == LARGE
    proxy.rate, received = 4.0 * MB, proxy.received
    back = submit(executor, returning(LARGE))
    until(lambda: proxy.received > received + MB)
    assert run(executor, abs, -2) == 2
    assert not back.done()
    proxy.rate = None
    assert outcome(back).size == LARGE


def test_what_shrinks_is_compressed_both_ways_where_the_network_is_slow(
    executor: SSHExecutor, proxy: Proxy, tmp_path: Path
) -> None:
    text = b"".join(b"line %d: nothing new\n" % n for n in range(400_000))[: 8 * MB]
    file = made(tmp_path / "text.log", text)
    proxy.rate, sent, received = 1.0 * MB, proxy.sent, proxy.received
    assert run(executor, File, file).path.read_bytes() == text
    assert proxy.sent - sent < 5 * MB
    assert proxy.received - received < 7.5 * MB  # what was on its way before it was slow is not


def test_many_files_take_few_descriptors(executor: SSHExecutor, tmp_path: Path) -> None:
    most = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            most[0] = max(most[0], len(os.listdir("/proc/self/fd")))

    before = len(os.listdir("/proc/self/fd"))
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        several = [made(tmp_path / f"{n}", b"%d" % n) for n in range(300)]
        back = run(executor, lambda paths: [*map(File, paths)], several)
    finally:
        done.set()
        watching.join()
    assert len(back) == 300
    assert most[0] < before + 20


def test_threads_that_submit_the_same_file_at_once_have_it_sent_once(
    executor: SSHExecutor, proxy: Proxy, tmp_path: Path
) -> None:
    file, sent = made(tmp_path / "file", 3 * MB), proxy.sent
    found: list[int] = []

    def submit() -> None:
        found.append(run(executor, lambda path: path.stat().st_size, File(file)))

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert found == [3 * MB] * 8
    assert proxy.sent - sent < 4 * MB


def test_a_file_is_open_here_only_while_a_piece_is_read(tmp_path: Path) -> None:
    files_open = len(os.listdir("/proc/self/fd"))
    blob = fileblobs.take(made(tmp_path / "file", MB))
    assert isinstance(blob, fileblobs.FileBlob)
    pieces = blob.pieces(300_000)
    first = next(pieces)
    assert len(os.listdir("/proc/self/fd")) == files_open
    assert b"".join((first, *pieces)) == (tmp_path / "file").read_bytes()


def test_a_disk_that_is_slow_here_holds_up_no_other_call(
    executor: SSHExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on, read = threading.Event(), threading.Event(), fileblobs.FileBlob._read

    def slow(blob: fileblobs.FileBlob, start: int, size: int) -> bytes:
        reading.set()
        assert go_on.wait(PATIENCE)
        return read(blob, start, size)

    def wait_for(path: Path, large: bytes) -> int:
        while not path.exists():
            os.sched_yield()
        return len(large)

    running = submit(executor, wait_for, tmp_path / "go on", bytes(MB))
    until(lambda: running.started_at)
    monkeypatch.setattr(fileblobs.FileBlob, "_read", slow)
    future = submit(executor, Path.read_bytes, made(tmp_path / "file"))
    assert reading.wait(PATIENCE)
    try:
        (tmp_path / "go on").touch()
        assert outcome(running) == MB  # which needs its blob no more
        assert [run(executor, abs, -n) for n in range(20)] == [*range(20)]
        assert not future.done()
    finally:
        go_on.set()
    assert outcome(future) == b"content"


def test_a_janitor_that_stands_still_holds_nobody_up(
    executor: SSHExecutor, tmp_path: Path, there: Path
) -> None:
    run(executor, str, made(tmp_path / "file"))
    agent = run(executor, os.getppid)
    running = [agent, *processes.descendants(agent)]
    os.kill(janitor_of(agent), signal.SIGSTOP)
    executor.shutdown()
    assert not processes.wait_gone(running, PATIENCE)
    assert not os.listdir(there)
