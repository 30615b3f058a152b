"""What it costs to capture what calls print, and what calls cost that fail."""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import itertools
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import interstate

from . import jobs
from .peer import Peer
from .place import PATIENCE, Place, process_pool
from .report import Line, Row, at_least, at_most
from .turns import Compared, compare

_TURNS, _CALLS = 41, 5000  # many and short: what disturbs one turn disturbs all in it
_RESULT_TURNS, _BYTES = 15, 100_000_000
_FAIL_TURNS, _FAILING = 5, 2000
_NOTHING, _NO_LOGS = "capturing nothing", "forward_logs=False"
_POOL = "ProcessPoolExecutor(2)"

_STUB = '''"""What a worker prints goes nowhere: the interface of the module that captures it."""

import os
import sys


class Capture:
    def __init__(self, emit):
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(null, stream)
        os.close(null)
        sys.stdout = sys.__stdout__ = open(os.devnull, "w")
        sys.stderr = sys.__stderr__ = open(os.devnull, "w")
        self._pipes = os.pipe(), os.pipe()

    def renew_pipes(self):
        return self._pipes[0][0], self._pipes[1][0]  # the agent reads them, and nobody writes

    def drain(self):
        return True

    def settle(self):
        return True
'''


def capturing(place: Place) -> Row:
    """As it is, beside a copy without it: no-ops submitted at once, and results of 100 MB."""
    with with_and_without(place) as (ours, stub):
        rates, results = _rates(ours, stub), _results(ours, stub)
    asked = {_NOTHING: at_least(0.9), _NO_LOGS: None}
    lines = [rates.line("calls/s", peer, asked[peer], what="no-ops") for peer in asked]
    lines.append(results.line("ms", _NOTHING, at_most(1.1), what="100 MB", scale=1e3))
    return Row(lines, {"no-ops, the best turns": _best(rates)})


@contextlib.contextmanager
def with_and_without(place: Place) -> Iterator[tuple[Peer, Peer]]:
    """The package as it is, and a copy that captures nothing, each in a process of its own."""
    with _ourselves(place, _folder(), 1) as ours, _ourselves(place, _copy(place), 0) as stub:
        yield ours, stub


def _rates(ours: Peer, stub: Peer) -> Compared:
    return compare(
        _TURNS,
        lambda: ours.ask("rate", True, _CALLS),
        {
            _NOTHING: lambda: stub.ask("rate", True, _CALLS),
            _NO_LOGS: lambda: ours.ask("rate", False, _CALLS),
        },
    )


def _results(ours: Peer, stub: Peer) -> Compared:
    numbers = itertools.count()  # which all arrays differ by
    return compare(
        _RESULT_TURNS,
        lambda: ours.ask("result", _BYTES, next(numbers)),
        {_NOTHING: lambda: stub.ask("result", _BYTES, next(numbers))},
    )


def _best(rates: Compared) -> str:
    """What each reached in the turn that was least disturbed."""
    found = {
        name: f"{max(turn[0] for turn in turns):,.0f}"
        for name, turns in {"as it is": rates.ours, **rates.theirs}.items()
        if not isinstance(turns, Exception)
    }
    return ", ".join(f"{rate} calls/s {name}" for name, rate in found.items())


@contextlib.contextmanager
def _ourselves(place: Place, folder: Path, captured: int) -> Iterator[Peer]:
    """Interstate from a folder, in a process of its own; it is the one that it should be."""
    with Peer("ourselves", sys.executable) as peer:
        found = peer.ask("use", str(folder), place.described_host)
        if found != [captured]:
            raise AssertionError(f"{folder} captures {found}, not {captured}")
        yield peer


def _folder() -> Path:
    return Path(interstate.__file__).parents[1]


def _copy(place: Place) -> Path:
    """A folder with a copy of the package that captures nothing."""
    folder = place.new_directory()
    source = _folder() / interstate.__name__
    copy = folder / interstate.__name__
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "remote" / "capture.py").write_text(_STUB)
    return folder


def failing_calls(place: Place) -> Row:
    """2,000 calls that raise a ValueError submitted at once, then all their exceptions."""
    with process_pool() as pool, place.executor() as executor:
        lines = [
            _failures(executor, pool, "by reference", ipaddress.ip_address, "no address"),
            _failures(executor, pool, "by value", jobs.fail),
        ]
    return Row(lines)


def _failures(
    ours: Executor, pool: Executor, what: str, fn: Callable[..., object], *args: Any
) -> Line:
    found = compare(
        _FAIL_TURNS, lambda: [_fail(ours, fn, args)], {_POOL: lambda: [_fail(pool, fn, args)]}
    )
    return found.line("calls/s", _POOL, what=what)


def _fail(executor: Executor, fn: Callable[..., object], args: tuple[Any, ...]) -> float:
    gc.collect()
    start = time.perf_counter()
    for future in [executor.submit(fn, *args) for _ in range(_FAILING)]:
        error = future.exception(PATIENCE)
        if type(error) is not ValueError:
            raise AssertionError(f"the call ended by {error!r}")
    return _FAILING / (time.perf_counter() - start)
