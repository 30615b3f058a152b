"""How many calls a second, beside a pool of processes on this machine."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from concurrent.futures import Executor

from .place import PATIENCE, Place, in_turns, median, process_pool, ratio
from .report import Row, at_least

_TURNS = 5
_CALLS = 10_000
_ITEMS = 20_000

Measure = Callable[[Executor], list[float]]


def no_op_rate(place: Place) -> Row:
    """10,000 no-ops submitted at once, then all their results; two workers."""
    return _beside_a_process_pool(place, _submit)


def map_rate(place: Place) -> Row:
    """A no-op mapped over 20,000 items, chunksize 1; two workers."""
    return _beside_a_process_pool(place, _map)


def _beside_a_process_pool(place: Place, measure: Measure) -> Row:
    with process_pool() as pool, place.executor() as executor:
        ours, theirs = in_turns(_TURNS, lambda: measure(executor), lambda: measure(pool))
    return Row(
        ours=median(ours),
        peer=median(theirs),
        unit="calls/s",
        peer_name="ProcessPoolExecutor(2)",
        ratio=ratio(ours, theirs),
        asked=at_least(1),
        more={
            "until all are submitted": f"{median(ours, 1) * 1e6:.1f} µs a call, "
            f"the peer's {median(theirs, 1) * 1e6:.1f} µs"
        },
    )


def _submit(executor: Executor) -> list[float]:
    """Calls a second; seconds a call until all are submitted."""
    gc.collect()
    start = time.perf_counter()
    futures = [executor.submit(abs, -1) for _ in range(_CALLS)]
    submitted = time.perf_counter()
    for future in futures:
        future.result(PATIENCE)
    return [_CALLS / (time.perf_counter() - start), (submitted - start) / _CALLS]


def _map(executor: Executor) -> list[float]:
    gc.collect()
    start = time.perf_counter()
    results = executor.map(abs, range(_ITEMS), timeout=PATIENCE)
    submitted = time.perf_counter()
    if sum(results) != sum(range(_ITEMS)):
        raise AssertionError("map returned wrong results")
    return [_ITEMS / (time.perf_counter() - start), (submitted - start) / _ITEMS]
