"""What makes the interpreter's own executor tests run against SSHExecutor.

They construct pools by `max_workers`, look at a pool's private attributes, share locks with the
processes of a multiprocessing context, and construct pools in interpreters of their own.  Here is
each of these in our terms; `load` finds the tests themselves.
"""

from __future__ import annotations

import importlib
import os
import select
import sys
import sysconfig
import tempfile
import threading
import time
import types
import unittest.mock
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, ClassVar

import cloudpickle  # type: ignore[import-untyped]

from interstate import Host, RemoteFuture, SSHExecutor
from interstate.callbacks import Callbacks

from . import processes

PATIENCE = 60.0  # seconds that a wait for something over there may take
_PID = 4  # bytes of a process id
_PACKAGE = "test.test_concurrent_futures"
_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"

# A host's Python has no package `tests`.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


# ------------------------------------------------------------------------------ the tests


def folder() -> Path | None:
    """The folder `test` that has this Python's executor tests; None when nobody installed them.

    An interpreter has its own; where it was built without, `libpython3.X-testsuite` of Debian's
    serves.
    """
    for stdlib in (sysconfig.get_path("stdlib"), f"/usr/lib/{_VERSION}"):
        found = Path(stdlib, "test")
        if list(found.glob("test_concurrent_futures*")):
            return found
    return None


def make_importable(found: str) -> None:
    """Let `test.test_concurrent_futures` be imported from that folder."""
    package = importlib.import_module("test")
    if found not in package.__path__:
        package.__path__.append(found)


def load() -> types.SimpleNamespace | None:
    """Every class of the executor tests, by its name; None when they are not installed.

    A class that only pairs a mixin with a kind of pool has no tests of its own, and is not there.
    """
    found = folder()
    if found is None:
        return None
    make_importable(str(found))
    classes = [
        value
        for module in _modules()
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]
    return types.SimpleNamespace(**{cls.__name__: cls for cls in classes})


def tests_of(cls: type) -> list[str]:
    """The names of the tests that a class itself defines."""
    return [name for name, value in vars(cls).items() if name.startswith("test") and value]


def test_id(cls: type, name: str) -> str:
    """How a test is named here: by its class and its own name."""
    return f"{cls.__name__}.{name}"


def _modules() -> Iterator[types.ModuleType]:
    """The one module of Python 3.11, or those of the package of later ones."""
    top = importlib.import_module(_PACKAGE)
    yield top
    for path in getattr(top, "__path__", ()):
        for file in sorted(Path(path).glob("*.py")):
            if file.stem != "__init__":
                yield importlib.import_module(f"{_PACKAGE}.{file.stem}")


# --------------------------------------------------------------------------- the executor


class PoolOnHost(SSHExecutor):
    """An SSHExecutor on one host that is constructed as a pool of concurrent.futures.

    Attributes:
        host: The host, to be set before one is constructed.
        options: More arguments of SSHExecutor.
    """

    host: ClassVar[Host]
    options: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: Context | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        try:
            super().__init__(
                self.host,
                workers_per_host=max_workers,
                initializer=initializer,
                initargs=initargs,
                **self.options,
            )
        except ValueError as error:  # in the words of whoever calls
            raise ValueError(str(error).replace("workers_per_host", "max_workers")) from None

    # What the tests look at in a pool of threads or processes: what has to be gone at the end.

    @property
    def _threads(self) -> list[threading.Thread]:
        return [self._engine._thread]  # it waits for the others, and is the last to end

    @property
    def _executor_manager_thread(self) -> threading.Thread:
        return self._engine._thread

    @property
    def _call_queue(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(join_thread=lambda: None)  # ours is fed by no thread


class PoolThatIsUp(PoolOnHost):
    """A PoolOnHost that is connected once it is constructed, as a pool of this machine is."""

    def __init__(self, max_workers: int | None = None) -> None:
        super().__init__(max_workers)
        self._max_workers  # noqa: B018  # known when the host is up


class PoolOfKnownProcesses(PoolOnHost):
    """A PoolOnHost whose workers tell their process ids, in `_processes`."""

    def __init__(self, max_workers: int | None = None, mp_context: Context | None = None) -> None:
        assert mp_context is not None
        assert max_workers is not None
        pids = mp_context.fifo()
        self._processes = Processes(pids, max_workers)
        super().__init__(max_workers, initializer=lambda: pids.write(os.getpid().to_bytes(_PID)))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> RemoteFuture[Any]:
        self._processes.wanted += 1
        return super().submit(fn, *args, **kwargs)


class Processes:
    """The workers that are there, as a pool has them; they are forked when calls need them.

    Attributes:
        wanted: How many calls were submitted.
    """

    def __init__(self, pids: Fifo, most: int) -> None:
        self._pids = pids
        self._most = most
        self._known: dict[int, Process] = {}
        self.wanted = 0

    def __len__(self) -> int:
        """Wait for one worker for each call, and return how many there are."""
        while len(self._known) < min(self.wanted, self._most):
            self._read_one()
        return len(self.values())

    def values(self) -> list[Process]:
        """Return those that have come up until now."""
        while self._pids.readable(0):
            self._read_one()
        assert self._known
        return list(self._known.values())

    def _read_one(self) -> None:
        pid = int.from_bytes(self._pids.read(_PID))
        self._known[pid] = Process(pid)


class Process:
    """A worker, as a multiprocessing.Process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def join(self) -> None:
        """Wait for its end."""
        left = processes.wait_gone([self._pid], PATIENCE)
        assert not left, f"the worker {processes.describe(self._pid)} is still there"


class Sleep:
    """A time.sleep that takes ten times as long, or until it is woken."""

    def __init__(self, woken: Event) -> None:
        self._woken = woken

    def __call__(self, seconds: float) -> None:
        self._woken.wait(10 * seconds)

    def wake(self) -> None:
        self._woken.set()


def sleep_and_raise(seconds: float) -> None:
    """As theirs, but to be had without an import."""
    time.sleep(seconds)
    raise Exception("this is an exception")


# ------------------------------------------------------- what both ends of a call can reach


class Context:
    """A multiprocessing context for workers that fork from an agent on this very machine.

    What it makes is shared with them by named pipes, until `close`.
    """

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="interstate-")
        self._opened: list[int] = []

    def get_start_method(self, allow_none: bool = False) -> str:
        """How workers come to be: forked from a server, when calls need them."""
        return "forkserver"

    def fifo(self) -> Fifo:
        """Make a named pipe that keeps what is written to it."""
        path = os.path.join(self._directory.name, str(len(self._opened)))
        os.mkfifo(path)
        self._opened.append(os.open(path, os.O_RDWR))  # it would forget when nobody had it open
        return Fifo(path)

    def close(self) -> None:
        """Remove what it made."""
        for descriptor in self._opened:
            os.close(descriptor)
        self._directory.cleanup()

    def Semaphore(self, value: int) -> Semaphore:  # noqa: N802  # a context's name for it
        assert value == 0
        return Semaphore(self.fifo())

    def Event(self) -> Event:  # noqa: N802  # likewise
        return Event(self.fifo())

    def List(self) -> List:  # noqa: N802  # likewise
        return List(self.fifo())

    def Manager(self) -> Manager:  # noqa: N802  # likewise
        return Manager(self)


class Fifo:
    """A named pipe of this machine; what is read from it is gone."""

    def __init__(self, path: str) -> None:
        self._path = path

    def write(self, data: bytes) -> None:
        with open(self._path, "r+b", buffering=0) as file:
            file.write(data)

    def read(self, size: int) -> bytes:
        """Wait for bytes, and return at most that many."""
        with open(self._path, "r+b", buffering=0) as file:
            assert _readable(file.fileno(), PATIENCE)
            return file.read(size)

    def readable(self, timeout: float) -> bool:
        """Wait until there is something to be read, for so many seconds."""
        with open(self._path, "r+b", buffering=0) as file:
            return _readable(file.fileno(), timeout)


class Semaphore:
    """A semaphore: one byte for each release."""

    def __init__(self, fifo: Fifo) -> None:
        self._fifo = fifo

    def acquire(self) -> None:
        self._fifo.read(1)

    def release(self) -> None:
        self._fifo.write(b"+")


class Event:
    """An event: set when there is a byte."""

    def __init__(self, fifo: Fifo) -> None:
        self._fifo = fifo

    def set(self) -> None:
        self._fifo.write(b"!")

    def wait(self, timeout: float = PATIENCE) -> bool:
        return self._fifo.readable(timeout)


class List:
    """A list that calls append texts to."""

    def __init__(self, fifo: Fifo) -> None:
        self._fifo = fifo

    def append(self, item: object) -> None:
        self._fifo.write(f"{item}\n".encode())

    def taken(self) -> list[str]:
        """Take out all that was appended."""
        return self._fifo.read(1 << 16).decode().splitlines() if self._fifo.readable(0.0) else []


class Manager:
    """A multiprocessing manager, of the kind that needs no process."""

    def __init__(self, context: Context) -> None:
        self.Event = context.Event

    def shutdown(self) -> None:
        """Nothing runs."""

    def join(self) -> None:
        """Nothing ran."""


def _readable(descriptor: int, timeout: float) -> bool:
    return bool(select.select([descriptor], [], [], timeout)[0])


# ------------------------------------------------------------- an interpreter of their own


def in_child(run: Callable[..., Any]) -> Callable[[str, str], Any]:
    """A script_helper.assert_python_ok that runs where PoolOnHost is in concurrent.futures.

    There it stands in for every pool, and shows what calls print, as a pool of this machine does.
    """

    def assert_python_ok(flag: str, code: str) -> Any:
        root = str(Path(__file__).parent.parent)
        setup = f"import sys; sys.path.append({root!r}); import {__name__} as s"
        return run(flag, f"{setup}; s.be_child(s.{PoolOnHost.host!r}, {str(folder())!r})\n{code}")

    return assert_python_ok


def be_child(host: Host, found: str) -> None:
    """In the child: put our pools where the tests import theirs from."""
    PoolOnHost.host = host
    PoolOnHost.options = {"output": "stream"}
    vars(futures).update(PoolOnHost=PoolOnHost, ThreadPoolExecutor=PoolThatIsUp)
    make_importable(found)


# -------------------------------------------------------------------------------- Futures


class Future(RemoteFuture[Any]):
    """A RemoteFuture of no call, with the name that the tests look for."""

    def __init__(self) -> None:
        super().__init__(0, _Nobody())


class _Nobody:
    """Stands in for the executor of such a Future."""

    def __init__(self) -> None:
        self.callbacks: Callbacks = _AtOnce()
        self.is_elsewhere = False
        self.output_limit: int | None = None

    def cancelled(self, call: int) -> None: ...

    def revoke(self, future: RemoteFuture[Any], *, wait: bool = True) -> None: ...

    def stop(self, future: RemoteFuture[Any]) -> None: ...

    def check_process(self) -> None: ...


class _AtOnce(Callbacks):
    """Runs callbacks where they come up."""

    def run(self, callback: Callable[[], object]) -> None:
        callback()

    def start(self) -> None:
        """Start no thread."""


def create_future(
    state: str = "PENDING", exception: BaseException | None = None, result: object = None
) -> Future:
    """What the tests have under this name, for our Future."""
    future = Future()
    vars(future).update(_state=state, _exception=exception, _result=result)
    return future


def future_names(original: types.ModuleType) -> dict[str, Any]:
    """The globals of the tests of Futures that have to be of our kind."""
    states = {
        name: create_future(value._state, value._exception, value._result)
        for name, value in vars(original).items()
        if isinstance(value, futures.Future)
    }
    return {"Future": Future, "create_future": create_future, **states}


def module_of(cls: type) -> types.ModuleType:
    return sys.modules[cls.__module__]


def patch(case: unittest.TestCase, target: Any, **names: Any) -> None:
    """Replace attributes for as long as a test case runs."""
    patcher = unittest.mock.patch.multiple(target, **names)
    patcher.start()
    case.addCleanup(patcher.stop)
