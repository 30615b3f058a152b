"""mitogen: one context is one process over there, which runs one call at a time."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from typing import Any

_began = time.perf_counter()
import mitogen.master  # noqa: E402 - its import is measured
import mitogen.select  # noqa: E402

_IMPORT = time.perf_counter() - _began

from .serve import Where, serve  # noqa: E402

_WARM_UP = 2000


class Mitogen:
    """A router, and the contexts that were opened so far."""

    def __init__(self) -> None:
        self.broker = mitogen.master.Broker()
        self._router = mitogen.master.Router(self.broker)
        self._contexts: list[Any] = []

    def first(self, host: Where) -> list[float]:
        """Seconds: from nothing to the first result; to import it."""
        start = time.perf_counter()
        self._open(host).call(abs, -1)
        return [time.perf_counter() - start, _IMPORT]

    def rate(self, host: Where, count: int, calls: int) -> list[float]:
        """Calls a second on so many contexts, submitted at once."""
        contexts = self._warm(host, count)
        gc.collect()
        start = time.perf_counter()
        answers = [contexts[i % count].call_async(abs, -1) for i in range(calls)]
        for answer in answers:
            answer.get().unpickle()
        return [calls / (time.perf_counter() - start)]

    def each(self, host: Where, calls: int) -> list[float]:
        """Seconds of a call, one at a time: the median and the 99th percentile."""
        context = self._warm(host, 1)[0]
        figures = []
        for _ in range(calls):
            start = time.perf_counter()
            context.call(abs, -1)
            figures.append(time.perf_counter() - start)
        return [statistics.median(figures), sorted(figures)[int(calls * 0.99)]]

    def _warm(self, host: Where, count: int) -> list[Any]:
        while len(self._contexts) < count:
            context = self._open(host)
            for answer in [context.call_async(abs, -1) for _ in range(_WARM_UP)]:
                answer.get().unpickle()
            self._contexts.append(context)
        return self._contexts[:count]

    def _open(self, host: Where) -> Any:
        return self._router.ssh(
            hostname=host["name"],
            port=host["port"],
            username=host["user"],
            identity_file=host["identity_file"],
            python_path=[sys.executable],
            check_host_keys="ignore",
            compression=False,  # which is quicker where the network is
        )


if __name__ == "__main__":
    router = Mitogen()
    try:
        serve({"first": router.first, "rate": router.rate, "each": router.each})
    finally:
        router.broker.shutdown()
        router.broker.join()
