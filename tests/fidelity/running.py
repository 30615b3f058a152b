"""Runs the shapes of a situation, and judges what comes back."""

from __future__ import annotations

import concurrent.futures
import sys
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

from .compare import LOST, NOT_SENT, Judged, judge
from .describe import Description, catch_all, describe
from .runners import LIMIT, Future, Runner
from .shapes import LEFT_OUT, SKIPS
from .situations import SITUATIONS, Place

_PATIENCE = 60.0  # seconds, for what is no call of a shape
_MARGIN = 4.0  # seconds, for an end at the limit to get here
_PEERS_LIMIT = 5.0  # seconds that a peer's call may take; what has not ended then did not in 30
_LOST = ("CallTimeout", "KilledWorker", "FutureCancelledError")


class Run:
    """The shapes of a situation, or some of them, with somebody who calls them.

    Those who are strict have all calls under way at the same time.
    """

    def __init__(
        self, runner: Runner, place: Place, situation: str, only: Collection[str] = ()
    ) -> None:
        fns, self._classes = place.load(situation, by_value=runner.by_value)
        if situation == "changed":
            runner.submit(abs, 1)  # by then at the latest, what was imported is known
            place.change()
        self._fns = {name: fn for name, fn in fns.items() if name in only or not only}
        self._runner = runner
        self._situation = SITUATIONS[situation]
        self._can = runner.can_send(next(iter(self._fns.values())))
        if self._can:
            self._raised = self._describe()
            names = self._fns if runner.strict else ()
            self._begun = {name: runner.submit(self._fns[name]) for name in names}

    def results(self) -> Iterator[tuple[str, Judged]]:
        """Say of each shape what comes back."""
        if not self._can:
            yield from ((name, Judged(NOT_SENT, [])) for name in self._fns)
            return
        raised = self._raised.result(_PATIENCE)
        for name, fn in self._fns.items():
            future = self._begun.get(name) or self._runner.submit(fn)
            yield name, self._judge(name, raised[name], future)

    def _describe(self) -> Future:
        """Have what is raised described where its source is."""
        if not self._situation.here:
            return self._runner.submit(catch_all, self._fns, SKIPS)
        described: concurrent.futures.Future[Any] = concurrent.futures.Future()
        described.set_result(catch_all(self._fns, SKIPS))
        return described

    def _judge(self, name: str, raised: Description, future: Future) -> Judged:
        error = _error_of(future, LIMIT + _MARGIN if self._runner.strict else _PEERS_LIMIT)
        if isinstance(error, str):
            return Judged(LOST, [error])
        return judge(
            raised,
            describe(error, skips=SKIPS.get(name, ()), resolve=_resolving(self._classes)),
            left_out=LEFT_OUT.get(name, ()),
            foreign=self._situation.foreign,
            strict=self._runner.strict,
        )


def _error_of(future: Future, limit: float) -> BaseException | str:
    """What a call raises here; or what else becomes of it."""
    end = time.monotonic() + limit
    try:
        value = future.result(limit)
    except BaseException as error:
        if isinstance(error, TimeoutError) and time.monotonic() >= end:
            return "it has not ended"
        if isinstance(error, concurrent.futures.BrokenExecutor) or type(error).__name__ in _LOST:
            return f"{type(error).__name__}: {error}"
        return error
    return f"it returned {value!r}"


def _resolving(classes: dict[str, type]) -> Callable[[str], Any]:
    """A function that returns the class of a name that is here; None if there is none."""

    def resolve(name: str) -> Any:
        if name in classes:
            return classes[name]
        module, _, rest = name.partition(".")
        while module not in sys.modules or not hasattr(sys.modules[module], rest.split(".")[0]):
            part, _, rest = rest.partition(".")
            if not rest:
                return None
            module = f"{module}.{part}"
        found: Any = sys.modules[module]
        for part in rest.split("."):
            found = getattr(found, part, None)
        return found

    return resolve
