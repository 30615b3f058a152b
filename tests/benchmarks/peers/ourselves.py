"""Interstate itself, from the folder that it is told: a copy that was changed is a peer, too."""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .. import jobs
from .serve import Where, serve

if TYPE_CHECKING:
    from interstate import SSHExecutor

_WARM_UP = 2000
_PATIENCE = 100.0  # seconds that any one wait may take


class Ourselves:
    """The executors that were asked for so far, on one host."""

    def __init__(self, ends: contextlib.ExitStack) -> None:
        self._ends = ends
        self._host: Where = {}
        self._executors: dict[tuple[int, bool], SSHExecutor] = {}

    def use(self, folder: str, host: Where) -> list[float]:
        """Import it from a folder; how much it captures of a call that prints one character."""
        sys.path.insert(0, folder)
        import interstate

        if Path(interstate.__file__).parents[1] != Path(folder):
            raise ImportError(f"{interstate.__file__} is not in {folder}")
        self._host = host
        future = self._warm(1).submit(print, "x", end="")
        future.result(_PATIENCE)
        return [float(len(future.stdout))]

    def rate(self, forward_logs: bool, calls: int) -> list[float]:
        """No-ops a second, submitted at once, two workers."""
        return [_rate(self._warm(2, forward_logs), calls)]

    def result(self, size: int, turn: int) -> list[float]:
        """Seconds until an array unlike any before is here."""
        executor = self._warm(1)
        executor.submit(jobs.renew, size, turn).result(_PATIENCE)
        start = time.perf_counter()
        result = executor.submit(jobs.array, size).result(_PATIENCE)
        elapsed = time.perf_counter() - start
        if result.nbytes != size:
            raise AssertionError("the result is not whole")
        return [elapsed]

    def _warm(self, workers: int, forward_logs: bool = True) -> SSHExecutor:
        from interstate import Host, SSHExecutor

        key = workers, forward_logs
        if key not in self._executors:
            self._executors[key] = self._ends.enter_context(
                SSHExecutor(
                    [Host(**self._host)],
                    workers_per_host=workers,
                    ssh_config=None,
                    forward_logs=forward_logs,
                )
            )
            _rate(self._executors[key], _WARM_UP)
        return self._executors[key]


def _rate(executor: SSHExecutor, calls: int) -> float:
    gc.collect()
    start = time.perf_counter()
    for future in [executor.submit(abs, -1) for _ in range(calls)]:
        future.result(_PATIENCE)
    return calls / (time.perf_counter() - start)


if __name__ == "__main__":
    with contextlib.ExitStack() as ends:
        ourselves = Ourselves(ends)
        serve({"use": ourselves.use, "rate": ourselves.rate, "result": ourselves.result})
