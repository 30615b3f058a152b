"""What is promised about known_hosts files: what is written there is whole, and there once."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from interstate.ssh import knownfile
from interstate.ssh.knownfile import KnownFile, read

KEYS = [
    base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + os.urandom(32)).decode()
    for _ in range(15)
]
WRITER = """
import sys, threading
from interstate.ssh import knownfile
from interstate.ssh.knownfile import KnownFile
knownfile._PATIENCE = 60.0  # this computer may be busy
path, *keys = sys.argv[1:]
file = KnownFile(path)
print(flush=True)
sys.stdin.readline()
def write(key):
    for i in range(3):
        file.append(f"node-{i}", "ssh-ed25519", key, hashed=i == 2)
threads = [threading.Thread(target=write, args=(key,)) for key in keys]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def append(path: Path, name: str, key: str, **how: bool) -> None:
    KnownFile(str(path)).append(name, "ssh-ed25519", key, **how)


def test_threads_of_several_processes_lose_tear_and_double_no_line(path: Path) -> None:
    path.write_text("no newline at the end")
    command = [sys.executable, "-c", WRITER, str(path), *KEYS]
    writers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        writer.communicate(b"\n")
        assert writer.returncode == 0
    first, *lines = path.read_text().splitlines()
    assert first == "no newline at the end"
    assert len(lines) == 3 * len(KEYS)
    file = KnownFile(str(path))
    for i in range(3):
        assert sorted(entry.key for entry in file.find(f"node-{i}")) == sorted(KEYS)


def test_a_thousand_new_hosts_are_noted_within_a_second_or_two(path: Path) -> None:
    file = KnownFile(str(path))
    with ThreadPoolExecutor(50) as threads:
        before = time.process_time()
        list(
            threads.map(
                lambda i: file.append(f"node-{i}", "ssh-ed25519", KEYS[0]), [*range(999)] * 2
            )
        )
        assert time.process_time() - before < 5
    assert len(path.read_text().splitlines()) == 999
    assert len(file.find("node-998")) == 1


def test_whoever_keeps_the_file_locked_is_not_waited_for_for_long(path: Path) -> None:
    with path.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        file, before = KnownFile(str(path)), time.monotonic()
        for i in range(100):
            file.append(f"node-{i}", "ssh-ed25519", KEYS[0])
        assert time.monotonic() - before < 30  # where each waited, it would be 100
    assert len(path.read_text().splitlines()) == 100


def test_what_another_process_writes_at_that_moment_is_not_written_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knownfile, "_PATIENCE", 60.0)
    line = f"node-1 ssh-ed25519 {KEYS[0]}\n"
    with path.open("a") as other, ThreadPoolExecutor(1) as threads:
        fcntl.flock(other, fcntl.LOCK_EX)
        appended = threads.submit(append, path, "node-1", KEYS[0])
        with pytest.raises(TimeoutError):
            appended.result(0.1)
        other.write(line)
        other.flush()
        fcntl.flock(other, fcntl.LOCK_UN)
        appended.result(60)
    assert path.read_text() == line


def test_a_file_that_was_replaced_meanwhile_is_the_one_that_is_written_to(path: Path) -> None:
    append(path, "node-1", KEYS[0])
    file = KnownFile(str(path))
    assert file.find("node-1")
    subprocess.run(["ssh-keygen", "-R", "node-1", "-f", str(path)], check=True, capture_output=True)
    assert not file.find("node-1")
    file.append("node-2", "ssh-ed25519", KEYS[1])
    assert path.read_text() == f"node-2 ssh-ed25519 {KEYS[1]}\n"


def test_a_file_that_is_replaced_at_that_moment_is_not_the_one_written_to(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knownfile, "_PATIENCE", 60.0)
    with path.open("a") as other, ThreadPoolExecutor(1) as threads:
        fcntl.flock(other, fcntl.LOCK_EX)
        appended = threads.submit(append, path, "node-1", KEYS[0])
        with pytest.raises(TimeoutError):
            appended.result(0.1)
        path.unlink()
        path.write_text("# another\n")
        fcntl.flock(other, fcntl.LOCK_UN)
        appended.result(60)
    assert path.read_text() == f"# another\nnode-1 ssh-ed25519 {KEYS[0]}\n"


def test_a_file_that_changes_and_looks_as_before_is_read_again(path: Path) -> None:
    file = KnownFile(str(path))
    for key in KEYS[:2]:
        before = os.stat(path).st_ctime_ns if path.exists() else 0
        while not path.exists() or os.stat(path).st_ctime_ns == before:  # its clock may be coarse
            path.write_text(f"node-1 ssh-ed25519 {key}\n")
            os.utime(path, (1, 1))  # as by `cp -p`, or where all files are of one time
        assert [entry.key for entry in file.find("node-1")] == [key]


def test_a_file_that_cannot_be_opened_for_the_moment_is_not_an_empty_one(path: Path) -> None:
    append(path, "node-1", KEYS[0])
    file, limits = KnownFile(str(path)), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            file.find("node-1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert file.find("node-1")


def test_a_pipe_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    file = KnownFile(str(path))
    assert file.find("node-1") == []
    for _ in range(1000):  # more than a pipe holds
        with contextlib.suppress(BlockingIOError):
            file.append("node-1", "ssh-ed25519", KEYS[0])
    with pytest.raises(OSError, match="it is a pipe"):
        read(str(path))


def test_only_a_newline_ends_a_line(path: Path) -> None:
    path.write_bytes(f"node-1 ssh-ed25519 {KEYS[0]} me\rnode-2 ssh-ed25519 {KEYS[0]}\r\n".encode())
    file = KnownFile(str(path))
    assert file.find("node-1")
    assert not file.find("node-2")


def test_a_new_line_is_found_and_has_its_number(path: Path) -> None:
    path.write_text("# one\n# two\n")
    file = KnownFile(str(path))
    assert file.find("node-1") == []
    file.append("node-1", "ssh-ed25519", KEYS[0])
    file.append("node-1", "ssh-ed25519", KEYS[1], hashed=True)
    assert [entry.line for entry in file.find("node-1")] == [3, 4]
    assert [entry.line for entry in KnownFile(str(path)).find("node-1")] == [3, 4]
