"""Executors that share the hosts of another one, and have call options of their own."""

from __future__ import annotations

import threading
import weakref
from concurrent.futures import wait as wait_for
from typing import Any

from .calls import Call
from .future import RemoteFuture
from .submitting import CallOptions, Submitting


class View(Submitting):
    """What `SSHExecutor.with_options` returns: an Executor on the same hosts and connections."""

    def __init__(self, executor: Submitting, options: CallOptions) -> None:
        self._executor = executor
        self._options = options
        self._lock = threading.Lock()  # guards the next two
        self._shut = False
        self._futures: weakref.WeakSet[RemoteFuture[Any]] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"<{self._options} on {self._executor!r}{': shut down' if self._shut else ''}>"

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retries: int | None = None,
        name: str | None = None,
        context: bool | None = None,
    ) -> View:
        """Return another one; what is not said is as here."""
        return View(self._executor, options_from(self._options, timeout, retries, name, context))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls here; the executor that this is a view of goes on.

        Args:
            wait: Return only when the calls that were submitted here have ended.
            cancel_futures: Cancel those that have not started.
        """
        with self._lock:
            self._shut = True
            futures = list(self._futures)
        for future in futures if cancel_futures else ():
            future.give_up()
        if wait:
            wait_for(futures)

    @property
    def _max_workers(self) -> Any:
        return getattr(self._executor, "_max_workers")  # noqa: B009  # others ask for it likewise

    @property
    def _broken(self) -> Any:
        return getattr(self._executor, "_broken")  # noqa: B009

    def _new_future(self) -> RemoteFuture[Any]:
        return self._executor._new_future()

    def _post(self, call: Call | None, host: int | None, retries: int) -> None:
        with self._lock:
            if self._shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if call is not None:
                self._futures.add(call.future)
        self._executor._post(call, host, retries)


def options_from(
    others: CallOptions,
    timeout: float | None,
    retries: int | None = None,
    name: str | None = None,
    context: bool | None = None,
) -> CallOptions:
    """Return options that are as others are where nothing is said.

    Raises:
        TypeError: One is of the wrong type.
        ValueError: One is out of range.
    """
    check_number("timeout", timeout)
    check_number("retries", retries, int, or_zero=True)
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}: {name!r}")
    return CallOptions(
        others.timeout if timeout is None else timeout,
        others.retries if retries is None else retries,
        others.name if name is None else name,
        others.context if context is None else bool(context),
    )


def check_number(name: str, value: Any, kind: Any = int | float, *, or_zero: bool = False) -> None:
    """Raise an error that names the argument, if it is neither None nor a number above 0.

    Args:
        kind: What it may be.
        or_zero: Whether it may also be 0.
    """
    if value is None:
        return
    if not isinstance(value, kind) or isinstance(value, bool):
        what = "an integer" if kind is int else "a number"
        raise TypeError(f"{name} must be {what}, not {type(value).__name__}: {value!r}")
    if not (value > 0 or (or_zero and value == 0)):
        least = "at least 0" if or_zero else "greater than 0"
        raise ValueError(f"{name} must be {least}, not {value!r}")
