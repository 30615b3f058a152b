"""Blobs over there: kept in memory, mapped by workers, and refused where there is no room."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from interstate.blobs import Blobs as OurBlobs
from interstate.remote import blob, payload, wire
from interstate.remote.blob import Blob, Blobs, mapped

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    full = SimpleNamespace(f_bavail=1, f_frsize=4096)
    monkeypatch.setattr(os, "fstatvfs", lambda descriptor: full)


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob, "_SURE", 0)
    monkeypatch.setattr(blob, "_free_memory", lambda: 100.0)


@contextmanager
def filled(content: bytes) -> Iterator[Blob]:
    made = Blob(len(content))
    try:
        for piece in wire.pieces(content, 1000):
            made.add(piece)
        yield made
    finally:
        made.close()


def test_what_came_in_is_there_for_who_maps_it() -> None:
    content = os.urandom(100_000)
    with filled(content) as made:
        with mapped(made.fileno(), False) as one, mapped(made.fileno(), True) as other:
            assert one[:] == other[:] == content
            other[:4] = b"mine"
            assert one[:] == content
            with pytest.raises(TypeError):
                one[:4] = b"mine"
        assert "interstate-blob" in os.readlink(f"/proc/self/fd/{made.fileno()}")


def test_packed_pieces_may_come_too() -> None:
    made = Blob(6)
    made.add(b"abc")
    made.add_packed(zlib.compress(b"def"))
    with mapped(made.fileno(), False) as there:
        assert there[:] == b"abcdef"
    made.close()


def test_what_is_not_all_there_cannot_be_used() -> None:
    made = Blob(10)
    made.add(b"12345")
    with pytest.raises(wire.ProtocolError, match="5 of a blob's 10 bytes"):
        made.fileno()
    made.close()


def test_without_room_in_memory_it_is_on_disk(no_memory: None) -> None:
    with filled(bytes(100_000)) as made, mapped(made.fileno(), True) as there:
        assert made.obstacle == ""
        assert there[:] == bytes(100_000)
        assert "memfd" not in os.readlink(f"/proc/self/fd/{made.fileno()}")


def test_without_room_anywhere_it_says_so_and_takes_no_more(no_memory: None, no_disk: None) -> None:
    files = len(os.listdir("/proc/self/fd"))
    with filled(bytes(100_000)) as made:
        assert made.obstacle.startswith("100000 bytes that it needs cannot be kept there: neither")
        with pytest.raises(wire.ProtocolError):
            made.fileno()
        assert len(os.listdir("/proc/self/fd")) == files


def test_a_disk_that_becomes_full_midway_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Blob(3000)
    made.add(bytes(1000))

    def full(descriptor: int, data: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        made.add(bytes(1000))
    made.add(bytes(1000))
    assert made.obstacle == "3000 bytes that it needs cannot be kept there: No space left on device"


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    monkeypatch.setattr(blob, "_GROUP", str(tmp_path))
    assert blob._free_memory() == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert blob._free_memory() > 3000


def test_what_is_forgotten_frees_its_file() -> None:
    blobs = Blobs()
    handlers: Any = blobs.handlers
    files = len(os.listdir("/proc/self/fd"))
    handlers[wire.BLOB](7, wire.LENGTH.pack(3))
    handlers[wire.PART](7, b"abc")
    assert [(made.fileno() or 0) > 2 for made in blobs.needed([7])] == [True]
    assert len(os.listdir("/proc/self/fd")) == files + 1
    handlers[wire.FORGET](7, b"")
    assert len(os.listdir("/proc/self/fd")) == files
    with pytest.raises(KeyError):
        blobs.needed([7])


# -------------------------------------------------------------------------- an agent

AGENT = """
from interstate.remote import blob, main
blob._SURE, blob._free_memory = 0, lambda: 1_000_000
blob.os.fstatvfs = lambda descriptor: type("", (), {"f_bavail": 0, "f_frsize": 1})
main.main()
"""
CONFIG = {
    "workers": 1,
    "owner": "tests",
    "host": "a-host",
    "initializer": None,
    "heartbeat": 100.0,
    "reconnect": 0.0,
    "grace": 1.0,
    "max_calls": None,
    "python": "3.12.0",
}


class Agent:
    """An agent on pipes, on a computer that has room for a megabyte."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._decoder = wire.Decoder()
        self._frames: list[wire.Frame] = []
        assert self.next()[0] == wire.HELLO
        self.send(wire.CONFIG, 0, pickle.dumps(CONFIG))

    def send(self, kind: int, number: int, content: bytes = b"") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(wire.encode(kind, number, content))
        self._process.stdin.flush()

    def send_blob(self, number: int, content: bytes) -> None:
        self.send(wire.BLOB, number, wire.LENGTH.pack(len(content)))
        for piece in wire.pieces(content, 50_000):
            self.send(wire.PART, number, bytes(piece))

    def next(self) -> tuple[int, int, bytes]:
        """The next frame, or piece of one, that does not depend on how busy this computer is."""
        assert self._process.stdout is not None
        while not self._frames:
            data = os.read(self._process.stdout.fileno(), 1 << 16)
            assert data, "the agent has ended"
            frames = self._decoder.receive(data)
            self._frames += [f for f in frames if f[0] not in (wire.ACK, wire.STARTED)]
        kind, number, content = self._frames.pop(0)
        return kind, number, bytes(content)

    def result(self, call: int) -> Any:
        kind, number, content = self.next()
        assert (kind, number) == (wire.DONE, call)
        return payload.parse_outcome(content).load()


@pytest.fixture
def agent() -> Iterator[Agent]:
    with subprocess.Popen(
        [sys.executable, "-c", AGENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as process:
        try:
            yield Agent(process)
        finally:
            process.kill()


def dumped(data: bytes) -> tuple[bytes, list[int]]:
    """A call of `len` with large data, and its blobs' numbers."""
    ours, numbers = OurBlobs(), []

    def store(part: memoryview) -> int:
        numbers.append(ours.take(part).number)
        return numbers[-1]

    return payload.dump_call(len, (data,), {}, store), numbers


def test_an_agent_runs_calls_with_blobs_it_has_and_refuses_those_it_has_no_room_for(
    agent: Agent,
) -> None:
    content, [number] = dumped(bytes(500_000))
    agent.send_blob(number, bytes(500_000))
    agent.send(wire.CALL, 11, content)
    assert agent.result(11) == 500_000
    agent.send(wire.FORGET, number)
    agent.send_blob(number, bytes(2_000_000))
    agent.send(wire.CALL, 12, content)
    kind, call, why = agent.next()
    assert (kind, call) == (wire.REFUSED, 12)
    assert why.startswith(b"2000000 bytes that it needs cannot be kept there: neither memory nor")
    agent.send(wire.CALL, 13, payload.dump_call(abs, (-1,), {}))
    assert agent.result(13) == 1
    agent.send(wire.FORGET, number)
    agent.send_blob(number, bytes(600_000))
    agent.send(wire.CALL, 14, content)
    assert agent.result(14) == 600_000


def test_an_agent_that_is_asked_to_run_with_a_blob_it_never_had_says_that_it_fails(
    agent: Agent,
) -> None:
    content, _ = dumped(bytes(500_000))
    agent.send(wire.CALL, 11, content)
    kind, _, text = agent.next()
    assert kind == wire.FAILED
    assert b"KeyError" in text
