"""The search for the object that cannot be pickled, and for the path that leads to it.

An object is walked through as pickle would, part by part and each part once; the path is a list, so
that nothing is too deep for it.  What is wide is pickled first, which is quicker, and walked
through only where that fails.  A search that takes too long ends with what it knows by then.
"""

from __future__ import annotations

import time
from itertools import chain, islice

from . import pickling, wire
from .anatomy import ATOMS, WITHIN, parts
from .lean import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from .anatomy import Parts, Step

    Path = list[tuple[Step, Any]]

SECONDS = 5.0
DEEPEST = 20_000  # steps
_NARROW = 256  # parts: fewer are walked through as they are


class Found:
    """Where a search has ended.

    Attributes:
        name: Of the one of the objects in which it is.
        path: The steps to it from there, and where each leads; the last is the object.
        error: What pickling it raises; None: it is this object or something in it.
    """

    __slots__ = ("error", "name", "path")

    def __init__(self, name: str, path: Path, error: Exception | None) -> None:
        self.name = name
        self.path = path
        self.error = error


def find(
    among: Iterable[tuple[str, Any]], seconds: float = SECONDS, deepest: int = DEEPEST
) -> Found | None:
    """Return which object cannot be pickled; None if there are none, or it takes too long.

    Args:
        among: What to look into, each with its name: one of these cannot be pickled.
        seconds: How long it may take.
        deepest: How many steps the path may have: what unfolds for ever ends there.
    """
    search = _Search(seconds, deepest)
    try:
        if not search.choose(list(among)):
            return None
        return search.walk()
    except _GaveUp:
        return search.so_far()


class _GaveUp(Exception):  # noqa: N818  # it is no error: it ends a search
    """It takes too long, or leads too deep."""


class _Nowhere:
    """A file that keeps nothing, and ends a pickling that takes too long."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def write(self, data: Any) -> int:
        if time.monotonic() > self._deadline:
            raise _GaveUp
        return len(data)


class _Frame:
    """An object that is being walked through."""

    __slots__ = ("parts", "step", "value")

    def __init__(self, step: Step, value: Any) -> None:
        self.step = step
        self.value = value
        self.parts: Parts | None = None  # those that were not looked at yet


class _Trial:
    """Parts that are pickled one by one, so that it shows which of them cannot be.

    Attributes:
        last: The last two that pickle has taken: it is one of these.
        error: What getting the next of them has raised.
    """

    def __init__(self, found: Parts) -> None:
        self.last: deque[tuple[Step, Any]] = deque(maxlen=2)
        self.error: Exception | None = None
        self._found = found

    def __reduce__(self) -> Any:
        return list, (), None, self._taken()

    def _taken(self) -> Iterator[Any]:
        try:
            for pair in self._found:
                self.last.append(pair)
                yield pair[1]
        except Exception as error:
            self.error = error
            raise


class _Search:
    """One search."""

    def __init__(self, seconds: float, deepest: int) -> None:
        self._deepest = deepest
        self._name = ""
        self._known: Path = []  # the longest path so far to what cannot be pickled for sure
        self._deadline = time.monotonic() + seconds
        self._tries_end = self._deadline - seconds * 0.8
        self._reducer = self._pickler()
        self._seen: dict[int, Any] = {}  # by id; kept, so that no other object has their ids
        self._stack: list[_Frame] = []
        self._tries = True  # whether it is worth while to pickle what is wide

    def choose(self, among: list[tuple[str, Any]]) -> bool:
        """Find the first that cannot be pickled, or else the last; return whether there is one."""
        for number, (name, value) in enumerate(among, 1):
            if number == len(among) or self._error_of(value) is not None:
                self._name, self._known = name, [(WITHIN, value)]
                return True
        return False

    def so_far(self) -> Found | None:
        return Found(self._name, self._known, None) if self._known else None

    def walk(self) -> Found | None:
        """Look into the chosen one."""
        self._enter(*self._known[0])
        while self._stack:
            frame = self._stack[-1]
            try:
                if not self._enter_next(frame):
                    self._stack.pop()
            except _GaveUp:
                raise
            except Exception:  # it cannot be taken apart, and so, most likely, not be pickled
                error = self._error_of(frame.value)
                if error is not None:
                    return Found(self._name, self._path(), error)
                self._stack.pop()
        return self.so_far()

    def _enter_next(self, frame: _Frame) -> bool:
        """Go on to the next part of an object; return whether there is one."""
        if frame.parts is None:
            frame.parts = self._parts(frame.value)
        for step, part in frame.parts:
            if type(part) not in ATOMS and id(part) not in self._seen:
                self._enter(step, part)
                return True
        return False

    def _enter(self, step: Step, value: Any) -> None:
        if len(self._stack) == self._deepest:
            self._known = self._path()
            raise _GaveUp
        if time.monotonic() > self._deadline:
            raise _GaveUp
        self._seen[id(value)] = value
        self._stack.append(_Frame(step, value))

    def _parts(self, value: Any) -> Parts:
        """Those parts that are worth a look."""
        found = parts(value, self._reducer)
        if found is None:
            error = self._error_of(value)
            if error is not None:
                raise error
            return iter(())
        first = list(islice(found, _NARROW))
        all_of_them = chain(first, found)
        doubtful = self._tries and len(first) == _NARROW
        return self._doubtful(all_of_them) if doubtful else all_of_them

    def _doubtful(self, found: Parts) -> Parts:
        """Leave out what can be pickled: it is tried with many parts at once."""
        trial = _Trial(found)
        if self._error_of(trial) is None:
            return
        self._known = max(self._known, self._path(), key=len)
        self._tries = time.monotonic() < self._tries_end
        yield from trial.last
        if trial.error is not None:
            raise trial.error
        self._tries = False  # it hangs on what was seen before, as much else may
        yield from found

    def _error_of(self, value: Any) -> Exception | None:
        """What pickling it raises."""
        try:
            self._pickler().dump(value)
        except _GaveUp:
            raise
        except Exception as error:
            return error
        return None

    def _pickler(self) -> Any:
        pickler = pickling.pickler()(
            _Nowhere(self._deadline), protocol=wire.PICKLE, buffer_callback=lambda _: None
        )
        pickler.takes_files = True
        return pickler

    def _path(self) -> Path:
        return [(frame.step, frame.value) for frame in self._stack]
