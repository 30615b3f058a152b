"""Frames: the messages between us, an agent and its workers.  Sans-IO; every end uses this file.

A frame is a header (kind, call, length of the payload) and the payload.  Bytes go in by
`Decoder.receive`, frames come out; what is no frame raises ProtocolError.  Large things travel as
PARTs, which come out as they come in, piece by piece: nobody waits for the whole of one.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False  # importing typing takes an agent long
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Union

    Bytes = Union[bytes, memoryview]  # a PART's is a view
    Frame = tuple[int, int, Bytes]  # kind, call (0: none), payload
else:
    Bytes = Frame = object  # for others to make types of

VERSION = 5

# us -> agent
CONFIG = 1  # a pickled dict: how many workers, their initializer, for whom
CALL = 2  # a call's payload
BLOB = 3  # a blob's number in place of a call's; LENGTH: its PARTs will make up so many bytes
FORGET = 4  # likewise: no call will need that blob again
RECALL = 5  # return what has not started, the newest first; COUNT: how many calls at most
REVOKE = 6  # return that call, if it has not started
LIMIT = 7  # SECONDS: so long may the call of that number run, which comes next
STOP = 10  # stop that call
END = 11  # end all calls, and go; COUNT: by which signal
LEVELS = 13  # of the loggers, marshalled, for the calls that come after it
ABOUT = 14  # the call of that number, which comes next; COUNT: its attempt; the rest: its name
SERVED = 15  # in place of a call: the number of a WANT; the answer, marshalled
FILE = 34  # as BLOB, for what is to be a file there: see hostfiles.py; again: why it does not come

# either way
PART = 8  # of the blob or the outcome of that number: the next bytes
PACKED = 9  # the same, compressed
ACK = 12  # in place of a call's number: how many bytes have come, since the beginning

# agent -> us
HELLO = 16  # names and values, after each a NUL but the last: what Python, how many CPUs, …
STARTED = 17  # a call runs for longer than a moment; SECONDS: when it started, by the clock there
PRINTED = 18  # one byte: which stream (1 or 2); the rest: what the call printed
DONE = 19  # a call's outcome, or the last of it
DIED = 20  # the worker of a call died; JSON: how
BROKEN = 21  # the initializer failed; an outcome
FAILED = 22  # the agent itself failed; its traceback as text
RETURNED = 23  # a call was not started, and would have to wait for long: it may run elsewhere
REFUSED = 24  # a call cannot run, since a blob that it needs is not there; what kind; why, as text
LARGE = 25  # PARTs of a call's outcome follow, which make up these BUFFERs; again: these instead
STOPPED = 26  # a call is told to stop, and its outcome follows; one byte: why

WANT = 31  # in place of a call: the question's number; what is wanted by an import, marshalled
LOGGED = 29  # a record of a logger, see records.py
WARNED = 30  # a warning, see warned.py

# before HELLO
SOURCES = 35  # this Python cannot run the bytecode; it waits for the sources, which are no frame

# on a new channel, before all else
RESUMED = 27  # the agent has it; in place of a call's number: how many bytes have come so far
GONE = 28  # there is no such agent

# worker -> agent
READY = 33  # the initializer has returned
PIPES = 32  # descriptors attached: the new pipes that catch what is written to 1 and 2

KINDS = frozenset(
    (
        *(CONFIG, CALL, BLOB, FORGET, RECALL, REVOKE, LIMIT, STOP, END, PART, PACKED, ACK),
        *(LEVELS, ABOUT, LOGGED, WARNED, WANT, SERVED, FILE),
        *(HELLO, STARTED, PRINTED, DONE, DIED, BROKEN, FAILED, RETURNED, REFUSED, LARGE, STOPPED),
        *(PIPES, READY),
    )
)

ABOUT_A_FILE = b"\0"  # the kind of what is REFUSED; else there is just the text
AT_LIMIT = b"L"  # why a call is STOPPED: it has run for as long as it may
ASKED = b"A"  # or that was asked for

NO_CALL = 1 << 63  # with a worker's pid: what is printed while it runs no call

ERRAND = struct.Struct("!QQ")  # a new channel's process: how many bytes have come, which attempt
DISMISSED = (1 << 64) - 1  # in place of that number of bytes: end
SURE = 1 << 20  # bytes that come in before an ACK says that they have
BEATS = 3  # heartbeats of silence after which a channel counts as lost

LONGEST = 1 << 26  # bytes: no frame from a host is longer

PICKLE = 5  # the protocol of what is pickled: the newest that every Python from 3.8 on reads

HEADER = struct.Struct("!BQQ")
SECONDS = struct.Struct("!d")
COUNT = struct.Struct("!Q")
LENGTH = struct.Struct("!Q")


class ProtocolError(Exception):
    """What arrived is not what the other end of this protocol sends."""


def encode(kind: int, call: int, payload: Bytes = b"") -> bytes:
    """Return the bytes of one frame."""
    return HEADER.pack(kind, call, len(payload)) + payload


class Decoder:
    """Turns a stream of bytes, cut anywhere, into frames.

    Args:
        longest: The size of the largest frame that is taken, PARTs apart, bytes; so much is kept
            here at most, and what came with the last of it.
    """

    def __init__(self, longest: float = float("inf")) -> None:
        self._longest = longest
        self._pieces: list[bytes] = []  # what has come of the next frame
        self._size = 0  # of the pieces
        self._wanted = HEADER.size  # fewer bytes than this are not worth a look
        self._part = (PART, 0)  # the kind and call of the PART that is coming in
        self._missing = 0  # bytes of it

    def receive(self, data: bytes) -> list[Frame]:
        """Take `data` in and return the frames, and pieces of PARTs, that are there with it.

        Raises:
            ProtocolError: A header is not one of ours; nothing after it can be trusted.
        """
        if self._missing >= len(data):
            return [self._next_of_part(memoryview(data))] if data else []
        self._size += len(data)
        if self._size < self._wanted:
            self._pieces.append(data)
            return []
        if self._pieces:
            data = b"".join((*self._pieces, data))
        frames, rest = self._cut(data)
        self._pieces, self._size = [rest] if rest else [], len(rest)
        self._wanted = 0 if self._missing else _size_of_next(rest)
        return frames

    def _cut(self, data: bytes) -> tuple[list[Frame], bytes]:
        """The frames in `data`, and what is left."""
        frames: list[Frame] = []
        start, size = 0, len(data)
        if self._missing:
            start = self._missing
            frames.append(self._next_of_part(memoryview(data)[:start]))
        while size - start >= HEADER.size:
            kind, call, length = HEADER.unpack_from(data, start)
            body = start + HEADER.size
            if kind in (PART, PACKED):
                start = min(size, body + length)
                self._part, self._missing = (kind, call), length
                frames.append(self._next_of_part(memoryview(data)[body:start]))
                continue
            if kind not in KINDS or length > self._longest:
                raise ProtocolError(f"not a frame: {data[start : start + 64]!r}")
            if body + length > size:
                break
            start = body + length
            frames.append((kind, call, data[body:start]))
        return frames, data[start:]

    def _next_of_part(self, piece: memoryview) -> Frame:
        self._missing -= len(piece)
        return (*self._part, piece)


def _size_of_next(rest: bytes) -> int:
    if len(rest) < HEADER.size:
        return HEADER.size
    return HEADER.size + int(HEADER.unpack_from(rest)[2])


def pieces(content: Bytes, size: int) -> Iterable[memoryview]:
    """Cut something large into views of at most `size` bytes."""
    view = memoryview(content)
    return (view[start : start + size] for start in range(0, len(view), size))
