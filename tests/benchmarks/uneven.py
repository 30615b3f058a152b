"""Calls of uneven lengths on several hosts: how near to the best that could be done."""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Sequence
from concurrent.futures import Executor

from interstate import SSHExecutor

from .place import PATIENCE, Place, seconds, warm_up
from .report import Row, at_most
from .turns import compare

_TURNS = 3
_HOSTS, _WORKERS = 8, 2
_CALLS, _SHORT, _LONG = 8000, 0.01, 1.0  # calls, seconds
_LONG_SHARE = 0.01


def uneven_calls(place: Place) -> Row:
    """8,000 calls that sleep, every hundredth 100 times longer, on 8 hosts of 2 workers."""
    lengths = [_LONG if i < _CALLS * _LONG_SHARE else _SHORT for i in range(_CALLS)]
    random.Random(0).shuffle(lengths)
    name, ideal = "each to whoever is free first", greedy(lengths, _HOSTS * _WORKERS)
    hosts = place.sshd.hosts(_HOSTS)
    with SSHExecutor(hosts, workers_per_host=_WORKERS, ssh_config=None) as executor:
        warm_up(executor, 2000)
        found = compare(
            _TURNS, lambda: [seconds(lambda: _run(executor, lengths))], {name: lambda: [ideal]}
        )
    return Row([found.line("s", name, at_most(1.1))])


def greedy(lengths: Sequence[float], workers: int) -> float:
    """When the last call ends, if each in order goes to the worker that is free first."""
    free = [0.0] * workers
    for length in lengths:
        heapq.heapreplace(free, free[0] + length)
    return max(free)


def _run(executor: Executor, lengths: Sequence[float]) -> None:
    for future in [executor.submit(time.sleep, length) for length in lengths]:
        future.result(PATIENCE)
