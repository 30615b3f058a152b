"""How fast large things travel, beside a bare paramiko channel, and what memory they need here."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import Executor
from typing import Any

import numpy as np
import paramiko

from interstate import Host, SSHExecutor

from . import child, jobs, procfs
from .place import PATIENCE, READ, Place, seconds
from .report import Line, Row, at_least, at_most
from .turns import compare

_TURNS, _HOP_TURNS = 5, 3
_BYTES = 200_000_000
_HUGE = 5 << 29  # 2.5 GiB
_HUGE_MEMORY = 12 << 30  # bytes that the client may take for it
_HUGE_PATIENCE = 200.0  # seconds
_CHUNK = 1 << 20  # bytes that are given to paramiko at once
_BARE, _BARE_HOP = "a paramiko channel", "a paramiko channel through the hop"


def large_result(place: Place) -> Row:
    """A 200 MB array as a call's result."""
    memory = child.run(memory_of_result, place.described_host)["memory"]
    return Row([_result_rate(place, None, _BARE, _TURNS), _memory_line(memory)])


def large_argument(place: Place) -> Row:
    """A 200 MB array as a call's argument; both wait until it has been taken in over there."""
    memory = child.run(memory_of_argument, place.described_host)["memory"]
    return Row([_argument_rate(place, None, _BARE, _TURNS), _memory_line(memory)])


def hop_result(place: Place) -> Row:
    """A 200 MB array as a call's result, through a jump host."""
    return Row([_result_rate(place, place.hop, _BARE_HOP, _HOP_TURNS)])


def hop_argument(place: Place) -> Row:
    """A 200 MB array as a call's argument, through a jump host."""
    return Row([_argument_rate(place, place.hop, _BARE_HOP, _HOP_TURNS)])


def huge_result(place: Place) -> Row:
    """2.5 GiB of bytes as a call's result; read whole in a process of its own."""
    figures = child.run(receive_huge, place.described_host)
    rate = Line(_HUGE / 1e6 / figures["seconds"], "MB/s")
    return Row([Line(figures["whole"], "of 1", what="arrived", asked=at_least(1)), rate])


def _result_rate(place: Place, via: Host | None, name: str, turns: int) -> Line:
    with (
        place.executor(workers=1, via=via) as executor,
        place.channel("exec cat /dev/zero", via=via) as channel,
    ):
        executor.submit(jobs.checksum, _BYTES).result(PATIENCE)  # it makes the array
        numbers = itertools.count(1)
        return _rate(
            lambda: _fetch(executor, next(numbers)), lambda: _receive(channel), name, turns
        )


def _argument_rate(place: Place, via: Host | None, name: str, turns: int) -> Line:
    count = f"while head -c {_BYTES} >/dev/null; do echo; done"
    with (
        place.executor(workers=1, via=via) as executor,
        place.channel(count, via=via) as channel,
    ):
        data, numbers = jobs.array(_BYTES).tobytes(), itertools.count(1)
        return _rate(
            lambda: _give(executor, next(numbers)), lambda: _send(channel, data), name, turns
        )


def _rate(ours: Any, bare: Any, name: str, turns: int) -> Line:
    found = compare(
        turns,
        lambda: [_BYTES / 1e6 / ours()],
        {name: lambda: [_BYTES / 1e6 / seconds(bare)]},
    )
    return found.line("MB/s", name, at_least(0.9))


def _memory_line(memory: float) -> Line:
    return Line(memory, "arrays", what="client's peak memory", asked=at_most(1.3))


def memory_of_result(host: dict[str, Any]) -> child.Figures:
    """How far this process's memory grows, in arrays."""
    with SSHExecutor([Host(**host)], workers_per_host=1, ssh_config=None) as executor:
        executor.submit(jobs.checksum, _BYTES).result(PATIENCE)
        _ = np.zeros(1)
        return _peak(lambda: executor.submit(jobs.array, _BYTES).result(PATIENCE))


def memory_of_argument(host: dict[str, Any]) -> child.Figures:
    """How far this process's memory grows beyond what it has with the array, in arrays."""
    with SSHExecutor([Host(**host)], workers_per_host=1, ssh_config=None) as executor:
        executor.submit(jobs.checksum, 8000).result(PATIENCE)
        data = jobs.array(_BYTES)
        return _peak(lambda: executor.submit(jobs.ends, data).result(PATIENCE))


def _peak(run: Any) -> child.Figures:
    procfs.forget_peak()
    before = procfs.resident()
    run()
    return {"memory": (procfs.peak() - before) / _BYTES}


def receive_huge(host: dict[str, Any]) -> child.Figures:
    """Seconds until it was there, and whether it is whole."""
    procfs.limit_memory(_HUGE_MEMORY)
    with SSHExecutor([Host(**host)], workers_per_host=1, ssh_config=None) as executor:
        executor.submit(jobs.checksum, 8000).result(PATIENCE)
        data = b""

        def receive() -> None:
            nonlocal data
            data = executor.submit(jobs.huge, _HUGE).result(_HUGE_PATIENCE)

        return {"seconds": seconds(receive), "whole": float(jobs.is_huge(data, _HUGE))}


def _fetch(executor: Executor, turn: int) -> float:
    """Seconds until it is here."""
    executor.submit(jobs.renew, _BYTES, turn).result(PATIENCE)
    start = time.perf_counter()
    result = executor.submit(jobs.array, _BYTES).result(PATIENCE)
    elapsed = time.perf_counter() - start
    if result.nbytes != _BYTES:
        raise AssertionError("the result is not whole")
    return elapsed


def _give(executor: Executor, turn: int) -> float:
    """Seconds until it is there."""
    jobs.renew(_BYTES, turn)
    data = jobs.array(_BYTES)
    start = time.perf_counter()
    ends = executor.submit(jobs.ends, data).result(PATIENCE)
    elapsed = time.perf_counter() - start
    if ends != (data[0], data[-1]):
        raise AssertionError("the argument is not whole")
    return elapsed


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
