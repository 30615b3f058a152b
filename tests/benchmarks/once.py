"""What is sent once however often it is used: bytes on the wire, and copies in a host's memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from interstate import Host, SSHExecutor
from tests import processes
from tests.proxy import Proxy

from . import child, jobs, procfs
from .gate import Gate
from .place import PATIENCE, Place
from .report import Line, Row, at_most

_BYTES = 100_000_000
_CLOSURE_CALLS, _ARGUMENT_CALLS = 1000, 100
_PROBE = 8  # calls; when these show that it is sent each time, that is the figure
_OFTEN = 4.5  # arrays on the wire: more is each time
_MEMORY = 6 << 30  # bytes that the client may take
_WORKERS = 2
_LIMIT = 200.0  # seconds that one way may take

Measure = Callable[[dict[str, Any], str, int], child.Figures]
Job = Callable[[int], float]


def closure_once(place: Place) -> Row:
    """A closure over a 100 MB array, called 1,000 times by two workers; and twice to hold it."""
    by_map, by_submit = (_Way(place, way, _CLOSURE_CALLS) for way in (map_closure, submit_closure))
    lines = [
        by_map.line("sent", "arrays on the wire", "by map", 1.05),
        by_submit.line("sent", "arrays on the wire", "by submit", 1.05),
        by_map.line("copies", "arrays", "the host's memory", 1.1),
    ]
    return Row(lines, {"by map": by_map.note, "by submit": by_submit.note})


def argument_once(place: Place) -> Row:
    """A 100 MB array as the argument of 100 calls, two workers."""
    found = _Way(place, submit_argument, _ARGUMENT_CALLS)
    line = found.line("sent", "arrays on the wire", "by submit", 1.05)
    return Row([line], {"by submit": found.note})


class _Way:
    """What one way of calling found, or why it found nothing."""

    def __init__(self, place: Place, measure: Measure, calls: int) -> None:
        self._figures: child.Figures = {}
        self._failed = ""
        try:
            self._figures = _on_the_wire(place, measure, calls)
        except child.ChildError as error:  # the other way is worth having
            self._failed = str(error)

    def line(self, name: str, unit: str, what: str, most: float) -> Line:
        figure = self._figures.get(name)
        return Line(figure, unit, what=what, asked=at_most(most), failed=self._failed)

    @property
    def note(self) -> str:
        if self._failed:
            return "no figures"
        calls, elapsed = self._figures["calls"], self._figures["seconds"]
        each = "; no more were tried, each sends it" if calls == _PROBE else ""
        return f"{calls:,.0f} calls in {elapsed:.1f} s{each}"


def _on_the_wire(place: Place, measure: Measure, calls: int) -> child.Figures:
    """The measure's figures, and the arrays that were sent; fewer calls if each sends it."""
    figures = _count_sent(place, measure, _PROBE)
    return figures if figures["sent"] > _OFTEN else _count_sent(place, measure, calls)


def _count_sent(place: Place, measure: Measure, calls: int) -> child.Figures:
    with Proxy(place.host, place.new_directory()) as proxy:
        figures = child.run(
            measure, asdict(proxy.host), str(place.new_directory()), calls, timeout=_LIMIT
        )
        return {**figures, "calls": calls, "sent": proxy.sent / _BYTES}


def map_closure(host: dict[str, Any], directory: str, calls: int) -> child.Figures:
    """Seconds for so many calls by map; copies that the host then has."""
    return _run(host, directory, calls, lambda executor, job, items: list(executor.map(job, items)))


def submit_closure(host: dict[str, Any], directory: str, calls: int) -> child.Figures:
    """Seconds for so many calls by submit; copies that the host then has."""

    def submit(executor: SSHExecutor, job: Job, items: range) -> list[float]:
        futures = [executor.submit(job, item) for item in items]
        return [future.result(PATIENCE) for future in futures]

    return _run(host, directory, calls, submit)


def _run(
    host: dict[str, Any],
    directory: str,
    calls: int,
    run: Callable[[SSHExecutor, Job, range], list[float]],
) -> child.Figures:
    procfs.limit_memory(_MEMORY)
    gate, data = Gate(Path(directory)), jobs.array(_BYTES)
    wait = gate.waiter()

    def job(index: int) -> float:
        if index < 0:  # hold it, all of it
            data.sum()
            wait(index)
        return float(data[index])

    with SSHExecutor([Host(**host)], workers_per_host=_WORKERS, ssh_config=None) as executor:
        list(executor.map(jobs.checksum, [8000] * 100))  # what it imports is there then
        pids = _over_there(executor)
        before = procfs.shared_out(pids)
        start = time.perf_counter()
        if run(executor, job, range(calls)) != [float(data[i]) for i in range(calls)]:
            raise AssertionError("the results are wrong")
        elapsed = time.perf_counter() - start
        held = [executor.submit(job, -1 - worker) for worker in range(_WORKERS)]
        if gate.wait_for(_WORKERS, PATIENCE) != _WORKERS:
            raise AssertionError("not every worker has begun")
        copies = (procfs.shared_out(pids) - before) / _BYTES
        gate.open()
        for future in held:
            future.result(PATIENCE)
    return {"seconds": elapsed, "copies": copies}


def _over_there(executor: SSHExecutor) -> list[int]:
    """The agent and its workers, which are on this machine."""
    agent = executor.submit(os.getppid).result(PATIENCE)
    return [agent, *processes.children(agent)]


def submit_argument(host: dict[str, Any], _: str, calls: int) -> child.Figures:
    """Seconds for so many calls that are given the same array."""
    procfs.limit_memory(_MEMORY)
    data = jobs.array(_BYTES)
    with SSHExecutor([Host(**host)], workers_per_host=2, ssh_config=None) as executor:
        start = time.perf_counter()
        futures = [executor.submit(np.size, data) for _ in range(calls)]
        if any(future.result(PATIENCE) != data.size for future in futures):
            raise AssertionError("the results are wrong")
        return {"seconds": time.perf_counter() - start}
