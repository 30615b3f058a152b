"""What slow links cost: long round trips, and low rates with and without what can be compressed."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor

from interstate import SSHExecutor
from tests.proxy import Proxy

from . import jobs
from .place import PATIENCE, Place
from .report import Line, Row, at_least, at_most
from .turns import Measure, compare

_TURNS = 3
_DELAY = 0.025  # seconds, one way
_CALLS, _CALL = 4000, 0.001  # calls, seconds of each
_SLOW_BYTES, _RATE = 20_000_000, 10_000_000  # bytes, bytes a second
_FAST_TURNS, _FAST_BYTES = 7, 100_000_000

Maker = Callable[[int, int], bytes]
Carry = Callable[[Executor, Maker, int, int], float]


def slow_link(place: Place) -> Row:
    """Calls of 1 ms a second over a link whose round trip is 50 ms, beside one without delay."""
    name = "the same without delay"
    with _proxied(place) as (delayed, proxy), _proxied(place) as (executor, _):
        proxy.delay = _DELAY
        found = compare(_TURNS, lambda: [_rate(delayed)], {name: lambda: [_rate(executor)]})
    return Row([found.line("calls/s", name, at_least(0.9))])


def _rate(executor: Executor) -> float:
    start = time.perf_counter()
    for future in [executor.submit(time.sleep, _CALL) for _ in range(_CALLS)]:
        future.result(PATIENCE)
    return _CALLS / (time.perf_counter() - start)


def compression_slow(place: Place) -> Row:
    """20 MB that can be compressed, over a link of 10 MB/s, beside what its size needs there."""
    name, lines = "its size at 10 MB/s", []
    with _proxied(place) as (executor, proxy):
        for what, carry in _WAYS.items():
            carry(executor, jobs.fresh_text, _SLOW_BYTES, 0)  # so that it is made there
            proxy.rate = _RATE
            measure = _timed(executor, carry, jobs.fresh_text, _SLOW_BYTES)
            found = compare(_TURNS, measure, {name: lambda: [_SLOW_BYTES / _RATE]})
            lines.append(found.line("s", name, what=what))
            proxy.rate = None
    return Row(lines)


def compression_fast(place: Place) -> Row:
    """100 MB that can be compressed, over loopback, beside 100 MB that cannot."""
    name = "what cannot be compressed"
    with place.executor(workers=1) as executor:
        return Row([_fast_line(executor, what, carry, name) for what, carry in _WAYS.items()])


def _fast_line(executor: Executor, what: str, carry: Carry, name: str) -> Line:
    def measure(make: Maker) -> Measure:
        carry(executor, make, _FAST_BYTES, 0)
        return _timed(executor, carry, make, _FAST_BYTES)

    found = compare(_FAST_TURNS, measure(jobs.fresh_text), {name: measure(jobs.fresh_noise)})
    return found.line("ms", name, at_most(1.05), what=what, scale=1e3)


def _timed(executor: Executor, carry: Carry, make: Maker, size: int) -> Measure:
    numbers = itertools.count(1)
    return lambda: [carry(executor, make, size, next(numbers))]


def _argument(executor: Executor, make: Maker, size: int, number: int) -> float:
    """Seconds until it was taken in over there."""
    data = make(size, number)
    start = time.perf_counter()
    if executor.submit(len, data).result(PATIENCE) != size:
        raise AssertionError("the argument is not whole")
    return time.perf_counter() - start


def _result(executor: Executor, make: Maker, size: int, number: int) -> float:
    """Seconds until it was here."""
    start = time.perf_counter()
    if len(executor.submit(make, size, number).result(PATIENCE)) != size:
        raise AssertionError("the result is not whole")
    return time.perf_counter() - start


_WAYS: dict[str, Carry] = {"argument": _argument, "result": _result}


@contextlib.contextmanager
def _proxied(place: Place) -> Iterator[tuple[SSHExecutor, Proxy]]:
    """An executor on a host, by way of a proxy."""
    with (
        Proxy(place.host, place.new_directory()) as proxy,
        place.executor(host=proxy.host) as executor,
    ):
        yield executor, proxy
