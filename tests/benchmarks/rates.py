"""How many calls a second."""

from __future__ import annotations

import gc
import time
from concurrent.futures import Executor

from .place import PATIENCE, Place, process_pool
from .report import Row, at_least
from .turns import Compared, compare, median

_TURNS = 5
_CALLS = 10_000
_DASK_CALLS = 2_000  # it has the same rate at 10,000
_MAP_TURNS, _ITEMS = 3, 100_000
_POOL, _DASK = "ProcessPoolExecutor(2)", "Dask SSHCluster"
_MITOGEN, _ONE_CONTEXT = "mitogen, 2 contexts", "mitogen, 1 context"


def no_op_rate(place: Place) -> Row:
    """10,000 no-ops submitted at once, then all their results; two workers."""
    host = place.described_host
    with (
        process_pool() as pool,
        place.executor() as executor,
        place.peer("mitogen_ssh") as mitogen,
        place.peer("dask_ssh") as dask,
    ):
        found = compare(
            _TURNS,
            lambda: _submit(executor),
            {
                _POOL: lambda: _submit(pool),
                _MITOGEN: lambda: mitogen.ask("rate", host, 2, _CALLS),
                _ONE_CONTEXT: lambda: mitogen.ask("rate", host, 1, _CALLS),
                _DASK: lambda: dask.ask("rate", host, _DASK_CALLS),
            },
        )
    asked = {_POOL: at_least(4), _MITOGEN: at_least(3), _ONE_CONTEXT: None, _DASK: at_least(60)}
    lines = [found.line("calls/s", peer, asked[peer]) for peer in asked]
    return Row(lines, _submitting(found))


def map_rate(place: Place) -> Row:
    """A no-op mapped over 100,000 items, chunksize 1; two workers."""
    with process_pool() as pool, place.executor() as executor:
        found = compare(_MAP_TURNS, lambda: _map(executor), {_POOL: lambda: _map(pool)})
    return Row([found.line("calls/s", _POOL, at_least(4))], _submitting(found))


def _submitting(found: Compared) -> dict[str, str]:
    ours, theirs = median(found.ours, 1), found.theirs[_POOL]
    peer = "" if isinstance(theirs, Exception) else f", {_POOL}'s {median(theirs, 1) * 1e6:.1f} µs"
    return {"until all are submitted": f"{ours * 1e6:.1f} µs a call{peer}"}


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
