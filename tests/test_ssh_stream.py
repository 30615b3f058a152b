"""What a Stream promises: bytes both ways, ends that are seen, and closing from anywhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from interstate.hosts import Host
from interstate.ssh import SSH, Stream

PATIENCE = 30.0  # seconds: nothing takes that long
GONE = r"no more input|was lost|closed"

Open = Callable[[str], Stream]


@pytest.fixture
def opened(host: Host) -> Iterator[Open]:
    """A function that opens a command on a host, be it a real sshd or a loopback host."""
    ssh = SSH(ssh_config=None)
    yield lambda command: ssh.open(host, command, time.monotonic() + 120)
    ssh.close()


def read_all(stream: Stream) -> bytes:
    return b"".join(iter(lambda: stream.read(1 << 16), b""))


def test_bytes_written_reach_the_command_and_its_output_comes_back(opened: Open) -> None:
    stream = opened("cat")
    stream.write(b"hello ")
    stream.write(bytearray(b"to "))
    stream.write(memoryview(b"you"))
    received = b""
    while len(received) < 12:
        received += stream.read(100)
    assert received == b"hello to you"


def test_read_returns_at_most_what_it_was_asked_for(opened: Open) -> None:
    stream = opened("printf abcdef")
    assert [stream.read(1), stream.read(2)] == [b"a", b"bc"]
    assert read_all(stream) == b"def"


def test_stderr_comes_with_stdout(opened: Open) -> None:
    output = read_all(opened("echo one; echo two >&2; echo three"))
    assert sorted(output.split()) == [b"one", b"three", b"two"]  # sshd itself mixes them up


def test_the_end_of_the_command_is_the_end_of_the_stream_again_and_again(opened: Open) -> None:
    stream = opened("printf last")
    assert read_all(stream) == b"last"
    assert [stream.read(1), stream.read(1)] == [b"", b""]


def test_megabytes_pass_both_ways_unchanged(opened: Open) -> None:
    data = bytes(range(256)) * (1 << 14)
    stream = opened("cat")
    writer = threading.Thread(target=stream.write, args=(data,))
    writer.start()
    received = bytearray()
    while len(received) < len(data):
        received += stream.read(1 << 17)
    writer.join()
    assert received == data


def test_write_to_a_command_that_has_ended_raises(opened: Open) -> None:
    stream = opened("true")
    read_all(stream)
    with pytest.raises(OSError, match=GONE):
        stream.write(bytes(16 << 20))  # more than what may be underway


def test_write_after_close_raises(opened: Open) -> None:
    stream = opened("cat")
    stream.close()
    with pytest.raises(OSError, match=GONE):
        stream.write(b"x")


def test_close_from_another_thread_ends_a_read_at_once(opened: Open) -> None:
    stream = opened("cat")
    ends: list[tuple[bytes, float]] = []
    reader = threading.Thread(target=lambda: ends.append((stream.read(1), time.monotonic())))
    reader.start()
    before = time.monotonic()
    stream.close()
    reader.join()
    assert ends[0][0] == b""
    assert ends[0][1] - before < PATIENCE


def test_close_from_another_thread_ends_a_write_that_waits(opened: Open) -> None:
    end = "import select; poll = select.poll(); poll.register(0, 0); poll.poll()"
    stream = opened(f"{sys.executable} -c '{end}'")  # takes nothing in, so the windows fill
    failures: list[BaseException] = []

    def write() -> None:
        try:
            stream.write(bytes(64 << 20))
        except OSError as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    stream.close()
    writer.join(PATIENCE)
    assert not writer.is_alive()
    assert failures


def test_close_is_immediate_and_may_be_repeated(opened: Open) -> None:
    stream = opened("cat")
    before = time.monotonic()
    stream.close()
    stream.close()
    assert time.monotonic() - before < PATIENCE
    assert stream.read(1) == b""


def test_a_connection_has_one_thread_while_it_is_open_and_none_after(opened: Open) -> None:
    before = set(threading.enumerate())
    stream = opened("cat")
    assert len(set(threading.enumerate()) - before) == 1
    stream.close()
    for thread in set(threading.enumerate()) - before:  # close() waits a moment for it, no longer
        thread.join(PATIENCE)
    assert not set(threading.enumerate()) - before
