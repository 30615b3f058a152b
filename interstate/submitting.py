"""From a function and its arguments to a call: what an executor and its views have in common."""

from __future__ import annotations

import collections
import itertools
import pickle
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from types import FrameType
from typing import Any, NamedTuple, ParamSpec, TypeVar

from .asimported import as_imported
from .blobs import Blob
from .calls import Call
from .fileblobs import take
from .future import RemoteFuture
from .remote import payload
from .remote.chunked import Chunked
from .remote.context import with_context
from .remote.errors import Unreadable
from .remote.files import File
from .tracebacks import Site

P = ParamSpec("P")
T = TypeVar("T")
Dump = Callable[  # a call as bytes, and what is large in it
    [Callable[..., Any], tuple[Any, ...], dict[str, Any]], tuple[bytes, Sequence[Blob]]
]


class CallOptions(NamedTuple):
    """What holds for each call that is submitted.

    Attributes:
        timeout: How long it may run, seconds; None: for as long as it takes.
        retries: How often it may be tried again when its host or worker is lost.
        name: What it is called in messages; None: as its function is.
        context: Whether context variables travel with it.
    """

    timeout: float | None = None
    retries: int = 0
    name: str | None = None
    context: bool = False


class Submitting(Executor):
    """`submit` and `map`, as an SSHExecutor and its views have them."""

    _options = CallOptions()
    _last_site: Site | None = None

    @abstractmethod
    def _new_future(self) -> RemoteFuture[Any]:
        """The Future of a call to be posted."""

    @abstractmethod
    def _post(self, call: Call | None, host: int | None, retries: int) -> None:
        """Have a call run; None: it could not be pickled.  Raises if no call is taken any more."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> RemoteFuture[T]:
        """Run `fn(*args, **kwargs)` on a host.

        What goes wrong with the call is told by its Future, and not here: a PicklingError that says
        which object cannot be pickled, an OSError where a File cannot be read, or a HostError or
        BrokenSSHExecutor when no host is left.

        Args:
            fn: Any callable: a function of a script or a notebook, a lambda, a closure.

        Returns:
            The call's Future.

        Raises:
            TypeError: `fn` is not callable.
            RuntimeError: The executor has been shut down, or the interpreter is, or this is a
                forked child of the process that has the executor.
            BrokenSSHExecutor: The initializer has failed.
        """
        check_function(fn)
        return self._submit(None, fn, args, kwargs, self._site(sys._getframe(1)))

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
        dump, site = _dumper(called), self._site(sys._getframe(1))
        submitted: Iterator[RemoteFuture[Any]] = (
            self._submit(None, called, item, {}, site, dump) for item in items
        )
        ahead = collections.deque(itertools.islice(submitted, buffersize))
        results = _results(ahead, submitted, deadline)
        return results if chunksize == 1 else _items(results)

    def _submit(
        self,
        host: int | None,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        site: Site,
        dump: Dump | None = None,
        options: CallOptions | None = None,
    ) -> RemoteFuture[T]:
        """Submit to any host, or to the one of that index."""
        future = self._new_future()
        future.site = site
        call, options = None, options or self._options
        name = options.name or getattr(fn, "__qualname__", None) or type(fn).__qualname__
        try:
            if options.context:
                fn, dump = with_context(fn), None
            if len(sys.modules) != as_imported.count:
                as_imported.look()
            content, blobs = (dump or _dumped)(fn, args, kwargs)
            named = options.name is not None
            call = Call(future, content, blobs, name, options.timeout, named)
        except (pickle.PicklingError, Unreadable) as obstacle:
            future.set_running_or_notify_cancel()
            error = obstacle.error if isinstance(obstacle, Unreadable) else obstacle
            future.set_exception(error)
        self._post(call, host, options.retries)
        return future

    def _site(self, frame: FrameType) -> Site:
        """Where a frame is; calls that are submitted in a loop share one Site."""
        last = self._last_site
        if last is None or last[0] is not frame.f_code or last[1] != frame.f_lasti:
            last = self._last_site = Site(frame.f_code, frame.f_lasti)
        return last


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
    except (pickle.PicklingError, Unreadable):
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

    def store(self, part: memoryview | File | Blob) -> int:
        self.append(take(part))
        return self[-1].number


def check_function(fn: Any) -> None:
    """Raise a TypeError that quotes what was given to be run, if that cannot be called."""
    if not callable(fn):
        raise TypeError(f"fn must be callable, not {type(fn).__name__}: {fn!r}")


def _cut(items: Iterator[T], size: int) -> Iterator[list[T]]:
    return iter(lambda: list(itertools.islice(items, size)), [])


def _results(
    futures: collections.deque[RemoteFuture[Any]],
    more: Iterator[RemoteFuture[Any]],
    deadline: float | None,
) -> Iterator[Any]:
    """Yield results in order, keeping no reference to them; at the end cancel what is left."""
    try:
        while futures:
            yield _take_result(futures, deadline)
            futures.extend(itertools.islice(more, 1))
    finally:
        for future in futures:
            future.give_up()


def _items(lists: Iterator[list[Any]]) -> Iterator[Any]:
    """Yield what is in lists, keeping no reference to it; can be closed, as `_results` can."""
    for items in lists:
        items.reverse()
        while items:
            yield items.pop()


def _take_result(futures: collections.deque[RemoteFuture[Any]], deadline: float | None) -> Any:
    future = futures.popleft()
    try:
        return future.result(None if deadline is None else deadline - time.monotonic())
    finally:
        future.give_up()  # it was not in time
        del future
