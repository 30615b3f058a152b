"""How fast large things travel, beside a bare paramiko channel."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

import paramiko

from .place import PATIENCE, READ, Place, seconds
from .report import Row, at_least
from .turns import compare

_TURNS = 3
_BARE = "a paramiko channel"
_BYTES = 100_000_000
_CHUNK = 1 << 20  # bytes that are given to paramiko at once


def large_result(place: Place) -> Row:
    """100 MB as a call's result."""
    with place.executor(workers=1) as executor, place.channel("exec cat /dev/zero") as channel:
        return _row(lambda: _fetch(executor), lambda: _receive(channel))


def large_argument(place: Place) -> Row:
    """100 MB as a call's argument; both wait until it has been taken in over there."""
    data = bytes(_BYTES)
    count = f"while head -c {_BYTES} >/dev/null; do echo; done"
    with place.executor(workers=1) as executor, place.channel(count) as channel:
        return _row(lambda: _give(executor, data), lambda: _send(channel, data))


def _row(ours: Callable[[], None], bare: Callable[[], None]) -> Row:
    def rate(run: Callable[[], None]) -> list[float]:
        return [_BYTES / 1e6 / seconds(run)]

    found = compare(_TURNS, lambda: rate(ours), {_BARE: lambda: rate(bare)})
    return Row([found.line("MB/s", _BARE, at_least(0.9))])


def _fetch(executor: Executor) -> None:
    result = executor.submit(bytes, _BYTES).result(PATIENCE)
    if len(result) != _BYTES:
        raise AssertionError("the result is not whole")


def _give(executor: Executor, data: bytes) -> None:
    if executor.submit(len, data).result(PATIENCE) != len(data):
        raise AssertionError("the argument is not whole")


def _receive(channel: paramiko.Channel) -> None:
    missing = _BYTES
    while missing > 0:
        data = channel.recv(min(READ, missing))
        if not data:
            raise EOFError("the peer's channel has ended")
        missing -= len(data)


def _send(channel: paramiko.Channel, data: bytes) -> None:
    view = memoryview(data)
    for start in range(0, len(data), _CHUNK):
        channel.sendall(view[start : start + _CHUNK].tobytes())
    if not channel.recv(READ):
        raise EOFError("the peer's channel has ended")
