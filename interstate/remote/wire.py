"""Frames: the messages between us, an agent and its workers.  Sans-IO; every end uses this file.

A frame is a header (kind, call, length of the payload) and the payload.  Bytes go in by
`Decoder.receive`, frames come out; what is no frame raises ProtocolError.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

VERSION = 1

# us -> agent
CONFIG = 1  # a pickled dict: how many workers, their initializer, for whom
CALL = 2  # a call's payload
RECALL = 3  # return what has not started, the newest first; COUNT: how many calls at most

# agent -> us
HELLO = 16  # JSON: what Python, how many CPUs, …
STARTED = 17  # a call runs for longer than a moment; SECONDS: when it started, by the clock there
PRINTED = 18  # one byte: which stream (1 or 2); the rest: what the call printed
DONE = 19  # a call's outcome
DIED = 20  # the worker of a call died; JSON: how
BROKEN = 21  # the initializer failed; an outcome
FAILED = 22  # the agent itself failed; its traceback as text
RETURNED = 23  # a call was not started, and would have to wait for long: it may run elsewhere

# worker -> agent
READY = 33  # the initializer has returned
PIPES = 32  # descriptors attached: the new pipes that catch what is written to 1 and 2

KINDS = frozenset(
    (
        CONFIG,
        CALL,
        RECALL,
        HELLO,
        STARTED,
        PRINTED,
        DONE,
        DIED,
        BROKEN,
        FAILED,
        RETURNED,
        PIPES,
        READY,
    )
)

NO_CALL = 1 << 63  # with a worker's pid: what is printed while it runs no call

HEADER = struct.Struct("!BQQ")
SECONDS = struct.Struct("!d")
COUNT = struct.Struct("!Q")


class ProtocolError(Exception):
    """What arrived is not what the other end of this protocol sends."""


class Frame(NamedTuple):
    """One message: what it is, which call it is about (0: none), and what it carries."""

    kind: int
    call: int
    payload: bytes


def encode(kind: int, call: int, payload: bytes = b"") -> bytes:
    """Return the bytes of one frame."""
    return HEADER.pack(kind, call, len(payload)) + payload


class Decoder:
    """Turns a stream of bytes, cut anywhere, into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted = HEADER.size  # fewer bytes than this are not worth a look

    def receive(self, data: bytes) -> list[Frame]:
        """Take `data` in and return the frames that are complete with it.

        Raises:
            ProtocolError: A header is not one of ours; nothing after it can be trusted.
        """
        buffer = self._buffer
        buffer += data
        if len(buffer) < self._wanted:
            return []
        frames, end = _cut(buffer)
        del buffer[:end]
        self._wanted = _size_of_next(buffer)
        return frames


def _cut(buffer: bytearray) -> tuple[list[Frame], int]:
    """The whole frames at the front of `buffer`, and where they end."""
    frames, start, size = [], 0, len(buffer)
    with memoryview(buffer) as view:
        while size - start >= HEADER.size:
            kind, call, length = HEADER.unpack_from(view, start)
            if kind not in KINDS:
                raise ProtocolError(f"not a frame: {bytes(view[start : start + 64])!r}")
            end = start + HEADER.size + length
            if end > size:
                break
            frames.append(Frame(kind, call, bytes(view[start + HEADER.size : end])))
            start = end
    return frames, start


def _size_of_next(buffer: bytearray) -> int:
    if len(buffer) < HEADER.size:
        return HEADER.size
    return HEADER.size + int(HEADER.unpack_from(buffer)[2])
