"""Talks with the probe over there (remote/probe.py): how busy a host is, and how fast its line."""

from __future__ import annotations

import ast
import math
import os
import time
from collections.abc import Callable
from typing import NamedTuple

from . import boot
from .shipment import packed_program

_ECHOES = 10  # round trips at most; the quickest counts
_SIZES = tuple(1 << n for n in range(12, 21, 2))  # bytes that are moved at once, in turn
_ENOUGH = 0.1  # seconds; what took so long says how fast it goes
_READ = 1 << 16
_LONGEST_LINE = 1 << 12  # bytes
_ABSURD = 1 << 62  # bytes of memory


class Facts(NamedTuple):
    """What a host says of itself.

    Attributes:
        load: How many processes ran, or wanted to, on the average of the last minute; None if the
            host does not say.
        available: Memory that can be had, bytes; None likewise.
    """

    load: float | None
    available: int | None


class Speeds(NamedTuple):
    """How fast the way to a host is.

    Attributes:
        round_trip: How long the shortest message takes to be answered, seconds.
        down: How fast bytes come from there, bytes a second.
        up: How fast they go there, bytes a second.
    """

    round_trip: float
    down: float
    up: float


def begin(stream: boot.Stream, start: boot.Start) -> Facts:
    """Start the probe, and take in what it says first.

    Args:
        stream: Of the line that starts agents; to be closed by who opened it, which ends the probe.
        start: That line.

    Raises:
        boot.NoAgentError: It did not start, or says what we do not know.
        OSError: The stream broke, or was closed.
    """
    said = boot.begin(stream, start, packed_program("probe", "serve", {}))
    while b"\n" not in said:
        said += _some(stream)
        if len(said) > _LONGEST_LINE:
            raise boot.NoAgentError("what it says of itself has no end")
    return _facts(said)


def measure(stream: boot.Stream) -> Speeds:
    """Move bytes to and fro: more and more, until it takes a tenth of a second; 1.4 MB at most.

    Args:
        stream: The one that `begin` was given.

    Raises:
        OSError: The stream broke, or was closed.
    """
    round_trip = _quickest(stream)
    down = _fastest(lambda size: _send(stream, size), round_trip)
    up = _fastest(lambda size: _take(stream, size), round_trip)
    return Speeds(round_trip, down, up)


def _facts(line: bytes) -> Facts:
    """What is in a line; a host may say anything."""
    try:
        load, available = ast.literal_eval(line.decode("ascii"))
        facts = Facts(
            None if load is None else float(load), None if available is None else int(available)
        )
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, OverflowError):
        facts = Facts(math.nan, None)
    if not (0 <= (facts.load or 0.0) < math.inf and 0 <= (facts.available or 0) < _ABSURD):
        raise boot.NoAgentError("this is nothing that it should say of itself", line)
    return facts


def _quickest(stream: boot.Stream) -> float:
    """How long a round trip takes at best, seconds."""
    echoes = [_take(stream, 0)]
    while len(echoes) < _ECHOES and sum(echoes) < _ENOUGH:
        echoes.append(_take(stream, 0))
    return min(echoes)


def _fastest(move: Callable[[int], float], round_trip: float) -> float:
    """How many bytes a second are moved at best: more and more at once, until it takes long."""
    speeds: list[float] = []
    for size in _SIZES:
        elapsed = move(size)
        speeds.append(size / max(elapsed - round_trip, elapsed / 2))
        if elapsed - round_trip > _ENOUGH and len(speeds) > 1:
            break  # not after the first, which may have met with a bad moment
    return max(speeds[1:])  # which also leaves out what is too little to tell


def _send(stream: boot.Stream, size: int) -> float:
    """Have so many bytes sent from there; return how long that takes, seconds."""
    begun = time.perf_counter()
    stream.write(b"send %d\n" % size)
    while size > 0:
        size -= len(_some(stream))
    return time.perf_counter() - begun


def _take(stream: boot.Stream, size: int) -> float:
    """Send so many bytes there; return how long it takes until they have come, seconds."""
    data = os.urandom(size)
    begun = time.perf_counter()
    stream.write(b"take %d\n" % size + data)
    _some(stream)
    return time.perf_counter() - begun


def _some(stream: boot.Stream) -> bytes:
    data = stream.read(_READ)
    if not data:
        raise ConnectionResetError("it was ended over there")
    return data
