"""SSHExecutor: a concurrent.futures.Executor whose workers are on other computers."""

from __future__ import annotations

import collections
import itertools
import pickle
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar

from . import ending, limits
from . import engine as engines
from .blobs import Blob, blobs
from .callbacks import Callbacks
from .errors import BrokenSSHExecutor, InterstateError
from .future import RemoteFuture
from .hosts import Host, expand
from .output import Lines, Output, Told
from .remote import payload
from .remote.chunked import Chunked
from .ssh import SSH, USER_CONFIG, ConfigSource

P = ParamSpec("P")
T = TypeVar("T")
Dump = Callable[  # a call as bytes, and what is large in it
    [Callable[..., Any], tuple[Any, ...], dict[str, Any]], tuple[bytes, Sequence[Blob]]
]


class SSHExecutor(Executor):
    """Runs calls on other computers over SSH.

    Connecting begins at once, in the background; calls run on the hosts that are up.  Nothing needs
    to be installed over there but Python.

    Args:
        hosts: Where to run: URLs (`ssh://user@host:port`), `user@host`, ssh_config aliases, ranges
            (`ssh://node-[000-998].cluster`) or Hosts.  A host named twice is connected to twice.
        via: The jump host that all hosts are reached through, or several, in order.
        workers_per_host: How many calls run on a host at the same time; default: as many as there
            are CPUs that the host lets us use.
        python: The path of the Python to use over there; default: the one that is called as this
            one is, `python3.X`, else `python3`, else `python`.
        initializer: Called in each worker before its first call.
        initargs: The arguments of `initializer`.
        output: What calls print is on their Futures ("capture"), also shown here ("stream"), or
            also given to a callable as (Host, "stdout" or "stderr", text); it may submit calls and
            wait for them.
        ssh_config: The file that says how hosts are reached, as `ssh -F`; default: the user's and
            the system's; None: none.
        password: Called with (Host, prompt) for a key's passphrase or a password, in place of
            asking on the terminal; returns it.
        connect_timeout: How long it may take until a host is ready, seconds.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A host or the ssh_config is malformed, there is no host, or a number is out
            of range.
        OSError: The ssh_config cannot be read; or so many hosts take more open files than this
            process may have.
        pickle.PicklingError: The initializer cannot be pickled.
    """

    def __init__(
        self,
        hosts: str | Host | Iterable[str | Host],
        via: str | Host | Iterable[str | Host] | None = None,
        *,
        workers_per_host: int | None = None,
        python: str | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        output: Literal["capture", "stream"] | Callable[[Host, str, str], object] = "capture",
        ssh_config: ConfigSource = USER_CONFIG,
        password: Callable[[Host, str], str] | None = None,
        connect_timeout: float = 30.0,
    ) -> None:
        self._hosts = expand(hosts)
        _check_positive("workers_per_host", workers_per_host, int)
        _check_positive("connect_timeout", connect_timeout, int | float)
        _check_callable("initializer", initializer)
        _check_callable("password", password)
        callbacks = Callbacks()
        ssh = SSH([] if via is None else expand(via), ssh_config=ssh_config, password=password)
        limits.make_room(ssh.files(self._hosts, engines.OPENING))
        self._lock = threading.Lock()  # guards _shut, and that nothing is submitted after it
        self._shut = False
        self._engine = engines.Engine(
            self._hosts,
            engines.Settings(
                workers_per_host=workers_per_host,
                python=python,
                initializer=initializer and payload.dump_call(initializer, initargs, {}),
                connect_timeout=connect_timeout,
                open_stream=ssh.open,
                way=ssh.way,
                close=ssh.close,
                output=_output(output, len(self._hosts), callbacks.run),
                callbacks=callbacks,
            ),
        )
        weakref.finalize(self, self._engine.close).atexit = False

    def __repr__(self) -> str:
        hosts = str(self._hosts[0]) if len(self._hosts) == 1 else f"{len(self._hosts)} hosts"
        return f"<SSHExecutor on {hosts}{': shut down' if self._shut else ''}>"

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> RemoteFuture[T]:
        """Run `fn(*args, **kwargs)` on a host.

        What goes wrong with the call is told by its Future, and not here: a PicklingError that says
        which object cannot be pickled, or a HostError or BrokenSSHExecutor when no host is left.

        Args:
            fn: Any callable: a function of a script or a notebook, a lambda, a closure.

        Returns:
            The call's Future.

        Raises:
            TypeError: `fn` is not callable.
            RuntimeError: The executor has been shut down, or the interpreter is.
            BrokenSSHExecutor: The initializer has failed.
        """
        check_function(fn)
        return self._submit(None, fn, args, kwargs)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Run `fn` for each item, as the built-in `map`; return its results in the items' order.

        Args:
            fn: Called with one item of each iterable.
            iterables: Consumed at once, unless `buffersize` is given.
            timeout: How long the iterator may wait for its next result, counted from now, seconds.
            chunksize: How many items travel and run as one call.
            buffersize: How many calls may be submitted whose results were not yet taken; the
                iterables are consumed as results are.

        Returns:
            An iterator over the results.  It raises what a call raised where its result would be,
            and TimeoutError when a result is not there in time.

        Raises:
            ValueError: `chunksize` or `buffersize` is less than 1.
            TypeError: `fn` is not callable, or `buffersize` is no integer.
        """
        check_function(fn)
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None and not isinstance(buffersize, int):
            raise TypeError("buffersize must be an integer or None")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        deadline = None if timeout is None else time.monotonic() + timeout
        called: Callable[..., Any] = fn
        items: Iterator[tuple[Any, ...]] = zip(*iterables, strict=False)
        if chunksize > 1:
            called, chunks = Chunked(fn), _cut(items, chunksize)
            items = ((chunk,) for chunk in chunks)
        dump = _dumper(called)
        submitted: Iterator[Future[Any]] = (
            self._submit(None, called, item, {}, dump) for item in items
        )
        ahead = collections.deque(itertools.islice(submitted, buffersize))
        results = _results(ahead, submitted, deadline)
        return results if chunksize == 1 else _items(results)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; the hosts are left when those that were submitted have ended.

        Args:
            wait: Return only then.
            cancel_futures: Cancel the calls that have not started, those too that wait on a host.
        """
        with self._lock:
            self._shut = True
            self._engine.close(cancel=cancel_futures)
        if wait:
            self._engine.join()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Shut down and wait; after a Ctrl-C, without waiting for what runs."""
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._abort()
        self.shutdown()

    @property
    def _max_workers(self) -> int:
        """How many workers there are; asked for by libraries that cut work to fit."""
        return max(1, self._engine.count_workers())

    @property
    def _broken(self) -> InterstateError | Literal[False]:
        """Why no call can run any more, as the pools of the standard library have it."""
        return self._engine.broken or self._engine.lost or False

    def _submit(
        self,
        host: int | None,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        dump: Dump | None = None,
    ) -> RemoteFuture[T]:
        """Submit to any host, or to the one of that index."""
        future = self._engine.new_future()
        content: bytes | None = None
        try:
            content, large = (dump or _dumped)(fn, args, kwargs)
        except pickle.PicklingError as error:
            future.set_running_or_notify_cancel()
            future.set_exception(error)
        name = getattr(fn, "__qualname__", None) or type(fn).__qualname__
        with self._lock:
            self._check_open()
            if content is not None:
                self._engine.submit(future, content, large, name, host)
        return future

    def _abort(self) -> None:
        """End at once, and with it what runs over there."""
        with self._lock:
            self._shut = True
            self._engine.abort(BrokenSSHExecutor("the executor was ended while calls were running"))

    def _check_open(self) -> None:
        if self._shut:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if ending.begun.is_set():
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        error = self._engine.broken
        if error is not None:
            raise BrokenSSHExecutor(f"no call can run any more: {error}") from error


def _dumped(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[bytes, Sequence[Blob]]:
    """A call as bytes, and what is large in it."""
    small = None if kwargs else payload.dump_small_call(fn, args)
    if small is not None:
        return small, ()
    large = _Large()
    return payload.dump_call(fn, args, kwargs, large.store), large


def _dumper(fn: Callable[..., Any]) -> Dump:
    """What dumps the calls of one function, which is dumped but once."""
    large = _Large()
    try:
        function = payload.dump_function(fn, large.store)
    except pickle.PicklingError:
        return _dumped  # which says so for each call

    def dump(
        fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[bytes, Sequence[Blob]]:
        small = function.small_call(args)
        if small is not None:
            return small, large
        more = _Large(large)
        return payload.dump_arguments(function, fn, args, kwargs, more.store), more

    return dump


class _Large(list[Blob]):
    """What is large in a call."""

    def store(self, part: memoryview) -> int:
        self.append(blobs.take(part))
        return self[-1].number


def check_function(fn: Any) -> None:
    """Raise a TypeError that quotes what was given to be run, if that cannot be called."""
    if not callable(fn):
        raise TypeError(f"fn must be callable, not {type(fn).__name__}: {fn!r}")


def _cut(items: Iterator[T], size: int) -> Iterator[list[T]]:
    return iter(lambda: list(itertools.islice(items, size)), [])


def _results(
    futures: collections.deque[Future[Any]],
    more: Iterator[Future[Any]],
    deadline: float | None,
) -> Iterator[Any]:
    """Yield results in order, keeping no reference to them; at the end cancel what is left."""
    try:
        while futures:
            yield _take_result(futures, deadline)
            futures.extend(itertools.islice(more, 1))
    finally:
        for future in futures:
            future.cancel()


def _items(lists: Iterator[list[Any]]) -> Iterator[Any]:
    """Yield what is in lists, keeping no reference to it; can be closed, as `_results` can."""
    for items in lists:
        items.reverse()
        while items:
            yield items.pop()


def _take_result(futures: collections.deque[Future[Any]], deadline: float | None) -> Any:
    future = futures.popleft()
    try:
        return future.result(None if deadline is None else deadline - time.monotonic())
    finally:
        future.cancel()  # it was not in time
        del future


def _output(output: Any, hosts: int, run: Callable[[Callable[[], object]], None]) -> Output:
    if isinstance(output, Output):
        return output
    if output == "capture":
        return Output()
    if output == "stream":
        return Lines(labelled=hosts > 1)
    if callable(output):
        return Told(output, run)
    raise ValueError(f'output must be "capture", "stream" or a callable, not {output!r}')


def _check_positive(name: str, value: Any, kind: Any) -> None:
    if value is None:
        return
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}: {value!r}")
    if not value > 0:
        raise ValueError(f"{name} must be greater than 0, not {value!r}")


def _check_callable(name: str, value: Any) -> None:
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable, not of type {type(value).__name__}")
