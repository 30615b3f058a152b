"""Who makes the remote calls: Interstate, and its peers."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple, Protocol

from .situations import Place

LIMIT = 30.0  # seconds that a call may take


class Future(Protocol):
    """What a call returns."""

    def result(self, timeout: float | None = None, /) -> Any: ...


class Runner(NamedTuple):
    """Somebody who can call functions elsewhere.

    Attributes:
        submit: Returns the Future of a call.
        by_value: Whether it sends functions that cannot be imported.
        strict: Whether it promises what only Interstate does.
    """

    submit: Callable[..., Future]
    by_value: bool = True
    strict: bool = False

    def can_send(self, fn: Callable[..., object]) -> bool:
        """Whether it can be asked to call that."""
        if not self.by_value:
            try:
                pickle.dumps(fn)
            except (AttributeError, pickle.PicklingError):
                return False
        return True


@contextlib.contextmanager
def ours(place: Place, host: Any) -> Iterator[Runner]:
    """Interstate, on a host."""
    import interstate

    with interstate.SSHExecutor(
        host, workers_per_host=4, initializer=place.arriving(), ssh_config=None
    ) as executor:
        yield Runner(executor.with_options(timeout=LIMIT).submit, strict=True)


@contextlib.contextmanager
def pool(place: Place, _: Any = None) -> Iterator[Runner]:
    """The standard library's process pool."""
    with ProcessPoolExecutor(1, initializer=place.arriving()) as executor:
        yield Runner(executor.submit, by_value=False)


@contextlib.contextmanager
def dask(place: Place, _: Any = None) -> Iterator[Runner]:
    """Dask's cluster of processes on this machine."""
    from dask.distributed import Client, LocalCluster, WorkerPlugin

    class Arriving(WorkerPlugin):  # type: ignore[misc]
        """Also for the workers that replace others."""

        def __init__(self, arrive: Callable[[], None]) -> None:
            self._arrive = arrive

        def setup(self, worker: object) -> None:
            self._arrive()

    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster) as client:
        client.register_plugin(Arriving(place.arriving()))

        def submit(fn: Callable[..., Any], *args: Any) -> Any:
            return client.submit(fn, *args, pure=False)

        yield Runner(submit)


RUNNERS: dict[str, Callable[..., contextlib.AbstractContextManager[Runner]]] = {
    "ours": ours,
    "pool": pool,
    "dask": dask,
}
