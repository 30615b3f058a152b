"""Dask's SSHCluster: a scheduler and a worker host, which has two processes of one thread each."""

from __future__ import annotations

import contextlib
import gc
import statistics
import sys
import time
from typing import Any

_began = time.perf_counter()
from dask.distributed import Client, SSHCluster  # noqa: E402 - its import is measured

_IMPORT = time.perf_counter() - _began

from .serve import Where, serve  # noqa: E402

_WARM_UP = 200


class Dask:
    """A cluster, once it is asked for."""

    def __init__(self, ends: contextlib.ExitStack) -> None:
        self._ends = ends
        self._client: Any = None

    def first(self, host: Where) -> list[float]:
        """Seconds: from nothing to the first result; to import it."""
        start = time.perf_counter()
        self._open(host).submit(abs, -1, pure=False).result()
        return [time.perf_counter() - start, _IMPORT]

    def rate(self, host: Where, calls: int) -> list[float]:
        """Calls a second, submitted at once."""
        client = self._warm(host)
        gc.collect()
        start = time.perf_counter()
        client.gather([client.submit(abs, -1, pure=False) for _ in range(calls)])
        return [calls / (time.perf_counter() - start)]

    def each(self, host: Where, calls: int) -> list[float]:
        """Seconds of a call, one at a time: the median and the 99th percentile."""
        client = self._warm(host)
        figures = []
        for _ in range(calls):
            start = time.perf_counter()
            client.submit(abs, -1, pure=False).result()
            figures.append(time.perf_counter() - start)
        return [statistics.median(figures), sorted(figures)[int(calls * 0.99)]]

    def _warm(self, host: Where) -> Any:
        if self._client is None:
            self._client = self._open(host)
            self._client.wait_for_workers(2)
            self.rate(host, _WARM_UP)
        return self._client

    def _open(self, host: Where) -> Any:
        cluster = SSHCluster(
            [host["name"]] * 2,
            connect_options={
                "port": host["port"],
                "username": host["user"],
                "client_keys": [host["identity_file"]],
                "known_hosts": None,
            },
            worker_options={"n_workers": 2, "nthreads": 1},
            scheduler_options={"port": 0, "dashboard": False},
            remote_python=sys.executable,
        )
        return self._ends.enter_context(Client(self._ends.enter_context(cluster)))


if __name__ == "__main__":
    with contextlib.ExitStack() as ends:
        cluster = Dask(ends)
        serve({"first": cluster.first, "rate": cluster.rate, "each": cluster.each})
