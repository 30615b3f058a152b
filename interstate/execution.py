"""execute(): run a function once on each of some hosts."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import wait
from textwrap import indent
from typing import Any

from . import summary
from .errors import BrokenSSHExecutor, ExecuteError, HostError, RemoteError
from .executor import SSHExecutor
from .future import RemoteFuture
from .hosts import Host, expand
from .output import Lines, Plain
from .remote.environ import Environ
from .submitting import check_function
from .tracebacks import Site, as_it_came
from .view import options_from


def execute(
    fn: Callable[..., Any],
    host: str | Host | None = None,
    hosts: str | Host | Iterable[str | Host] | None = None,
    via: str | Host | Iterable[str | Host] | None = None,
    *,
    timeout: float | None = None,
    return_exceptions: bool = False,
    **executor_options: Any,
) -> Any:
    """Run a function once on each host, all at once, and show here what it prints there.

    Args:
        fn: A function of the environ (see `Environ`: which slice of the work is its own), or of
            nothing.
        host: The one host to run on; give this or `hosts`.
        hosts: The hosts to run on: URLs, aliases, ranges or Hosts; the slices are in their order.
        via: The jump host that they are reached through, or several, in order.
        timeout: How long `fn` may run on each host, seconds; then it is stopped there, and raises
            CallTimeout.
        return_exceptions: Return a failed host's exception in place of its result.
        executor_options: What SSHExecutor takes besides.  Unless said otherwise, there is one
            worker a host, and output is shown here as it comes: plain from one host; from several
            in whole lines, each labelled with its host.

    Returns:
        What `fn` returned; with `hosts`, a list of that, in the order of the hosts.

    Raises:
        TypeError: Both or neither of `host` and `hosts` are given, or `fn` is not a function of
            nothing or one argument.
        ValueError: A host is malformed, or there is none.
        ExecuteError: Some of `hosts` failed; of one host, its own exception is raised.
        BrokenSSHExecutor: Nothing ran anywhere, since fewer hosts than `min_hosts` could be up, or
            the initializer failed on each.
    """
    if (host is None) == (hosts is None):
        raise TypeError(f"give either host or hosts; got host={host!r} and hosts={hosts!r}")
    takes_environ = _takes_environ(fn)
    places = expand(host if host is not None else hosts)  # type: ignore[arg-type]
    if host is not None and len(places) != 1:
        raise ValueError(f"host={host!r} names {len(places)} hosts; give them as hosts=")
    executor_options.setdefault("output", Plain() if len(places) == 1 else Lines(labelled=True))
    with SSHExecutor(places, via, **{"workers_per_host": 1, **executor_options}) as executor:
        site = executor._site(sys._getframe(1))
        futures = _run_on_each(executor, fn, takes_environ, places, timeout, site)
    if len(futures) == 1 and not return_exceptions:
        result = futures[0].result()  # raises its own exception, with its traceback
        return result if host is not None else [result]
    results = [
        future.result() if (error := future.exception()) is None else error for future in futures
    ]
    if not return_exceptions:
        _raise_failures(places, futures, results)
    return results[0] if host is not None else results


def _run_on_each(
    executor: SSHExecutor,
    fn: Callable[..., Any],
    takes_environ: bool,
    places: list[Host],
    timeout: float | None,
    site: Site,
) -> list[RemoteFuture[Any]]:
    """The Futures, all done, of `fn` on each place."""
    options = options_from(executor._options, timeout)
    try:
        futures: list[RemoteFuture[Any]] = []
        for index, place in enumerate(places):
            environ = Environ(index, len(places), str(place))
            args = (environ,) if takes_environ else ()
            futures.append(executor._submit(index, fn, args, {}, site, options=options))
        wait(futures)
    except BaseException:  # Ctrl-C: do not wait for what runs over there
        executor._abort()
        raise
    return futures


def _raise_failures(
    places: list[Host], futures: list[RemoteFuture[Any]], results: list[Any]
) -> None:
    failures = []
    for place, future in zip(places, futures, strict=True):
        error = future.exception()
        if error is not None:
            as_it_came(error, error.__traceback__, future.site, sys._getframe())
            if not isinstance(error, HostError | BrokenSSHExecutor):  # they say where
                error.add_note(f"This was raised on {place}.")
            failures.append(error if isinstance(error, Exception) else _as_exception(error))
    broken = [error for error in failures if isinstance(error, BrokenSSHExecutor)]
    if broken and len(failures) == len(places):
        raise broken[0]
    if failures:
        message = f"{len(failures)} of {len(places)} hosts failed{_in_short(failures)}"
        raise ExecuteError(message, failures, results)


def _in_short(failures: list[Exception]) -> str:
    """What is to be said of several hosts that could not be used, before all that is."""
    unusable = [error for error in failures if isinstance(error, HostError)]
    if len(unusable) < 2:
        return ""
    return f":\n{indent(summary.failures(unusable), '  ')}\n "


def _as_exception(error: BaseException) -> Exception:
    """A group of Exceptions takes no other."""
    wrapped = RemoteError(f"it raised {error!r}", type(error).__qualname__)
    wrapped.__cause__ = error
    return wrapped


def _takes_environ(fn: Callable[..., Any]) -> bool:
    """Whether to give `fn` the environ: it needs an argument, or has one of that name."""
    check_function(fn)
    try:
        signature = inspect.signature(fn)
    except ValueError:  # a function of C code that does not say
        return False
    if _accepts(signature):
        return "environ" in signature.parameters
    if _accepts(signature, None):
        return True
    raise TypeError(f"fn must be a function of nothing or of the environ; {fn!r} takes {signature}")


def _accepts(signature: inspect.Signature, *args: Any) -> bool:
    try:
        signature.bind(*args)
    except TypeError:
        return False
    return True
