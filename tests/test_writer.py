"""What is written to a host leaves in the order in which it was sent, but large things aside."""

from __future__ import annotations

import os
import threading
import time

import pytest

from interstate.blobs import Blobs
from interstate.remote import wire
from interstate.writer import Writer

PATIENCE = 60.0
NOW = 100  # bytes that the stream takes without blocking


class Stream:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def read(self, n: int) -> bytes:
        return b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def write_now(self, data: bytes) -> bool:
        if len(data) <= NOW:
            self.written += data
        return len(data) <= NOW

    def close(self) -> None: ...

    def pump(self, receive: object) -> None: ...

    @property
    def lost(self) -> bool:
        return False

    @property
    def finished(self) -> bool:
        return False

    def await_bytes(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while len(self.written) < count and time.monotonic() < deadline:
            time.sleep(0.001)


def test_what_can_be_written_at_once_does_not_overtake_what_the_thread_has_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Stream()
    writer = Writer(stream, 0, "writer")
    taken, go_on, take = threading.Event(), threading.Event(), writer._next

    def take_and_pause() -> list[bytes] | None:
        pieces = take()
        taken.set()
        assert go_on.wait(PATIENCE)
        return pieces

    monkeypatch.setattr(writer, "_next", take_and_pause)
    writer.thread.start()
    writer.send(b"1" * 1000)
    assert taken.wait(PATIENCE)
    writer.send(b"2")
    go_on.set()
    writer.send(b"3" * 100_000)
    writer.send(b"4")
    stream.await_bytes(101_002)
    writer.close()
    writer.thread.join(PATIENCE)
    assert stream.written == b"1" * 1000 + b"2" + b"3" * 100_000 + b"4"


def test_a_blob_goes_before_its_call_and_once() -> None:
    stream = Stream()
    writer = Writer(stream, 1 << 30, "writer")
    blob = Blobs().take(memoryview(os.urandom(600_000)))  # is not packed, were the stream slow
    for call in (1, 2):
        writer.send_with(call, [blob], wire.encode(wire.CALL, call, b"call"))
    writer.thread.start()
    writer.send(wire.encode(wire.RECALL, 0, wire.COUNT.pack(1)))
    while writer._large:
        writer.thread.join(0.01)
    writer.close()
    writer.thread.join(PATIENCE)
    frames = wire.Decoder().receive(stream.written)
    large = [(kind, number) for kind, number, _ in frames if kind != wire.RECALL]
    parts = [(wire.PART, blob.number)] * 3
    assert large == [(wire.BLOB, blob.number), *parts, (wire.CALL, 1), (wire.CALL, 2)]
    assert sum(len(data) for kind, _, data in frames if kind == wire.PART) == 600_000
