"""Our pickles: cloudpickle's, but for what has more to it than cloudpickle takes along."""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager

from . import wire
from .lean import pickle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any


def pickler() -> Any:
    """Return the class of our picklers; cloudpickle is imported when it is first needed."""
    from .reducing import Pickler

    return Pickler


def dumps(value: Any, files: bool = False, **options: Any) -> bytes:
    """Return the pickle of anything that cloudpickle takes.

    Args:
        files: Whether it may have Files in it: the buffers that stand for them are sent.
    """
    file = io.BytesIO()
    made = pickler()(file, protocol=wire.PICKLE, **options)
    made.takes_files = files
    made.dump(value)
    return file.getvalue()


def goes_by_reference(fn: Any) -> bool:
    """Whether cloudpickle would send just the name of `fn`: for sure, not maybe."""
    module = getattr(fn, "__module__", None)
    if module is None or module == "__main__":
        return False
    cloudpickle = sys.modules.get("cloudpickle")
    for by_value in cloudpickle.list_registry_pickle_by_value() if cloudpickle else ():
        if f"{module}.".startswith(f"{by_value}."):
            return False
    name = getattr(fn, "__qualname__", "")
    return getattr(sys.modules.get(module), name, None) is fn


@contextmanager
def by_value(modules: Iterable[str]) -> Iterator[None]:
    """Within its with-block, pickles need none of some modules."""
    import cloudpickle  # type: ignore[import-untyped]

    new = set(modules) - cloudpickle.list_registry_pickle_by_value()
    for name in new:
        cloudpickle.register_pickle_by_value(sys.modules[name])
    try:
        yield
    finally:
        for name in new:
            cloudpickle.unregister_pickle_by_value(sys.modules[name])


class Unpickler(pickle.Unpickler):
    """Unpickles what refers to things by number.

    Args:
        content: The pickle.
        resolve: Returns what has a number.
        absent: Called with the name of what is not to be had here, and why; returns what to take in
            its place.  None: that is an error.
    """

    def __init__(
        self,
        content: bytes,
        resolve: Callable[[int], Any],
        absent: Callable[[str, Exception], Any] | None = None,
    ) -> None:
        super().__init__(io.BytesIO(content))
        self._resolve = resolve
        self._absent = absent

    def persistent_load(self, number: int) -> Any:
        return self._resolve(number)

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError) as obstacle:
            if self._absent is None:
                raise
            return self._absent(f"{module}.{name}", obstacle)


def tracker_of(kind: type) -> str | None:
    """What both ends know a type by that was pickled by value; None if it was not."""
    from cloudpickle import cloudpickle

    known = cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS
    return known.get(kind)  # type: ignore[no-any-return]


def known_class(tracker: str | None) -> type | None:
    """The type here that is known by that, if there is one."""
    from cloudpickle import cloudpickle

    known = cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID
    return known.get(tracker) if tracker else None
